#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/reading.h"
#include "identity.h"

#include "folder_kit_test.h"
#include "log.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_S INT64_C(1790000000) /* September 2026 */
#define SERIAL "AABBCC112233"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { DAY_S = 86400, FILE_MAX = 40000 };

static char error[IDENTITY_ERROR_MAX];
static struct identity identity;
static struct certificate_names names;
static bool kept;

/* Of a first start. */
static const char *const files[] = {"serial",     "login",   "label",  "device.key",
                                    "device.crt", "web.key", "web.crt"};

/* --- the folder ------------------------------------------------------------------------------- */

/* Without the waiting for the disk that atomic_file_write() does. */
static void put_bytes(const char *name, const void *bytes, size_t length)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

/* The caller frees it. */
static char *get(const char *name, size_t *length)
{
    char *bytes = atomic_file_read(folder, name, FILE_MAX, length);
    assert_non_null(bytes);
    return bytes;
}

static void assert_holds(const char *name, const char *text)
{
    size_t length;
    char *found = get(name, &length);
    assert_string_equal(found, text);
    free(found);
}

static struct stat stat_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        fail_msg("%s: %s", path, strerror(errno));
    return st;
}

static int make_test_folder(void **unused)
{
    static const struct host_net net = {
        .host_name = "meterbox", .address = {"192.0.2.5", "2001:db8::5"}, .address_count = 2};
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    memset(&identity, 0, sizeof identity);
    memcpy(identity.serial, SERIAL, sizeof SERIAL);
    identity_names(&identity, &net, "", &names);
    return make_folder_for("identity_test", false) && rmdir(folder) == 0
               ? 0
               : -1; /* a first start makes it */
}

static int remove_test_folder(void **unused)
{
    (void)unused;
    empty_folder();
    rmdir(folder);
    identity_wipe(&identity);
    return 0;
}

/* --- starts ----------------------------------------------------------------------------------- */

static bool start_at(int64_t now_s, const char *given)
{
    error[0] = 0;
    return identity_load(folder, given, &identity, &kept) &&
           identity_load_secrets(folder, &identity, &names, now_s, error);
}

static void start(void)
{
    if (!start_at(NOW_S, ""))
        fail_msg("%s", error);
}

/* A bare container has neither a network card of its own nor a machine id. */
static bool machine_has_number(void)
{
    struct identity own;
    bool unused;
    return identity_load("", "", &own, &unused);
}

static void first_start(void)
{
    if (!start_at(NOW_S, SERIAL))
        fail_msg("%s", error);
}

static struct certificate_request web_request(void)
{
    return (struct certificate_request){
        .common_name = identity.serial, .names = &names, .now_s = NOW_S, .for_server = true};
}

static struct certificate_request device_request(void)
{
    return (struct certificate_request){.common_name = identity.serial, .now_s = NOW_S};
}

static bool opens(const char *password)
{
    return login_check(password, strlen(password), identity_hash(&identity));
}

/* A text that was just made ends with a new line, and one that was loaded does not. */
static void assert_same(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    n -= n && a[n - 1] == '\n';
    m -= m && b[m - 1] == '\n';
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
}

/* Everything there is fits together, and is what the folder holds. */
static void assert_whole(void)
{
    struct identity loaded;
    bool was_kept;
    struct certificate_request web = web_request(), device = device_request();
    assert_true(identity_is_serial(identity.serial));
    assert_int_equal(strlen(identity.ap_key), LOGIN_KEY_LEN);
    assert_true(login_is_hash(identity.login_hash));
    assert_int_equal(certificate_check(identity.web_key, identity.web_certificate, &web, 30),
                     CERTIFICATE_GOOD);
    assert_int_equal(
        certificate_check(identity.device_key, identity.device_certificate, &device, 30),
        CERTIFICATE_GOOD);
    assert_true(identity_load(folder, "", &loaded, &was_kept) && was_kept);
    assert_true(identity_load_secrets(folder, &loaded, &names, NOW_S, error));
    assert_memory_equal(&loaded.serial, &identity.serial, sizeof loaded.serial);
    assert_string_equal(loaded.login_hash, identity.login_hash);
    assert_string_equal(loaded.password_hash, identity.password_hash);
    assert_string_equal(loaded.login, identity.login);
    assert_string_equal(loaded.ap_key, identity.ap_key);
    assert_same(loaded.device_key, identity.device_key);
    assert_same(loaded.device_certificate, identity.device_certificate);
    assert_same(loaded.web_key, identity.web_key);
    assert_same(loaded.web_certificate, identity.web_certificate);
}

