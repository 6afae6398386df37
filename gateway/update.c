#include "update.h"

#include "core/reading.h"
#include "core/text_out.h"
#include "heap.h"
#include "log.h"
#include "update_bundle.h"
#include "update_fetch.h"
#include "update_health.h"
#include "wall_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOGIN "org.freedesktop.login1"

enum { PATH_MAX_TEXT = 256, RESTART_MS = 3000, PERCENT = 100 };

struct update {
    enum update_manager manager;
    char state_dir[PATH_MAX_TEXT], folder[PATH_MAX_TEXT], fetch_socket[PATH_MAX_TEXT];
    int64_t trial_ms;
    struct loop *loop; /* NULL: not started */
    struct update_owner *owner;
    struct rauc rauc;
    struct rauc_owner rauc_owner;
    struct bus_peer login; /* restarts the box */
    enum update_state state;
    int percent;
    char detail[UPDATE_DETAIL_MAX];
    unsigned revision;
    char release[UPDATE_RELEASE_MAX], floor_text[UPDATE_RELEASE_MAX];
    struct update_version floor;
    bool floor_known;
    struct update_fetch fetch;
    struct update_bundle bundle;
    int64_t expected; /* bytes of it; -1: unknown */
    struct update_sender *sender;
    struct update_record record;
    struct update_saver saver;
    bool save_again;
    bool resumed; /* what a restart has interrupted is seen to */
    struct update_health health;
    struct loop_timer restart;
};

static const char *const state_names[UPDATE_STATES] = {
    [UPDATE_IDLE] = "idle",          [UPDATE_RECEIVING] = "receiving",
    [UPDATE_FETCHING] = "fetching",  [UPDATE_CHECKING] = "checking",
    [UPDATE_WRITING] = "installing", [UPDATE_RESTARTING] = "restarting",
    [UPDATE_WAITING] = "installed",  [UPDATE_TRIAL] = "trial",
};

const char *update_state_name(enum update_state state)
{
    return state_names[state];
}

/* --- what is shown ---------------------------------------------------------------------------- */

static void tell(struct update *u)
{
    u->revision++;
    u->owner->changed(u->owner);
}

static void enter(struct update *u, enum update_state state, const char *detail)
{
    u->state = state;
    u->percent = -1;
    text_copy(u->detail, sizeof u->detail, detail);
    tell(u);
}

static void show_progress(struct update *u, int64_t done, int64_t all)
{
    int percent = all > 0 && done <= all ? (int)(done * PERCENT / all) : -1;
    if (percent == u->percent)
        return;
    u->percent = percent;
    u->owner->changed(u->owner);
}

struct update_info update_get_info(const struct update *u)
{
    return (struct update_info){.manager = u->manager,
                                .state = u->state,
                                .percent = u->percent,
                                .detail = u->detail,
                                .release = u->release,
                                .floor = u->floor_text,
                                .compatible = u->rauc.compatible,
                                .rauc = rauc_is_there(&u->rauc) ? &u->rauc : NULL,
                                .result = u->record.phase == UPDATE_OVER ? &u->record : NULL,
                                .revision = u->revision};
}

/* --- the record ------------------------------------------------------------------------------- */

static void save(struct update *u)
{
    u->save_again = u->saver.job.busy;
    if (!u->save_again)
        update_record_save(&u->saver, &u->record);
}

static void end_record(struct update *u, bool ok, const char *reason)
{
    update_record_end(&u->record, ok, reason, wall_clock_s());
    save(u);
}

/* --- the end of an update --------------------------------------------------------------------- */

static void give_verdict(struct update *u, enum update_refusal refusal, const char *error)
{
    struct update_sender *s = u->sender;
    u->sender = NULL;
    if (s)
        s->verdict(s, refusal, error);
}

static void put_bundle_away(struct update *u)
{
    update_fetch_stop(&u->fetch);
    update_bundle_close(&u->bundle);
}

