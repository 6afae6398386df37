/* update.c against a RAUC and a logind played by this test, on a real disk. */
#include "update.h"

#include "bundle_kit_test.h"
#include "bus_kit_test.h"
#include "folder_kit_test.h"
#include "journal_kit_test.h"
#include "log.h"
#include "loop_kit_test.h"
#include "update_health.h"

#include <fcntl.h>
#include <string.h>

#define RAUC "de.pengutronix.rauc"
#define LOGIN "org.freedesktop.login1"
#define RAUC_OWNER ":1.7"
#define LOGIN_OWNER ":1.8"
#define OLD "0.1.0+security.1"
#define NEW "0.2.0+security.1"

enum { TRIAL_MS = 300000, RESTART_MS = 3000, FIRST_LOOK_MS = 20000 };

static struct loop loop;
static struct bus bus;
static struct update *update;
static struct update_owner owner;
static struct update_sender sender;
static char release_path[ATOMIC_FILE_PATH_MAX], floor_path[ATOMIC_FILE_PATH_MAX];

/* The other end. */
static const char *booted, *booted_health, *other_health; /* "A"... */
static const char *compatible, *version;                  /* of the bundle */
static const char *refused;                               /* the method that fails */
static uint8_t bundle[8 * BLOCK], installed_bytes[sizeof bundle];
static size_t bundle_length;

/* The house. */
static bool meter_is_live;
static const char *settings_problem;
static enum update_refusal verdict;
static char verdict_error[UPDATE_ERROR_MAX];

/* --- RAUC and logind -------------------------------------------------------------------------- */

static void append_slot(sd_bus_message *m, const char *name, const char *boot, bool is_booted)
{
    assert_true(sd_bus_message_append(m, "(sa{sv})", name, 3, "bootname", "s", boot, "state", "s",
                                      is_booted ? "booted" : "inactive", "boot-status", "s",
                                      is_booted ? booted_health : other_health) >= 0);
}

static void give_slots(sd_bus_message *call)
{
    sd_bus_message *m = bus_kit_new_answer(call);
    assert_true(sd_bus_message_open_container(m, 'a', "(sa{sv})") >= 0);
    append_slot(m, "rootfs.1", "B", strcmp(booted, "B") == 0);
    append_slot(m, "rootfs.0", "A", strcmp(booted, "A") == 0);
    assert_true(sd_bus_message_close_container(m) >= 0);
    bus_kit_send(RAUC_OWNER, m);
}

static void give_properties(sd_bus_message *call)
{
    bus_kit_answer(call, "a{sv}", 2, "Compatible", "s", "box-amd64", "Operation", "s", "idle");
}

/* The file is read by its path, as another process would. */
static void read_bundle(sd_bus_message *call)
{
    const char *path;
    assert_true(sd_bus_message_read(call, "s", &path) > 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, installed_bytes, sizeof installed_bytes), bundle_length);
    close(fd);
}

static void serve(sd_bus_message *call)
{
    const char *method = sd_bus_message_get_member(call);
    if (strcmp(method, "GetSlotStatus") != 0 && strcmp(method, "GetAll") != 0)
        journal_note("%s", method);
    if (strcmp(method, refused) == 0) {
        bus_kit_answer_error(call, RAUC ".Refused", "no such luck");
        return;
    }
    if (strcmp(method, "GetSlotStatus") == 0) {
        give_slots(call);
    } else if (strcmp(method, "GetAll") == 0) {
        give_properties(call);
    } else if (strcmp(method, "Info") == 0) {
        read_bundle(call);
        bus_kit_answer(call, "ss", compatible, version);
    } else if (strcmp(method, "InstallBundle") == 0) {
        read_bundle(call);
        bus_kit_answer(call, "");
    } else if (strcmp(method, "Mark") == 0) {
        booted_health = "good";
        bus_kit_answer(call, "ss", "rootfs.0", "marked");
    } else {
        bus_kit_answer(call, "");
    }
}