static void a_first_start_makes_all_files_for_their_owner_alone(void **unused)
{
    (void)unused;
    mode_t before = umask(0);
    first_start();
    umask(before);
    assert_true(kept);
    assert_int_equal(stat_of(folder).st_mode & 07777, 0700);
    for (size_t i = 0; i < COUNT(files); i++)
        assert_int_equal(stat_of(path_of(files[i])).st_mode & 07777, 0600);
    assert_whole();
    assert_true(opens(identity.login));
    assert_int_equal(empty_folder(), COUNT(files));
}

static void a_second_start_loads_the_same_and_writes_nothing(void **unused)
{
    struct identity before;
    struct stat written[COUNT(files)];
    (void)unused;
    first_start();
    start();
    before = identity;
    for (size_t i = 0; i < COUNT(files); i++)
        written[i] = stat_of(path_of(files[i]));
    start();
    assert_true(kept);
    assert_memory_equal(&identity, &before, sizeof before);
    for (size_t i = 0; i < COUNT(files); i++) {
        struct stat now = stat_of(path_of(files[i]));
        assert_int_equal(now.st_ino, written[i].st_ino);
        assert_memory_equal(&now.st_mtim, &written[i].st_mtim, sizeof now.st_mtim);
    }
}

/* 1970: a box without a clock, before anybody told it the time. */
static void a_start_without_a_clock_is_mended_when_there_is_one(void **unused)
{
    char web_key[CERTIFICATE_PEM_MAX], device_key[CERTIFICATE_PEM_MAX];
    (void)unused;
    assert_true(start_at(0, SERIAL));
    memcpy(web_key, identity.web_key, sizeof web_key);
    memcpy(device_key, identity.device_key, sizeof device_key);
    start();
    assert_whole();
    assert_same(identity.web_key, web_key);
    assert_same(identity.device_key, device_key);
}

/* --- the serial number ------------------------------------------------------------------------ */

static void a_serial_number_has_twelve_hex_digits(void **unused)
{
    static const char *const wrong[] = {"",
                                        "AABBCC11223",
                                        "AABBCC1122334",
                                        "AABBCC11223G",
                                        " ABBCC112233",
                                        "AABBCC112233 ",
                                        "AA:BB:CC:11:22:33",
                                        "0xAABBCC1122",
                                        "1\xC3\x84GBBCC1122"};
    (void)unused;
    assert_true(identity_is_serial("AABBCC112233"));
    assert_true(identity_is_serial("aabbcc112233"));
    assert_true(identity_is_serial("000000000000"));
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(identity_is_serial(wrong[i]));
}

static void a_given_serial_number_is_kept_in_capitals(void **unused)
{
    (void)unused;
    assert_true(identity_load(folder, "aabbcc112233", &identity, &kept));
    assert_true(kept);
    assert_string_equal(identity.serial, "AABBCC112233");
    assert_holds("serial", "AABBCC112233\n");
    assert_true(identity_load(folder, "", &identity, &kept));
    assert_true(kept);
    assert_string_equal(identity.serial, "AABBCC112233");
}

static void what_is_given_goes_before_what_is_kept(void **unused)
{
    (void)unused;
    assert_true(identity_load(folder, "AABBCC112233", &identity, &kept));
    assert_true(identity_load(folder, "AABBCC112244", &identity, &kept));
    assert_string_equal(identity.serial, "AABBCC112244");
    assert_holds("serial", "AABBCC112244\n");
}

/* A number of its own, from the network card or the machine: the same each time. */
static void without_a_given_one_the_machine_has_one(void **unused)
{
    struct identity again;
    (void)unused;
    if (!machine_has_number())
        skip();
    assert_true(identity_load("", "", &identity, &kept));
    assert_false(kept);
    assert_true(identity_is_serial(identity.serial));
    assert_true(identity_load("", "", &again, &kept));
    assert_string_equal(again.serial, identity.serial);
    assert_true(identity_load(folder, "", &again, &kept));
    assert_true(kept);
    assert_string_equal(again.serial, identity.serial);
}