static void fail(struct update *u, enum update_refusal refusal, const char *reason)
{
    char why[UPDATE_ERROR_MAX];
    bool was_writing = u->state == UPDATE_WRITING;
    text_copy(why, sizeof why, reason); /* it may lie in what is put away */
    log_warning("update", "%s is not installed: %s", u->record.to[0] ? u->record.to : "the bundle",
                why);
    put_bundle_away(u);
    end_record(u, false, why);
    enter(u, UPDATE_IDLE, "");
    give_verdict(u, refusal, why);
    if (was_writing) /* else nothing has changed; RAUC's answers take time */
        (void)rauc_ask_slots(&u->rauc);
}

/* --- restarting ------------------------------------------------------------------------------- */

static void wait_for_restart(struct update *u, const char *why)
{
    char detail[UPDATE_DETAIL_MAX];
    snprintf(detail, sizeof detail, "restart the box to use %s%s%.*s", u->record.to,
             why[0] ? ": " : "", text_precision(why, 120), why);
    log_warning("update", "%s", detail);
    enter(u, UPDATE_WAITING, detail);
}

static int on_restarting(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct update *u = context;
    (void)unused;
    if (sd_bus_message_is_method_error(answer, NULL) <= 0)
        return 0;
    if (u->state == UPDATE_RESTARTING)
        wait_for_restart(u, bus_error_text(answer));
    else
        log_error("update", "the box does not restart: %s", bus_error_text(answer));
    return 0;
}

static int ask_restart(struct update *u)
{
    sd_bus_message *call =
        bus_new_call(&u->login, "/org/freedesktop/login1", LOGIN ".Manager", "Reboot");
    if (call && sd_bus_message_append(call, "b", 0) < 0)
        call = sd_bus_message_unref(call);
    return bus_call(&u->login, call, on_restarting, u);
}

static void on_restart(struct loop_timer *timer)
{
    struct update *u = CONTAINER_OF(timer, struct update, restart);
    int problem = ask_restart(u);
    if (problem < 0)
        wait_for_restart(u, "");
}

static void on_login_came(struct bus_peer *p)
{
    (void)p;
}

static void on_login_left(struct bus_peer *p, const char *why)
{
    (void)p;
    (void)why;
}

/* --- installing ------------------------------------------------------------------------------- */

static void begin_installing(struct update *u)
{
    char path[UPDATE_PATH_MAX];
    update_bundle_path(&u->bundle, path);
    int problem = rauc_install(&u->rauc, path);
    if (problem < 0) {
        fail(u, UPDATE_ABSENT, strerror(-problem));
        return;
    }
    log_info("update", "installing %s", u->record.to);
    enter(u, UPDATE_WRITING, "");
    give_verdict(u, UPDATE_ACCEPTED, NULL);
}

static void on_saved(struct update_saver *s, bool ok)
{
    struct update *u = CONTAINER_OF(s, struct update, saver);
    if (u->save_again)
        save(u);
    else if (u->state == UPDATE_CHECKING && u->record.phase == UPDATE_INSTALLING && ok)
        begin_installing(u);
    else if (u->state == UPDATE_CHECKING && u->record.phase == UPDATE_INSTALLING)
        fail(u, UPDATE_NO_ROOM, "the way back cannot be kept in the state folder");
    else if (u->state == UPDATE_RESTARTING)
        loop_set_timer(u->loop, &u->restart, RESTART_MS);
}

/* Why our handler refuses a bundle is in RAUC's journal only. */
static const char *reason_of(const char *error)
{
    return strstr(error, "Pre-install handler error")
               ? "smart-connect-floor refuses it; why is in the journal of rauc.service"
               : error;
}

static void on_completed(struct rauc_owner *owner, const char *error)
{
    struct update *u = CONTAINER_OF(owner, struct update, rauc_owner);
    if (u->state != UPDATE_WRITING)
        return;
    if (error) {
        fail(u, UPDATE_BAD, reason_of(error));
        return;
    }
    put_bundle_away(u);
    log_info("update", "%s is installed; restarting", u->record.to);
    u->record.phase = UPDATE_INSTALLED;
    enter(u, UPDATE_RESTARTING, "");
    save(u);
    (void)rauc_ask_slots(&u->rauc);
}