static void tell_progress(int percent, const char *step)
{
    sd_bus_message *m =
        bus_kit_new_signal("/", "org.freedesktop.DBus.Properties", "PropertiesChanged");
    assert_true(sd_bus_message_append(m, "sa{sv}as", RAUC ".Installer", 1, "Progress", "(isi)",
                                      percent, step, 1, 0) >= 0);
    bus_kit_send(RAUC_OWNER, m);
    bus_kit_settle();
}

static void tell_error(const char *error)
{
    sd_bus_message *m =
        bus_kit_new_signal("/", "org.freedesktop.DBus.Properties", "PropertiesChanged");
    assert_true(sd_bus_message_append(m, "sa{sv}as", RAUC ".Installer", 1, "LastError", "s", error,
                                      0) >= 0);
    bus_kit_send(RAUC_OWNER, m);
    bus_kit_settle();
}

static void settle(void)
{
    for (int i = 0; i < 4; i++) {
        loop_kit_settle(&loop);
        bus_kit_settle();
    }
}

static void complete(int result)
{
    sd_bus_message *m = bus_kit_new_signal("/", RAUC ".Installer", "Completed");
    assert_true(sd_bus_message_append(m, "i", result) >= 0);
    bus_kit_send(RAUC_OWNER, m);
    settle();
}

/* --- the house -------------------------------------------------------------------------------- */

static void on_changed(struct update_owner *o)
{
    (void)o;
}

static bool on_meter_is_live(struct update_owner *o)
{
    (void)o;
    return meter_is_live;
}

static const char *on_settings_problem(struct update_owner *o)
{
    (void)o;
    return settings_problem;
}

static const struct sockaddr_storage *on_page(struct update_owner *o)
{
    (void)o;
    return NULL;
}

static void on_go_on(struct update_sender *s)
{
    (void)s;
}

static void on_verdict(struct update_sender *s, enum update_refusal refusal, const char *error)
{
    assert_ptr_equal(s, &sender);
    verdict = refusal;
    snprintf(verdict_error, sizeof verdict_error, "%s", error ? error : "");
}

/* --- life ------------------------------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* The box starts; of RAUC and logind those run that have an owner. */
static void start(void)
{
    const struct update_settings settings = {.manager = UPDATE_BY_RAUC,
                                             .state_dir = folder,
                                             .folder = "",
                                             .fetch_socket = "/nonexistent",
                                             .release_path = release_path,
                                             .floor_path = floor_path,
                                             .trial_ms = TRIAL_MS};
    update = update_open(&settings);
    assert_non_null(update);
    bus_open(&bus, &loop);
    update_start(update, &loop, &bus, &owner);
    settle();
    journal_forget();
}

static void stop(void)
{
    update_close(update);
    bus_close(&bus);
    settle();
}

static int begin(void **unused)
{
    (void)unused;
    if (!make_folder_for("update", false))
        return -1;
    memset(bundle, 0, sizeof bundle);
    bundle_length = bundle_kit_make(bundle, 3 * BLOCK, 1, 0);
    snprintf(release_path, sizeof release_path, "%s", path_of("release"));
    snprintf(floor_path, sizeof floor_path, "%s", path_of("floor"));
    put(release_path, OLD "\n");
    booted = "A";
    booted_health = other_health = "good";
    compatible = "box-amd64";
    version = NEW;
    refused = "";
    meter_is_live = true;
    settings_problem = "";
    verdict = UPDATE_REFUSALS;
    owner = (struct update_owner){.changed = on_changed,
                                  .meter_is_live = on_meter_is_live,
                                  .settings_problem = on_settings_problem,
                                  .page = on_page};
    sender = (struct update_sender){.go_on = on_go_on, .verdict = on_verdict};
    loop_init(&loop);
    bus_kit_begin(&loop, serve);
    bus_kit_own(RAUC, RAUC_OWNER);
    bus_kit_own(LOGIN, LOGIN_OWNER);
    start();
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    stop();
    bus_kit_end();
    loop_close(&loop);
    empty_folder();
    return rmdir(folder);
}

/* The box restarts into a slot; its system says which release it is. */
static void restart(const char *slot, const char *release)
{
    stop();
    booted = slot;
    booted_health = "bad"; /* a try is counted until it is called good */
    put(release_path, release);
    start();
}