static void a_damaged_serial_number_is_found_anew(void **unused)
{
    static const char *const damaged[] = {"",
                                          "\n",
                                          "AABBCC11223\n",
                                          "AABBCC1122334\n",
                                          "AABBCC11223x\n",
                                          "AABBCC112233 x\n",
                                          "{",
                                          "AABBCC112233\nAABBCC112233\n"};
    struct identity own;
    (void)unused;
    if (!machine_has_number())
        skip();
    assert_true(identity_load("", "", &own, &kept));
    assert_true(atomic_file_make_folder(folder));
    for (size_t i = 0; i < COUNT(damaged); i++) {
        put("serial", damaged[i]);
        assert_true(identity_load(folder, "", &identity, &kept));
        assert_true(kept);
        assert_string_equal(identity.serial, own.serial);
    }
    put("serial", " \n");
    assert_true(identity_load(folder, "AABBCC112233", &identity, &kept));
    assert_holds("serial", "AABBCC112233\n");
}

static void white_space_behind_a_kept_number_does_not_matter(void **unused)
{
    (void)unused;
    assert_true(atomic_file_make_folder(folder));
    put("serial", "AABBCC112233 \r\n\n");
    assert_true(identity_load(folder, "", &identity, &kept));
    assert_string_equal(identity.serial, SERIAL);
}

static void another_serial_number_makes_new_certificates_with_the_old_keys(void **unused)
{
    struct identity before;
    (void)unused;
    first_start();
    before = identity;
    assert_true(start_at(NOW_S, "AABBCC112244"));
    assert_whole();
    assert_same(identity.device_key, before.device_key);
    assert_same(identity.web_key, before.web_key);
    assert_string_not_equal(identity.device_certificate, before.device_certificate);
    assert_string_equal(identity.login, before.login);
}

/* A number that is given each time need not be kept. */
static void a_folder_that_cannot_be_is_told(void **unused)
{
    (void)unused;
    FILE *file = fopen(folder, "w");
    assert_non_null(file);
    fclose(file);
    if (machine_has_number()) {
        assert_true(identity_load(folder, "", &identity, &kept));
        assert_false(kept);
        assert_int_equal(errno, ENOTDIR);
    }
    assert_true(identity_load(folder, SERIAL, &identity, &kept));
    assert_true(kept);
    assert_string_equal(identity.serial, SERIAL);
    assert_false(identity_load_secrets(folder, &identity, &names, NOW_S, error));
    assert_non_null(strstr(error, folder));
    assert_non_null(strstr(error, "Not a directory"));
    assert_null(strchr(error, '\n'));
    assert_int_equal(unlink(folder), 0);
}

/* --- login and label -------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, LOGIN_KEY_LEN + 1);
}

static void the_logins_of_two_thousand_boxes_differ(void **unused)
{
    enum { BOXES = 2000 };
    static char keys[BOXES][LOGIN_KEY_LEN + 1];
    (void)unused;
    for (int i = 0; i < BOXES; i++)
        assert_true(login_make_key(keys[i]));
    qsort(keys, BOXES, sizeof keys[0], compare_keys);
    for (int i = 1; i < BOXES; i++)
        assert_memory_not_equal(keys[i], keys[i - 1], sizeof keys[0]);
}

/* Two boxes of one number share nothing secret, and the number is not in it. */
static void nothing_secret_comes_from_the_serial_number(void **unused)
{
    struct identity before;
    (void)unused;
    first_start();
    before = identity;
    assert_int_equal(empty_folder(), COUNT(files));
    first_start();
    assert_string_equal(identity.serial, before.serial);
    assert_string_not_equal(identity.login, before.login);
    assert_string_not_equal(identity.ap_key, before.ap_key);
    assert_string_not_equal(identity.login, identity.ap_key);
    assert_string_not_equal(identity.login_hash, before.login_hash);
    assert_string_not_equal(identity.device_key, before.device_key);
    assert_string_not_equal(identity.web_key, before.web_key);
    assert_string_not_equal(identity.web_key, identity.device_key);
    for (size_t n = 0; n + 4 <= IDENTITY_SERIAL_LEN; n++) {
        char part[5];
        snprintf(part, sizeof part, "%s", identity.serial + n);
        assert_null(strstr(identity.login, part));
        assert_null(strstr(identity.ap_key, part));
    }
}

static void a_label_says_login_and_access_point_key(void **unused)
{
    char text[100];
    (void)unused;
    first_start();
    snprintf(text, sizeof text, "login %s\nap-key %s\n", identity.login, identity.ap_key);
    assert_holds("label", text);
    size_t length;
    char *hash = get("login", &length);
    assert_null(strstr(hash, identity.login));
    free(hash);
}