/* --- checking --------------------------------------------------------------------------------- */

/* Also notes which release it is. */
static bool fits(struct update *u, const char *compatible, const char *version,
                 char why[static UPDATE_ERROR_MAX])
{
    struct update_version v;
    if (strcmp(compatible, u->rauc.compatible) != 0)
        snprintf(why, UPDATE_ERROR_MAX, "it is for \"%.*s\", and this box is \"%.*s\"",
                 text_precision(compatible, 60), compatible, text_precision(u->rauc.compatible, 60),
                 u->rauc.compatible);
    else if (!update_version_read(version, &v))
        snprintf(why, UPDATE_ERROR_MAX,
                 "its version \"%.*s\" is none of ours: MAJOR.MINOR.PATCH+security.N",
                 text_precision(version, 60), version);
    else {
        update_version_text(&v, u->record.to);
        return update_version_allowed(&v, &u->floor, why);
    }
    return false;
}

static void on_checked(struct rauc_owner *owner, const char *compatible, const char *version,
                       const char *error)
{
    struct update *u = CONTAINER_OF(owner, struct update, rauc_owner);
    char why[UPDATE_ERROR_MAX];
    const struct rauc_slot *booted = rauc_booted(&u->rauc);
    if (u->state != UPDATE_CHECKING)
        return;
    if (error || !booted) {
        fail(u, UPDATE_BAD, error ? error : "it is not known which slot was booted");
        return;
    }
    if (!fits(u, compatible, version, why)) {
        fail(u, UPDATE_BAD, why);
        return;
    }
    u->record.phase = UPDATE_INSTALLING;
    u->record.meter_live = u->owner->meter_is_live(u->owner);
    snprintf(u->record.booted, sizeof u->record.booted, "%s", booted->boot);
    save(u);
}

static void check(struct update *u)
{
    char path[UPDATE_PATH_MAX];
    update_bundle_path(&u->bundle, path);
    int problem = rauc_check(&u->rauc, path);
    if (problem < 0)
        fail(u, UPDATE_ABSENT, strerror(-problem));
}

/* --- the bundle comes ------------------------------------------------------------------------- */

static void on_written(struct update_bundle *b, int problem)
{
    struct update *u = CONTAINER_OF(b, struct update, bundle);
    if (problem == EBADMSG)
        fail(u, UPDATE_BAD, b->fault);
    else if (problem)
        fail(u, UPDATE_NO_ROOM, strerror(problem));
    else if (u->state == UPDATE_CHECKING)
        check(u);
    else if (u->sender)
        u->sender->go_on(u->sender);
}

static void seal(struct update *u)
{
    enter(u, UPDATE_CHECKING, "");
    update_bundle_seal(&u->bundle);
}

static void on_fetched(struct update_fetch *f, bool ok, const char *reason)
{
    struct update *u = CONTAINER_OF(f, struct update, fetch);
    if (ok)
        seal(u);
    else
        fail(u, UPDATE_BAD, reason);
}

static void on_fetching(struct update_fetch *f, int64_t got, int64_t size)
{
    show_progress(CONTAINER_OF(f, struct update, fetch), got, size);
}

static enum update_refusal refuse(enum update_refusal refusal, char *error, const char *why)
{
    snprintf(error, UPDATE_ERROR_MAX, "%s", why);
    return refusal;
}