static struct update_info info(void)
{
    return update_get_info(update);
}

static void assert_state(enum update_state state)
{
    assert_string_equal(update_state_name(info().state), update_state_name(state));
}

static void assert_failed(const char *reason)
{
    assert_state(UPDATE_IDLE);
    assert_non_null(info().result);
    assert_false(info().result->ok);
    if (!strstr(info().result->reason, reason))
        fail_msg("\"%s\" does not say \"%s\"", info().result->reason, reason);
}

static enum update_refusal offer(void)
{
    return update_from_sender(update, &sender, (int64_t)bundle_length, verdict_error);
}

static void send_bundle(void)
{
    assert_int_equal(offer(), UPDATE_ACCEPTED);
    assert_state(UPDATE_RECEIVING);
    assert_int_equal(update_take(update, (char *)bundle, bundle_length), bundle_length);
    update_all_sent(update);
    settle();
}

static void install(void)
{
    send_bundle();
    assert_int_equal(verdict, UPDATE_ACCEPTED);
    assert_state(UPDATE_WRITING);
    complete(0);
    assert_state(UPDATE_RESTARTING);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_bundle_is_checked_installed_and_started(void **unused)
{
    (void)unused;
    send_bundle();
    journal_expect("Info InstallBundle");
    assert_memory_equal(installed_bytes, bundle, bundle_length);
    assert_int_equal(verdict, UPDATE_ACCEPTED);
    tell_progress(40, "Copying image to rootfs.1");
    assert_int_equal(info().percent, 40);
    assert_string_equal(info().detail, "Copying image to rootfs.1");
    complete(0);
    assert_state(UPDATE_RESTARTING);
    journal_expect("");
    bus_kit_pass(RESTART_MS);
    journal_expect("Reboot");
}

static void what_is_shown_are_slots_release_and_floor(void **unused)
{
    (void)unused;
    assert_string_equal(info().release, OLD);
    assert_string_equal(info().floor, OLD);
    assert_string_equal(info().compatible, "box-amd64");
    assert_int_equal(info().rauc->slot_count, 2);
    assert_string_equal(info().rauc->slot[0].name, "rootfs.0"); /* in the order of the disk */
    assert_string_equal(info().rauc->slot[1].boot, "B");
    assert_null(info().result);
}

static void a_new_system_that_is_well_is_called_good(void **unused)
{
    (void)unused;
    install();
    restart("B", NEW);
    assert_state(UPDATE_TRIAL);
    assert_int_equal(offer(), UPDATE_BUSY);
    bus_kit_pass(FIRST_LOOK_MS - 1);
    journal_expect("");
    bus_kit_pass(1);
    settle();
    journal_expect("Mark");
    assert_state(UPDATE_IDLE);
    assert_true(info().result->ok);
    assert_string_equal(info().result->from, OLD);
    assert_string_equal(info().result->to, NEW);
    assert_string_equal(info().floor, NEW);
}

static void a_new_system_without_the_meter_is_restarted(void **unused)
{
    (void)unused;
    install();
    meter_is_live = false;
    restart("B", NEW);
    bus_kit_pass(TRIAL_MS - 1);
    journal_expect("");
    bus_kit_pass(UPDATE_HEALTH_AGAIN_MS);
    journal_expect("Reboot");
    meter_is_live = true; /* late is better than never */
    bus_kit_pass(10000);
    settle();
    journal_expect("Mark");
}

static void a_meter_that_was_not_there_before_is_not_missed(void **unused)
{
    (void)unused;
    meter_is_live = false;
    install();
    restart("B", NEW);
    bus_kit_pass(FIRST_LOOK_MS);
    settle();
    journal_expect("Mark");
}

static void a_new_system_that_cannot_read_the_settings_is_restarted(void **unused)
{
    (void)unused;
    install();
    settings_problem = "the stored configuration is damaged";
    restart("B", NEW);
    bus_kit_pass(TRIAL_MS + UPDATE_HEALTH_AGAIN_MS);
    journal_expect("Reboot");
}

static void a_system_that_came_back_says_so(void **unused)
{
    (void)unused;
    install();
    restart("B", NEW);
    other_health = "bad";
    restart("A", OLD);
    assert_failed(UPDATE_FELL_BACK);
    bus_kit_pass(FIRST_LOOK_MS);
    journal_expect("Mark");
    assert_string_equal(info().floor, OLD);
}

/* Its kernel does not start, so nobody was there to remember it. */
static void a_new_system_that_never_started_is_noticed(void **unused)
{
    (void)unused;
    install();
    other_health = "bad";
    restart("A", OLD);
    assert_failed(UPDATE_FELL_BACK);
}

static void each_start_is_called_good_when_it_is_well(void **unused)
{
    (void)unused;
    restart("A", OLD);
    meter_is_live = false; /* only after an update is it missed */
    settings_problem = "damaged";
    assert_int_equal(offer(), UPDATE_BUSY);
    bus_kit_pass(FIRST_LOOK_MS);
    settle();
    journal_expect("Mark");
    assert_int_equal(offer(), UPDATE_ACCEPTED);
}

static void a_power_cut_while_it_is_installed_changes_nothing(void **unused)
{
    (void)unused;
    send_bundle();
    assert_state(UPDATE_WRITING);
    restart("A", OLD);
    assert_failed("went down while it was installed");
}

/* RAUC has switched the slots, and nobody has noted it. */
static void a_power_cut_after_the_switch_is_followed_by_a_trial(void **unused)
{
    (void)unused;
    send_bundle();
    restart("B", NEW);
    assert_state(UPDATE_TRIAL);
    assert_null(info().result);
    meter_is_live = false;
    bus_kit_pass(TRIAL_MS);
    journal_expect("Reboot");
    restart("A", OLD);
    assert_failed(UPDATE_FELL_BACK);
}

static void a_repair_whose_power_is_cut_after_the_switch_is_tried_too(void **unused)
{
    (void)unused;
    version = OLD;
    send_bundle();
    restart("B", OLD);
    assert_state(UPDATE_TRIAL);
    other_health = "bad";
    restart("A", OLD);
    assert_failed(UPDATE_FELL_BACK);
}

static void an_update_waits_where_nobody_restarts_the_box(void **unused)
{
    (void)unused;
    bus_kit_own(LOGIN, "");
    bus_kit_settle();
    install();
    bus_kit_pass(RESTART_MS);
    assert_state(UPDATE_WAITING);
    assert_non_null(strstr(info().detail, "restart the box to use " NEW));
    assert_int_equal(offer(), UPDATE_BUSY);
    stop(); /* the gateway alone is started again */
    start();
    assert_state(UPDATE_WAITING);
}

static void a_refused_restart_is_told(void **unused)
{
    (void)unused;
    refused = "Reboot";
    install();
    bus_kit_pass(RESTART_MS);
    bus_kit_settle();
    assert_state(UPDATE_WAITING);
    assert_non_null(strstr(info().detail, "no such luck"));
}

static void assert_refused(const char *reason)
{
    send_bundle();
    assert_int_equal(verdict, UPDATE_BAD);
    if (!strstr(verdict_error, reason))
        fail_msg("\"%s\" does not say \"%s\"", verdict_error, reason);
    assert_failed(reason);
    journal_expect("Info"); /* and no InstallBundle */
}

static void a_bad_signature_is_refused(void **unused)
{
    (void)unused;
    refused = "Info";
    assert_refused("its signature or its manifest is not good");
}

/* It would end RAUC. */
static void what_is_no_bundle_is_not_even_shown_to_rauc(void **unused)
{
    (void)unused;
    bundle_length--;
    send_bundle();
    assert_int_equal(verdict, UPDATE_BAD);
    assert_failed("cut off");
    journal_expect("");
}

static void another_product_is_refused(void **unused)
{
    (void)unused;
    compatible = "box-arm64";
    assert_refused("it is for \"box-arm64\", and this box is \"box-amd64\"");
}

static void an_older_release_is_refused(void **unused)
{
    (void)unused;
    version = "0.0.9+security.1";
    assert_refused("0.0.9+security.1 is older");
}

static void a_lower_security_counter_is_refused(void **unused)
{
    (void)unused;
    version = "9.0.0+security.0";
    assert_refused("has a flaw that was mended since");
}

static void a_foreign_version_is_refused(void **unused)
{
    (void)unused;
    version = "2026.11-beta";
    assert_refused("is none of ours");
}

/* Whoever signs a bundle may name it as he likes; the reason is told in JSON. */
static void names_are_quoted_up_to_a_character(void **unused)
{
    char name[100] = "";
    (void)unused;
    for (int shift = 0; shift < 2; shift++) {
        int n = snprintf(name, sizeof name, "%.*s", shift, "x");
        for (int i = 0; i < 40; i++)
            n += snprintf(name + n, sizeof name - (size_t)n, "\xC3\xA4");
        version = name;
        assert_refused("\xC3\xA4\" is none of ours");
        version = NEW;
        compatible = name;
        assert_refused("\xC3\xA4\", and this box is \"box-amd64\"");
        compatible = "box-amd64";
    }
}

static void the_stored_floor_holds_for_an_older_system(void **unused)
{
    (void)unused;
    put(floor_path, "0.3.0+security.1\n");
    restart("A", OLD);
    bus_kit_pass(FIRST_LOOK_MS);
    settle();
    journal_forget();
    assert_string_equal(info().floor, "0.3.0+security.1");
    assert_refused("nothing below 0.3.0+security.1");
}

static void a_damaged_floor_is_the_running_system(void **unused)
{
    (void)unused;
    put(floor_path, "nonsense");
    restart("A", OLD);
    assert_string_equal(info().floor, OLD);
}

static void without_a_release_nothing_is_installed(void **unused)
{
    (void)unused;
    stop();
    put(release_path, "unknown\n");
    start();
    assert_int_equal(offer(), UPDATE_ABSENT);
    assert_non_null(strstr(verdict_error, "release of this system is not known"));
}

static void a_failed_installation_says_why(void **unused)
{
    (void)unused;
    send_bundle();
    tell_error("Installation error: the handler refuses");
    complete(1);
    assert_failed("the handler refuses");
    send_bundle(); /* and another may be tried */
    assert_state(UPDATE_WRITING);
    tell_error("Installation error: Pre-install handler error: Child process exited with code 1");
    complete(1);
    assert_failed("smart-connect-floor refuses it");
}

static void an_installation_that_is_not_begun_has_failed(void **unused)
{
    (void)unused;
    refused = "InstallBundle";
    send_bundle();
    settle();
    assert_failed("no such luck");
}

static void an_installer_that_dies_has_failed(void **unused)
{
    (void)unused;
    send_bundle();
    bus_kit_own(RAUC, "");
    bus_kit_settle();
    settle();
    assert_failed("is gone");
    assert_int_equal(offer(), UPDATE_ABSENT);
    bus_kit_own(RAUC, RAUC_OWNER);
    bus_kit_settle();
    settle();
    assert_int_equal(offer(), UPDATE_ACCEPTED);
}

static void there_is_one_update_at_a_time(void **unused)
{
    struct update_sender another = sender;
    char error[UPDATE_ERROR_MAX];
    (void)unused;
    assert_int_equal(offer(), UPDATE_ACCEPTED);
    assert_int_equal(update_from_sender(update, &another, 5, error), UPDATE_BUSY);
    assert_int_equal(update_from_url(update, "https://a.example/b", error), UPDATE_BUSY);
    update_drop(update, &another); /* whose business it is not */
    assert_state(UPDATE_RECEIVING);
}

static void a_sender_that_goes_costs_its_bundle(void **unused)
{
    (void)unused;
    assert_int_equal(offer(), UPDATE_ACCEPTED);
    assert_int_equal(update_take(update, (char *)bundle, bundle_length / 2), bundle_length / 2);
    assert_in_range(info().percent, 49, 50);
    update_drop(update, &sender);
    settle();
    assert_failed("not sent to its end");
    journal_expect("");
    assert_int_equal(verdict, UPDATE_REFUSALS);
}

static void a_sender_that_goes_late_costs_nothing(void **unused)
{
    (void)unused;
    assert_int_equal(offer(), UPDATE_ACCEPTED);
    (void)update_take(update, (char *)bundle, bundle_length);
    update_all_sent(update);
    update_drop(update, &sender);
    settle();
    assert_state(UPDATE_WRITING);
}

static void sizes_are_bounded(void **unused)
{
    char error[UPDATE_ERROR_MAX];
    (void)unused;
    assert_int_equal(update_from_sender(update, &sender, 0, error), UPDATE_BAD);
    assert_int_equal(update_from_sender(update, &sender, (INT64_C(1) << 30) + 1, error),
                     UPDATE_TOO_LONG);
    assert_state(UPDATE_IDLE);
}

static void a_downloader_that_is_not_there_is_told(void **unused)
{
    char error[UPDATE_ERROR_MAX] = "";
    (void)unused;
    assert_int_equal(update_from_url(update, "https://a.example/b", error), UPDATE_ABSENT);
    assert_state(UPDATE_IDLE);
    assert_int_equal(offer(), UPDATE_ACCEPTED);
}

static void what_is_not_begun_leaves_the_result_of_before(void **unused)
{
    char error[UPDATE_ERROR_MAX] = "";
    (void)unused;
    refused = "Info";
    send_bundle();
    assert_failed("its signature");
    assert_int_equal(update_from_url(update, "https://a.example/b", error), UPDATE_ABSENT);
    assert_failed("its signature");
    assert_int_equal(offer(), UPDATE_ACCEPTED);
    assert_null(info().result);
}

static void a_package_is_the_package_managers(void **unused)
{
    const struct update_settings settings = {.manager = UPDATE_BY_PACKAGES, .state_dir = folder};
    char error[UPDATE_ERROR_MAX];
    (void)unused;
    struct update *packaged = update_open(&settings);
    update_start(packaged, &loop, &bus, &owner);
    assert_int_equal(update_from_url(packaged, "https://a.example/b", error), UPDATE_NOT_OURS);
    assert_int_equal(update_from_sender(packaged, &sender, 5, error), UPDATE_NOT_OURS);
    assert_non_null(strstr(error, "managed by the package manager"));
    update_close(packaged);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bundle_is_checked_installed_and_started),
        TEST(what_is_shown_are_slots_release_and_floor),
        TEST(a_new_system_that_is_well_is_called_good),
        TEST(a_new_system_without_the_meter_is_restarted),
        TEST(a_meter_that_was_not_there_before_is_not_missed),
        TEST(a_new_system_that_cannot_read_the_settings_is_restarted),
        TEST(a_system_that_came_back_says_so),
        TEST(a_new_system_that_never_started_is_noticed),
        TEST(each_start_is_called_good_when_it_is_well),
        TEST(a_power_cut_while_it_is_installed_changes_nothing),
        TEST(a_power_cut_after_the_switch_is_followed_by_a_trial),
        TEST(a_repair_whose_power_is_cut_after_the_switch_is_tried_too),
        TEST(an_update_waits_where_nobody_restarts_the_box),
        TEST(a_refused_restart_is_told),
        TEST(a_bad_signature_is_refused),
        TEST(what_is_no_bundle_is_not_even_shown_to_rauc),
        TEST(another_product_is_refused),
        TEST(an_older_release_is_refused),
        TEST(a_lower_security_counter_is_refused),
        TEST(a_foreign_version_is_refused),
        TEST(names_are_quoted_up_to_a_character),
        TEST(the_stored_floor_holds_for_an_older_system),
        TEST(a_damaged_floor_is_the_running_system),
        TEST(without_a_release_nothing_is_installed),
        TEST(a_failed_installation_says_why),
        TEST(an_installation_that_is_not_begun_has_failed),
        TEST(an_installer_that_dies_has_failed),
        TEST(there_is_one_update_at_a_time),
        TEST(a_sender_that_goes_costs_its_bundle),
        TEST(a_sender_that_goes_late_costs_nothing),
        TEST(sizes_are_bounded),
        TEST(a_downloader_that_is_not_there_is_told),
        TEST(what_is_not_begun_leaves_the_result_of_before),
        TEST(a_package_is_the_package_managers),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, bus_kit_make_place, bus_kit_remove_place);
}