static void a_damaged_hash_is_made_anew_from_the_label(void **unused)
{
    static const char *const damaged[] = {
        "",   "\n",  "x",       "$6$abcdefgh$0123456789",          "$y",
        "*0", "$y$", "$y$j8T$", "$y$j8T$x7T8agBrVf9WCkf3KdEJz1$zz"};
    char login[LOGIN_KEY_LEN + 1], ap_key[LOGIN_KEY_LEN + 1];
    (void)unused;
    first_start();
    memcpy(login, identity.login, sizeof login);
    memcpy(ap_key, identity.ap_key, sizeof ap_key);
    for (size_t i = 0; i < COUNT(damaged); i++) {
        put("login", damaged[i]);
        start();
        assert_string_equal(identity.login, login);
        assert_string_equal(identity.ap_key, ap_key);
        assert_true(opens(login));
    }
    assert_int_equal(unlink(path_of("login")), 0);
    start();
    assert_true(opens(login));
    assert_whole();
}

static void a_missing_label_costs_the_access_point_key_only(void **unused)
{
    char text[60];
    struct identity before;
    (void)unused;
    first_start();
    before = identity;
    assert_int_equal(unlink(path_of("label")), 0);
    start();
    assert_string_equal(identity.login, "");
    assert_string_equal(identity.login_hash, before.login_hash);
    assert_true(opens(before.login));
    assert_string_not_equal(identity.ap_key, before.ap_key);
    snprintf(text, sizeof text, "ap-key %s\n", identity.ap_key);
    assert_holds("label", text);
    assert_whole();
}

static void without_hash_and_label_there_is_a_new_login(void **unused)
{
    struct identity before;
    (void)unused;
    first_start();
    before = identity;
    assert_int_equal(unlink(path_of("label")), 0);
    assert_int_equal(unlink(path_of("login")), 0);
    start();
    assert_int_equal(strlen(identity.login), LOGIN_KEY_LEN);
    assert_string_not_equal(identity.login, before.login);
    assert_true(opens(identity.login));
    assert_false(opens(before.login));
    assert_same(identity.web_key, before.web_key);
    assert_whole();
}

static void a_label_is_read_line_by_line(void **unused)
{
    static const struct {
        const char *label, *login, *ap_key; /* NULL: a new one */
    } cases[] = {
        {"ap-key ABCDEFGHIJKL\nlogin MNOPQRSTUVWX\n", "MNOPQRSTUVWX", "ABCDEFGHIJKL"},
        {"ap-key ABCDEFGHIJKL", "", "ABCDEFGHIJKL"},
        {"\n\nap-key ABCDEFGHIJKL\n# login MNOPQRSTUVWX\n", "", "ABCDEFGHIJKL"},
        {"login MNOPQRSTUVWX\nap-key ABCDEFGHIJK\n", "MNOPQRSTUVWX", NULL},
        {"login MNOPQRSTUVWX\nap-key ABCDEFGHIJKLM\n", "MNOPQRSTUVWX", NULL},
        {"login MNOPQRSTUVWX ap-key ABCDEFGHIJKL\n", "", NULL},
        {"xlogin MNOPQRSTUVWX\nap-key: ABCDEFGHIJKL\n", "", NULL},
        {"login \nap-key \n", "", NULL},
    };
    (void)unused;
    first_start();
    for (size_t i = 0; i < COUNT(cases); i++) {
        put("label", cases[i].label);
        start();
        assert_string_equal(identity.login, cases[i].login);
        assert_int_equal(strlen(identity.ap_key), LOGIN_KEY_LEN);
        if (cases[i].ap_key)
            assert_string_equal(identity.ap_key, cases[i].ap_key);
    }
}

static void a_login_that_is_forgotten_still_opens(void **unused)
{
    char text[60];
    struct identity before;
    (void)unused;
    first_start();
    before = identity;
    assert_true(identity_forget_login(folder, &identity));
    assert_string_equal(identity.login, "");
    snprintf(text, sizeof text, "ap-key %s\n", before.ap_key);
    assert_holds("label", text);
    start();
    assert_string_equal(identity.login, "");
    assert_string_equal(identity.ap_key, before.ap_key);
    assert_true(opens(before.login));
    assert_whole();
    assert_true(identity_forget_login(folder, &identity));
}

static void a_login_that_cannot_be_forgotten_is_told(void **unused)
{
    (void)unused;
    first_start();
    empty_folder();
    assert_int_equal(rmdir(folder), 0);
    assert_false(identity_forget_login(folder, &identity));
    assert_int_equal(errno, ENOENT);
}