enum update_refusal update_may_begin(const struct update *u, char error[static UPDATE_ERROR_MAX])
{
    const struct rauc_slot *booted = rauc_booted(&u->rauc);
    if (u->manager == UPDATE_BY_PACKAGES)
        return refuse(UPDATE_NOT_OURS, error,
                      "managed by the package manager: update the package smart-connect there");
    if (!u->loop || !rauc_is_there(&u->rauc) || !booted)
        return refuse(
            UPDATE_ABSENT, error,
            "RAUC, which installs updates, is not there; see the journal of rauc.service");
    if (!u->state_dir[0] || !u->floor_known)
        return refuse(UPDATE_ABSENT, error,
                      u->state_dir[0] ? "the release of this system is not known"
                                      : "there is no state folder: the way back cannot be kept");
    if (u->state == UPDATE_TRIAL || strcmp(booted->health, "good") != 0)
        return refuse(UPDATE_BUSY, error,
                      "this system has not proved itself yet; try again in some minutes");
    if (u->state != UPDATE_IDLE)
        return refuse(UPDATE_BUSY, error,
                      u->state == UPDATE_WAITING ? "an update waits for the box to be restarted"
                                                 : "another update is under way");
    return UPDATE_ACCEPTED;
}

static enum update_refusal make_file(struct update *u, int64_t length, char *error)
{
    const char *folder = u->folder[0] ? u->folder : u->state_dir;
    u->bundle.written = on_written;
    u->expected = length;
    if (update_bundle_open(&u->bundle, u->loop, folder, length))
        return UPDATE_ACCEPTED;
    snprintf(error, UPDATE_ERROR_MAX, "a bundle has no place in %.100s: %s", folder,
             strerror(errno));
    return errno == ENOSPC ? UPDATE_NO_ROOM : UPDATE_ABSENT;
}

/* From here on nothing refuses it: how the one before ended is forgotten. */
static void begin(struct update *u, enum update_state state)
{
    u->record = (struct update_record){.time_s = READING_NO_TIME};
    snprintf(u->record.from, sizeof u->record.from, "%s", u->release);
    enter(u, state, "");
}

enum update_refusal update_from_url(struct update *u, const char *url,
                                    char error[static UPDATE_ERROR_MAX])
{
    log_info("update", "asked to update from %s", url);
    enum update_refusal refusal = update_may_begin(u, error);
    if (refusal == UPDATE_ACCEPTED)
        refusal = make_file(u, -1, error);
    if (refusal != UPDATE_ACCEPTED)
        return refusal;
    u->fetch.progress = on_fetching;
    u->fetch.done = on_fetched;
    if (!update_fetch_start(&u->fetch, u->loop, u->fetch_socket, u->bundle.fd, UPDATE_BUNDLE_MAX,
                            url, error)) {
        put_bundle_away(u);
        return UPDATE_ABSENT;
    }
    begin(u, UPDATE_FETCHING);
    return UPDATE_ACCEPTED;
}

enum update_refusal update_from_sender(struct update *u, struct update_sender *s, int64_t length,
                                       char error[static UPDATE_ERROR_MAX])
{
    enum update_refusal refusal = update_may_begin(u, error);
    if (refusal == UPDATE_ACCEPTED && length > UPDATE_BUNDLE_MAX)
        refusal = refuse(UPDATE_TOO_LONG, error, "a bundle may have 1 GiB");
    if (refusal == UPDATE_ACCEPTED && length == 0)
        refusal = refuse(UPDATE_BAD, error, "the bundle is empty");
    if (refusal == UPDATE_ACCEPTED)
        refusal = make_file(u, length, error);
    if (refusal != UPDATE_ACCEPTED)
        return refusal;
    u->sender = s;
    begin(u, UPDATE_RECEIVING);
    return UPDATE_ACCEPTED;
}

size_t update_take(struct update *u, const char *bytes, size_t length)
{
    if (u->state != UPDATE_RECEIVING)
        return length; /* it has failed, which was told */
    size_t n = update_bundle_take(&u->bundle, bytes, length);
    show_progress(u, u->bundle.length, u->expected);
    return n;
}

void update_all_sent(struct update *u)
{
    if (u->state == UPDATE_RECEIVING)
        seal(u);
}