/* --- the owner's own password ----------------------------------------------------------------- */

static void the_owners_password_opens_in_place_of_the_labels(void **unused)
{
    char hash[LOGIN_HASH_MAX], login[LOGIN_KEY_LEN + 1];
    (void)unused;
    first_start();
    memcpy(login, identity.login, sizeof login);
    assert_true(login_hash("correct horse", hash));
    assert_true(identity_keep_password(folder, hash));
    assert_int_equal(stat_of(path_of("password")).st_mode & 07777, 0600);
    start();
    assert_true(opens("correct horse"));
    assert_false(opens(login));
    assert_string_equal(identity.login, login); /* the label stays as it is printed */
    assert_true(identity_keep_password(folder, ""));
    start();
    assert_true(opens(login));
    assert_false(opens("correct horse"));
    assert_true(identity_keep_password(folder, "")); /* not there any more: as good */
}

static void a_damaged_password_leaves_the_labels(void **unused)
{
    static const char *const damaged[] = {
        "", "\n", "x", "$6$abcdefgh$0123456789", "$y$", "$y$j8T$x7T8agBrVf9WCkf3KdEJz1$zz"};
    (void)unused;
    first_start();
    for (size_t i = 0; i < COUNT(damaged); i++) {
        put("password", damaged[i]);
        start();
        assert_true(opens(identity.login));
    }
}

/* --- the owner's own identity to a broker ----------------------------------------------------- */

#define MQTT_FILE "mqtt-identity.pem"

static char own_key[CERTIFICATE_PEM_MAX], own_certificate[CERTIFICATE_PEM_MAX];

/* As certificate_make() writes both, which is their usual form. */
static void bring_own(void)
{
    struct certificate_request request = {.common_name = "owner", .now_s = NOW_S, .valid_days = 1};
    assert_true(certificate_make_key(own_key));
    assert_true(certificate_make(own_key, &request, own_certificate));
    assert_true(identity_keep_mqtt(folder, own_key, own_certificate));
}

static void assert_shown(const char *key, const char *certificate)
{
    assert_string_equal(identity_mqtt_key(&identity), key);
    assert_string_equal(identity_mqtt_certificate(&identity), certificate);
}

static void the_owners_certificate_is_shown_in_place_of_the_devices(void **unused)
{
    (void)unused;
    first_start();
    assert_shown(identity.device_key, identity.device_certificate);
    bring_own();
    assert_int_equal(stat_of(path_of(MQTT_FILE)).st_mode & 07777, 0600);
    start();
    assert_shown(own_key, own_certificate);
    assert_whole(); /* the device's own is still there */
    bring_own();
    start();
    assert_shown(own_key, own_certificate);
    put(MQTT_FILE ".damaged", "x");
    assert_true(identity_keep_mqtt(folder, "", ""));
    start();
    assert_shown(identity.device_key, identity.device_certificate);
    assert_true(identity_keep_mqtt(folder, "", "")); /* not there any more: as good */
    assert_int_equal(empty_folder(), COUNT(files));
}

/* Cut between any two lines, a bit of the key flipped, the key of another, all the wrong way round, far too long. */
static void a_damaged_certificate_of_the_owner_is_set_aside(void **unused)
{
    static char damaged[40][4 * CERTIFICATE_PEM_MAX];
    char whole[2 * CERTIFICATE_PEM_MAX];
    size_t n = 0;
    (void)unused;
    first_start();
    bring_own();
    snprintf(whole, sizeof whole, "%s%s", own_key, own_certificate);
    for (const char *at = whole; *at; at = strchr(at, '\n') + 1)
        snprintf(damaged[n++], sizeof damaged[0], "%.*s", (int)(at - whole), whole);
    snprintf(damaged[n], sizeof damaged[0], "%s", whole);
    damaged[n++][100] ^= 1;
    snprintf(damaged[n++], sizeof damaged[0], "%s%s", identity.device_key, own_certificate);
    snprintf(damaged[n++], sizeof damaged[0], "%s%s", own_certificate, own_key);
    memset(damaged[n], 'x', BROKER_TLS_IDENTITY_MAX + 10);
    strncpy(damaged[n] + BROKER_TLS_IDENTITY_MAX, own_certificate, CERTIFICATE_PEM_MAX);
    n++;
    assert_in_range(n, 15, COUNT(damaged));
    for (size_t i = 0; i < n; i++) {
        put(MQTT_FILE, damaged[i]);
        start();
        assert_shown(identity.device_key, identity.device_certificate);
        assert_holds(MQTT_FILE ".damaged", damaged[i]);
        assert_int_not_equal(access(path_of(MQTT_FILE), F_OK), 0);
        start();
        assert_shown(identity.device_key, identity.device_certificate);
    }
}