void update_drop(struct update *u, const struct update_sender *s)
{
    if (u->sender != s)
        return;
    u->sender = NULL;
    if (u->state == UPDATE_RECEIVING)
        fail(u, UPDATE_BAD, "it was not sent to its end");
}

/* --- RAUC ------------------------------------------------------------------------------------- */

static bool other_is_good(const struct rauc *r)
{
    for (size_t i = 0; i < r->slot_count; i++)
        if (strcmp(r->slot[i].state, "booted") != 0 && strcmp(r->slot[i].health, "good") == 0)
            return true;
    return false;
}

/* The new system, also if the power went between RAUC's switch of the slots and our note of it. */
static void begin_trial(struct update *u)
{
    if (u->record.phase == UPDATE_INSTALLING) {
        u->record.phase = UPDATE_INSTALLED;
        save(u);
    }
    enter(u, UPDATE_TRIAL, "");
}

static void end_trial(struct update *u)
{
    end_record(u, true, "");
    enter(u, UPDATE_IDLE, "");
}

/* The first look at the slots after a start, with what is remembered of before. */
static void resume(struct update *u, const struct rauc_slot *booted)
{
    bool waits = u->record.phase == UPDATE_INSTALLED || u->record.phase == UPDATE_TRIED;
    bool installing = u->record.phase == UPDATE_INSTALLING;
    u->resumed = true;
    if ((installing || waits) && strcmp(booted->boot, u->record.booted) != 0)
        begin_trial(u);
    else if (installing)
        end_record(u, false, "the box went down while it was installed: nothing has changed");
    else if (u->record.phase == UPDATE_INSTALLED && other_is_good(&u->rauc))
        wait_for_restart(u, "");
    else if (waits)
        end_record(u, false, UPDATE_FELL_BACK);
}

static void on_slots(struct rauc_owner *owner)
{
    struct update *u = CONTAINER_OF(owner, struct update, rauc_owner);
    const struct rauc_slot *booted = rauc_booted(&u->rauc);
    if (booted && !u->resumed)
        resume(u, booted);
    if (booted && strcmp(booted->health, "good") != 0)
        update_health_begin(&u->health, u->loop, u->trial_ms);
    else if (booted && u->state == UPDATE_TRIAL)
        end_trial(u);
    tell(u);
}

static void on_progress(struct rauc_owner *owner)
{
    struct update *u = CONTAINER_OF(owner, struct update, rauc_owner);
    if (u->state != UPDATE_WRITING)
        return;
    snprintf(u->detail, sizeof u->detail, "%s", u->rauc.step);
    show_progress(u, u->rauc.percent, PERCENT);
}

static void on_came(struct rauc_owner *owner)
{
    struct update *u = CONTAINER_OF(owner, struct update, rauc_owner);
    log_info("update", "RAUC is there");
    if (u->state == UPDATE_IDLE)
        u->detail[0] = 0;
    (void)rauc_ask_slots(&u->rauc);
}

static void on_left(struct rauc_owner *owner, const char *why)
{
    struct update *u = CONTAINER_OF(owner, struct update, rauc_owner);
    log_warning("update", "%s: nothing can be updated", why);
    if (u->state == UPDATE_CHECKING || u->state == UPDATE_WRITING)
        fail(u, UPDATE_ABSENT, why);
    if (u->state == UPDATE_IDLE)
        enter(u, UPDATE_IDLE, why);
}

/* --- is the system well? ---------------------------------------------------------------------- */

static const char *ailment(struct update_health *h)
{
    struct update *u = CONTAINER_OF(h, struct update, health);
    const char *problem = u->owner->settings_problem(u->owner);
    if (u->state != UPDATE_TRIAL)
        return NULL;
    if (problem[0])
        return problem;
    return u->record.meter_live && !u->owner->meter_is_live(u->owner)
               ? "the meter was live before the update, and is not now"
               : NULL;
}

static const struct sockaddr_storage *page(struct update_health *h)
{
    struct update *u = CONTAINER_OF(h, struct update, health);
    return u->owner->page(u->owner);
}