static void a_certificate_that_cannot_be_kept_is_told(void **unused)
{
    (void)unused;
    first_start();
    assert_int_equal(mkdir(path_of(MQTT_FILE ".new"), 0700), 0);
    assert_false(identity_keep_mqtt(folder, "key", "certificate"));
    assert_int_not_equal(access(path_of(MQTT_FILE), F_OK), 0);
}

/* --- certificates ----------------------------------------------------------------------------- */

static gnutls_x509_crt_t open_pem(char *pem)
{
    gnutls_x509_crt_t certificate;
    gnutls_datum_t text = {(unsigned char *)pem, (unsigned)strlen(pem)};
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM), 0);
    return certificate;
}

static void assert_says(char *pem, const char *purpose, int64_t days)
{
    char name[64], oid[64];
    size_t name_length = sizeof name, oid_length = sizeof oid;
    gnutls_x509_crt_t c = open_pem(pem);
    assert_int_equal(
        gnutls_x509_crt_get_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &name_length), 0);
    assert_string_equal(name, SERIAL);
    assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(c, 0, oid, &oid_length, NULL), 0);
    assert_string_equal(oid, purpose);
    assert_int_equal(gnutls_x509_crt_get_expiration_time(c), NOW_S + days * DAY_S);
    gnutls_x509_crt_deinit(c);
}

static void the_device_certificate_says_the_serial_number(void **unused)
{
    char san[100];
    size_t length = sizeof san;
    (void)unused;
    first_start();
    assert_says(identity.device_certificate, GNUTLS_KP_TLS_WWW_CLIENT, INT64_C(20) * 365);
    gnutls_x509_crt_t c = open_pem(identity.device_certificate);
    assert_int_equal(gnutls_x509_crt_get_subject_alt_name(c, 0, san, &length, NULL),
                     GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
    gnutls_x509_crt_deinit(c);
}

static void the_web_certificate_has_all_names(void **unused)
{
    static const char *const wanted[] = {"smart-connect",
                                         "smart-connect.local",
                                         "smart-connect-aabbcc112233",
                                         "smart-connect-aabbcc112233.local",
                                         "meterbox",
                                         "meterbox.local",
                                         "localhost",
                                         "127.0.0.1",
                                         "::1",
                                         "192.0.2.5",
                                         "2001:db8::5"};
    (void)unused;
    first_start();
    assert_says(identity.web_certificate, GNUTLS_KP_TLS_WWW_SERVER, IDENTITY_WEB_DAYS);
    gnutls_x509_crt_t c = open_pem(identity.web_certificate);
    for (size_t i = 0; i < COUNT(wanted); i++)
        if (!gnutls_x509_crt_check_hostname(c, wanted[i]))
            fail_msg("%s is missing", wanted[i]);
    assert_false(gnutls_x509_crt_check_hostname(c, "192.0.2.6"));
    assert_int_equal(names.count, COUNT(wanted));
    gnutls_x509_crt_deinit(c);
}

static void further_names_come_from_a_list(void **unused)
{
    static const struct host_net none;
    struct certificate_names n;
    (void)unused;
    identity_names(&identity, &none, ", Box.example ,192.0.2.9,, not_a_name, ::1,", &n);
    assert_true(certificate_names_have(&n, "box.example"));
    assert_true(certificate_names_have(&n, "192.0.2.9"));
    assert_false(certificate_names_have(&n, ".local"));
    assert_int_equal(n.count, 7 + 2);
}

/* More than a certificate has room for: those of the box itself are there in any case. */
static void too_many_names_are_left_out(void **unused)
{
    struct host_net net = {.host_name =
                               "012345678901234567890123456789012345678901234567890123456789"
                               "012",
                           .address_count = HOST_NET_ADDRESSES};
    struct certificate_names n;
    char list[CERTIFICATE_NAME_MAX * 3];
    (void)unused;
    for (int i = 0; i < HOST_NET_ADDRESSES; i++)
        snprintf(net.address[i], ADDRESS_TEXT_MAX, "2001:db8::%x", i + 1);
    memset(list, 'n', sizeof list); /* one name, that is too long */
    list[sizeof list - 1] = 0;
    identity_names(&identity, &net, list, &n);
    assert_true(n.count <= CERTIFICATE_NAMES_MAX);
    assert_true(certificate_names_have(&n, "smart-connect.local"));
    assert_true(certificate_names_have(&n, "localhost"));
    assert_true(certificate_names_have(&n, net.host_name));
    assert_true(certificate_names_have(&n, "2001:db8::1"));
    assert_false(certificate_names_have(&n, list));
}

static void renew(int64_t now_s, bool expected)
{
    bool renewed = !expected;
    assert_true(identity_renew_web(folder, &identity, &names, now_s, &renewed));
    assert_int_equal(renewed, expected);
}

static void without_a_clock_dates_say_nothing(void **unused)
{
    char before[CERTIFICATE_PEM_MAX];
    (void)unused;
    first_start();
    memcpy(before, identity.web_certificate, sizeof before);
    assert_true(start_at(READING_NO_TIME, ""));
    assert_same(identity.web_certificate, before);
}

static void what_was_made_without_a_clock_is_renewed_with_one(void **unused)
{
    (void)unused;
    assert_true(start_at(READING_NO_TIME, SERIAL));
    assert_true(start_at(READING_NO_TIME, ""));
    renew(READING_NO_TIME, false);
    renew(NOW_S, true);
    renew(NOW_S, false);
}

static void other_names_make_a_new_certificate_with_the_same_key(void **unused)
{
    struct identity before;
    (void)unused;
    first_start();
    start();
    before = identity;
    renew(NOW_S, false);
    assert_memory_equal(&identity, &before, sizeof identity);
    assert_true(certificate_names_add(&names, "192.0.2.77"));
    renew(NOW_S, true);
    assert_same(identity.web_key, before.web_key);
    assert_string_not_equal(identity.web_certificate, before.web_certificate);
    assert_whole();
    renew(NOW_S, false);
    names.count--; /* an address that went: the certificate may keep it */
    renew(NOW_S, false);
    assert_same(identity.device_certificate, before.device_certificate);
}

static void a_certificate_is_renewed_a_month_before_its_end(void **unused)
{
    const int64_t month_before_s =
        NOW_S + (int64_t)(IDENTITY_WEB_DAYS - IDENTITY_WEB_MARGIN_DAYS) * DAY_S;
    struct identity before;
    (void)unused;
    first_start();
    before = identity;
    renew(month_before_s - 1, false);
    renew(month_before_s, true);
    assert_same(identity.web_key, before.web_key);
    assert_same(identity.device_certificate, before.device_certificate);
}

/* The key is what clients remember and what a broker knows the box by. */
static void a_certificate_that_cannot_be_written_costs_no_key(void **unused)
{
    static const char *const pairs[][2] = {{"web.key", "web.crt"}, {"device.key", "device.crt"}};
    (void)unused;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        size_t length;
        first_start();
        char *key = get(pairs[i][0], &length);
        assert_int_equal(unlink(path_of(pairs[i][1])), 0);
        assert_int_equal(mkdir(path_of(pairs[i][1]), 0700), 0);
        assert_false(start_at(NOW_S, ""));
        assert_non_null(strstr(error, "Is a directory"));
        assert_holds(pairs[i][0], key);
        assert_int_equal(rmdir(path_of(pairs[i][1])), 0);
        start();
        assert_holds(pairs[i][0], key);
        assert_whole();
        free(key);
    }
}

/* --- damage ----------------------------------------------------------------------------------- */

/* Whatever happened to one file, the box starts, and is whole from then on. */
static void assert_mended(const char *name, const char *damage)
{
    if (!start_at(NOW_S, machine_has_number() ? "" : SERIAL))
        fail_msg("%s %s: %s", name, damage, error);
    assert_whole();
    if (identity.login[0] && strcmp(name, "label") != 0 && !opens(identity.login))
        fail_msg("%s %s: the label's login does not open", name, damage);
}

static void a_file_that_was_cut_is_made_good(void **unused)
{
    (void)unused;
    first_start();
    for (size_t i = 0; i < COUNT(files); i++) {
        size_t length;
        char *bytes = get(files[i], &length);
        const size_t cuts[] = {0, 1, length / 2, length - 2};
        for (size_t k = 0; k < COUNT(cuts); k++) {
            put_bytes(files[i], bytes, cuts[k]);
            assert_mended(files[i], "cut");
        }
        free(bytes);
    }
}