static void on_well(struct update_health *h)
{
    struct update *u = CONTAINER_OF(h, struct update, health);
    (void)rauc_mark_good(&u->rauc); /* without RAUC: when it comes */
}

static void on_ill(struct update_health *h)
{
    struct update *u = CONTAINER_OF(h, struct update, health);
    log_error("update", "this system is not well: %s; restarting", h->why);
    if (ask_restart(u) < 0)
        log_error("update", "nobody here can restart the box");
}

static void on_marked_good(struct rauc_owner *owner, const char *error)
{
    struct update *u = CONTAINER_OF(owner, struct update, rauc_owner);
    if (error) {
        log_error("update", "the slot is not called good: %s", error);
        update_health_begin(&u->health, u->loop, u->trial_ms);
        return;
    }
    log_info("update", "this system is well; its slot is called good");
    (void)rauc_ask_slots(&u->rauc);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Reads a file of one line. */
static bool read_release(const char *path, char text[static UPDATE_RELEASE_MAX],
                         struct update_version *v)
{
    char line[UPDATE_RELEASE_MAX + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0 || !update_version_read(line, v)) {
        log_info("update", "%s: %s", path, n < 0 ? strerror(errno) : "holds no release");
        return false;
    }
    update_version_text(v, text);
    return true;
}

/* Nothing below the running system, and nothing below what was running once. */
static void read_floor(struct update *u, const struct update_settings *s)
{
    struct update_version running, stored;
    u->floor_known = read_release(s->release_path, u->release, &running);
    if (!u->floor_known)
        return;
    u->floor = running;
    if (read_release(s->floor_path, u->floor_text, &stored))
        u->floor = update_version_higher(&running, &stored);
    update_version_text(&u->floor, u->floor_text);
}

struct update *update_open(const struct update_settings *settings)
{
    struct update *u = heap_new(sizeof *u);
    if (!u)
        return NULL;
    u->manager = settings->manager;
    u->trial_ms = settings->trial_ms;
    u->percent = -1;
    u->bundle.fd = -1;
    snprintf(u->state_dir, sizeof u->state_dir, "%s", settings->state_dir);
    snprintf(u->folder, sizeof u->folder, "%s", settings->folder);
    snprintf(u->fetch_socket, sizeof u->fetch_socket, "%s", settings->fetch_socket);
    if (u->manager == UPDATE_BY_PACKAGES)
        return u;
    read_floor(u, settings);
    if (update_record_resume(&u->record, u->state_dir, u->release, wall_clock_s()))
        return u;
    free(u);
    return NULL;
}

void update_start(struct update *u, struct loop *l, struct bus *b, struct update_owner *owner)
{
    u->loop = l;
    u->owner = owner;
    u->rauc_owner = (struct rauc_owner){.came = on_came,
                                        .left = on_left,
                                        .slots = on_slots,
                                        .checked = on_checked,
                                        .progress = on_progress,
                                        .completed = on_completed,
                                        .marked_good = on_marked_good};
    u->saver = (struct update_saver){.loop = l, .state_dir = u->state_dir, .saved = on_saved};
    u->health.ailment = ailment;
    u->health.page = page;
    u->health.well = on_well;
    u->health.ill = on_ill;
    u->restart.expired = on_restart;
    if (u->manager == UPDATE_BY_PACKAGES)
        return;
    u->login = (struct bus_peer){.name = LOGIN, .came = on_login_came, .left = on_login_left};
    bus_add(b, &u->login);
    rauc_open(&u->rauc, b, &u->rauc_owner);
}

void update_close(struct update *u)
{
    if (!u)
        return;
    if (u->loop) {
        loop_cancel_timer(u->loop, &u->restart);
        rauc_close(&u->rauc);
        bus_remove(&u->login);
        update_health_stop(&u->health);
        update_record_close(&u->saver);
        put_bundle_away(u);
    }
    free(u);
}