static void a_file_of_other_bytes_is_made_good(void **unused)
{
    static const unsigned char fills[] = {0, 0xFF, 'A', '\n', '-'};
    static const size_t lengths[] = {1, 300, 4096, 4097, 9000};
    static unsigned char noise[FILE_MAX];
    (void)unused;
    first_start();
    for (size_t i = 0; i < COUNT(files); i++)
        for (size_t k = 0; k < COUNT(fills); k++) {
            memset(noise, fills[k], sizeof noise);
            put_bytes(files[i], noise, lengths[k]);
            assert_mended(files[i], "filled");
        }
}

static void a_file_with_one_byte_changed_is_made_good(void **unused)
{
    (void)unused;
    first_start();
    for (size_t i = 0; i < COUNT(files); i++) {
        size_t length;
        char *bytes = get(files[i], &length);
        for (size_t at = 0; at < length; at += 1 + length / 4) {
            char before = bytes[at];
            bytes[at] = (char)(before ^ 0x80);
            put_bytes(files[i], bytes, length);
            if (!start_at(NOW_S, machine_has_number() ? "" : SERIAL))
                fail_msg("%s at %zu: %s", files[i], at, error);
            bytes[at] = before;
        }
        free(bytes);
    }
}

static void keys_that_changed_places_are_used_where_they_are(void **unused)
{
    struct identity before;
    (void)unused;
    first_start();
    before = identity;
    put("web.key", before.device_key);
    start();
    assert_same(identity.web_key, before.device_key);
    assert_whole();
    put("web.crt", before.device_certificate);
    start();
    assert_whole();
}

static void nothing_is_left_after_wiping(void **unused)
{
    static const struct identity nothing;
    (void)unused;
    first_start();
    bring_own();
    start();
    identity_wipe(&identity);
    assert_memory_equal(&identity, &nothing, sizeof nothing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_test_folder, remove_test_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_clock_dates_say_nothing),
        TEST(what_was_made_without_a_clock_is_renewed_with_one),
        TEST(a_first_start_makes_all_files_for_their_owner_alone),
        TEST(a_second_start_loads_the_same_and_writes_nothing),
        TEST(a_start_without_a_clock_is_mended_when_there_is_one),
        TEST(a_serial_number_has_twelve_hex_digits),
        TEST(a_given_serial_number_is_kept_in_capitals),
        TEST(what_is_given_goes_before_what_is_kept),
        TEST(without_a_given_one_the_machine_has_one),
        TEST(a_damaged_serial_number_is_found_anew),
        TEST(white_space_behind_a_kept_number_does_not_matter),
        TEST(another_serial_number_makes_new_certificates_with_the_old_keys),
        TEST(a_folder_that_cannot_be_is_told),
        TEST(the_logins_of_two_thousand_boxes_differ),
        TEST(nothing_secret_comes_from_the_serial_number),
        TEST(a_label_says_login_and_access_point_key),
        TEST(a_damaged_hash_is_made_anew_from_the_label),
        TEST(a_missing_label_costs_the_access_point_key_only),
        TEST(without_hash_and_label_there_is_a_new_login),
        TEST(a_label_is_read_line_by_line),
        TEST(a_login_that_is_forgotten_still_opens),
        TEST(a_login_that_cannot_be_forgotten_is_told),
        TEST(the_owners_password_opens_in_place_of_the_labels),
        TEST(a_damaged_password_leaves_the_labels),
        TEST(the_owners_certificate_is_shown_in_place_of_the_devices),
        TEST(a_damaged_certificate_of_the_owner_is_set_aside),
        TEST(a_certificate_that_cannot_be_kept_is_told),
        TEST(the_device_certificate_says_the_serial_number),
        TEST(the_web_certificate_has_all_names),
        TEST(further_names_come_from_a_list),
        TEST(too_many_names_are_left_out),
        TEST(other_names_make_a_new_certificate_with_the_same_key),
        TEST(a_certificate_is_renewed_a_month_before_its_end),
        TEST(a_certificate_that_cannot_be_written_costs_no_key),
        TEST(a_file_that_was_cut_is_made_good),
        TEST(a_file_of_other_bytes_is_made_good),
        TEST(a_file_with_one_byte_changed_is_made_good),
        TEST(keys_that_changed_places_are_used_where_they_are),
        TEST(nothing_is_left_after_wiping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
