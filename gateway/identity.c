#include "identity.h"

#include "atomic_file.h"
#include "core/reading.h"
#include "core/text_out.h"
#include "heap.h"
#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#define MQTT_FILE "mqtt-identity.pem"
#define MQTT_DAMAGED_FILE MQTT_FILE ".damaged"

enum {
    SMALL_FILE_MAX = 4096,
    MQTT_FILE_MAX = 2 * BROKER_TLS_IDENTITY_MAX,
    DEVICE_DAYS = 20 * 365,
    NO_CLOCK_S = 1735689600 /* 2025-01-01: when a certificate begins that is made without a clock */
};

/* Made once at random for this product; see sd_id128_get_machine_app_specific(3). */
#define APPLICATION_ID SD_ID128_MAKE(4b, 6e, 1d, 0c, 91, 5f, 4a, 7d, a8, 36, 2f, c7, 0e, 58, b3, 19)

void identity_ssid(const struct identity *id, char ssid[static IDENTITY_SSID_MAX])
{
    snprintf(ssid, IDENTITY_SSID_MAX, "SC-%s", id->serial);
}

bool identity_is_serial(const char *text)
{
    size_t n = strspn(text, "0123456789ABCDEFabcdef");
    return n == IDENTITY_SERIAL_LEN && text[n] == 0;
}

/* --- serial number ---------------------------------------------------------------------------- */

/* Copies a small file's content without white space at its end.  False: it is missing, too long, or heap_is_short(). */
static bool read_text(const char *state_dir, const char *name, char *text, size_t capacity)
{
    size_t n = 0;
    char *bytes = atomic_file_read(state_dir, name, SMALL_FILE_MAX, &n);
    while (bytes && n && isspace((unsigned char)bytes[n - 1]))
        n--;
    bool ok = bytes && n < capacity;
    if (bytes)
        errno = ok ? 0 : EFBIG;
    if (ok) {
        memcpy(text, bytes, n);
        text[n] = 0;
    }
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
    return ok;
}

static bool write_text(const char *state_dir, const char *name, const char *text)
{
    return atomic_file_write(state_dir, name, text, strlen(text));
}

static bool load_kept(const char *state_dir, struct identity *id)
{
    char line[64];
    if (!read_text(state_dir, "serial", line, sizeof line))
        return false;
    if (!identity_is_serial(line)) {
        log_warning("identity", "%s/serial holds no serial number; making one anew", state_dir);
        return false;
    }
    memcpy(id->serial, line, sizeof id->serial);
    return true;
}

static bool from_network_card(struct identity *id)
{
    size_t n = 0;
    for (const char *p = id->mac; *p; p++)
        if (*p != ':')
            id->serial[n++] = *p;
    id->serial[n] = 0;
    return n == IDENTITY_SERIAL_LEN;
}

static bool from_machine_id(struct identity *id)
{
    sd_id128_t made;
    if (sd_id128_get_machine_app_specific(APPLICATION_ID, &made) < 0)
        return false;
    for (int i = 0; i < IDENTITY_SERIAL_LEN / 2; i++)
        snprintf(id->serial + 2 * i, 3, "%02X", made.bytes[i]);
    return true;
}

static bool keep_serial(const char *state_dir, const struct identity *id)
{
    char line[IDENTITY_SERIAL_LEN + 2];
    snprintf(line, sizeof line, "%s\n", id->serial);
    return atomic_file_make_folder(state_dir) && write_text(state_dir, "serial", line);
}

static bool use_given(const char *given, struct identity *id)
{
    if (given[0] == 0)
        return false;
    for (size_t i = 0; i < sizeof id->serial; i++)
        id->serial[i] = (char)toupper((unsigned char)given[i]);
    return true;
}

/* A number that is given each time need not be kept; it is written all the same, for `label`, when it is another. */
static bool load_given(const char *state_dir, struct identity *id)
{
    struct identity kept = {0};
    bool same = state_dir[0] && load_kept(state_dir, &kept) && strcmp(kept.serial, id->serial) == 0;
    if (state_dir[0] && !same && !keep_serial(state_dir, id))
        log_warning("identity", "%s/serial: %s", state_dir, strerror(errno));
    return true;
}

bool identity_load(const char *state_dir, const char *given, struct identity *id, bool *kept)
{
    memset(id, 0, sizeof *id);
    (void)host_net_mac(id->mac);
    errno = 0;
    *kept =
        use_given(given, id) ? load_given(state_dir, id) : state_dir[0] && load_kept(state_dir, id);
    if (*kept)
        return true;
    if (state_dir[0] && heap_is_short())
        return false;
    if (!from_network_card(id) && !from_machine_id(id))
        return false;
    *kept = state_dir[0] && keep_serial(state_dir, id);
    return true;
}

/* --- login and label -------------------------------------------------------------------------- */

/* The value behind "NAME " on a line of its own; a key of that length, or nothing. */
static void find_key(const char *text, const char *name, char key[static LOGIN_KEY_LEN + 1])
{
    size_t n = strlen(name);
    key[0] = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ' ' &&
            strcspn(line + n + 1, "\n") == LOGIN_KEY_LEN &&
            strspn(line + n + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == LOGIN_KEY_LEN) {
            memcpy(key, line + n + 1, LOGIN_KEY_LEN);
            key[LOGIN_KEY_LEN] = 0;
        }
    }
}

static bool load_label(const char *state_dir, struct identity *id)
{
    char text[SMALL_FILE_MAX] = "";
    if (!read_text(state_dir, "label", text, sizeof text) && heap_is_short())
        return false;
    find_key(text, "login", id->login);
    find_key(text, "ap-key", id->ap_key);
    explicit_bzero(text, sizeof text);
    return true;
}

static bool keep_label(const char *state_dir, const struct identity *id)
{
    char text[128];
    struct text_out out;
    text_init(&out, text, sizeof text);
    if (id->login[0]) {
        text_put(&out, "login ");
        text_put(&out, id->login);
        text_char(&out, '\n');
    }
    text_put(&out, "ap-key ");
    text_put(&out, id->ap_key);
    text_char(&out, '\n');
    bool ok = write_text(state_dir, "label", text);
    explicit_bzero(text, sizeof text);
    return ok;
}

bool identity_forget_login(const char *state_dir, struct identity *id)
{
    explicit_bzero(id->login, sizeof id->login);
    return keep_label(state_dir, id);
}

/* A box without a usable hash gets it from its label, and a new login where the label has none. */
static bool complete_login(const char *state_dir, struct identity *id)
{
    char line[LOGIN_HASH_MAX + 1];
    bool has_hash = read_text(state_dir, "login", id->login_hash, sizeof id->login_hash) &&
                    login_is_hash(id->login_hash);
    if ((!has_hash && heap_is_short()) || !load_label(state_dir, id))
        return false;
    bool label_is_whole = id->ap_key[0] && (has_hash || id->login[0]);
    if (id->ap_key[0] == 0 && !login_make_key(id->ap_key))
        return false;
    if (!has_hash && id->login[0] == 0 && !login_make_key(id->login))
        return false;
    if (!label_is_whole && !keep_label(state_dir, id))
        return false;
    if (has_hash)
        return true;
    if (!login_hash(id->login, id->login_hash)) {
        errno = ENOMEM;
        return false;
    }
    snprintf(line, sizeof line, "%s\n", id->login_hash);
    return write_text(state_dir, "login", line);
}

/* --- certificates ----------------------------------------------------------------------------- */

/* Files and wishes of one key and certificate. */
struct pair {
    const char *key_name, *certificate_name;
    char *key, *certificate; /* CERTIFICATE_PEM_MAX each */
    struct certificate_request request;
};

static bool make_certificate(const struct pair *p)
{
    return certificate_make(p->key, &p->request, p->certificate);
}

/* Without a clock dates say nothing. */
static bool does(const struct pair *p)
{
    enum certificate_state state =
        certificate_check(p->key, p->certificate, &p->request, IDENTITY_WEB_MARGIN_DAYS);
    return state == CERTIFICATE_GOOD ||
           (state == CERTIFICATE_ENDING && p->request.now_s == NO_CLOCK_S);
}

/* As read_text(), and not short. */
static bool read_pem(const char *state_dir, const char *name, char *pem, bool *is_there)
{
    *is_there = read_text(state_dir, name, pem, CERTIFICATE_PEM_MAX);
    if (!*is_there)
        pem[0] = 0;
    return *is_there || !heap_is_short();
}

/* A usable key stays, also if its certificate cannot be written; a certificate that does not do is made anew.  Neither
 * because there was too little memory to look at it. */
static bool complete_pair(const char *state_dir, const struct pair *p, bool *renewed)
{
    bool has_key, has_certificate;
    *renewed = false;
    if (!read_pem(state_dir, p->key_name, p->key, &has_key) ||
        !read_pem(state_dir, p->certificate_name, p->certificate, &has_certificate))
        return false;
    errno = 0;
    if (has_key && has_certificate && does(p))
        return true;
    if (heap_is_short())
        return false;
    *renewed = true;
    if (has_key && make_certificate(p))
        return write_text(state_dir, p->certificate_name, p->certificate);
    if (heap_is_short())
        return false;
    if (!certificate_make_key(p->key) || !make_certificate(p)) {
        errno = EINVAL;
        return false;
    }
    return write_text(state_dir, p->key_name, p->key) &&
           write_text(state_dir, p->certificate_name, p->certificate);
}

static struct pair device_pair(struct identity *id, int64_t now_s)
{
    return (struct pair){"device.key",
                         "device.crt",
                         id->device_key,
                         id->device_certificate,
                         {.common_name = id->serial,
                          .now_s = now_s == READING_NO_TIME ? NO_CLOCK_S : now_s,
                          .valid_days = DEVICE_DAYS}};
}

static struct pair web_pair(struct identity *id, const struct certificate_names *names,
                            int64_t now_s)
{
    return (struct pair){"web.key",
                         "web.crt",
                         id->web_key,
                         id->web_certificate,
                         {.common_name = id->serial,
                          .names = names,
                          .now_s = now_s == READING_NO_TIME ? NO_CLOCK_S : now_s,
                          .valid_days = IDENTITY_WEB_DAYS,
                          .for_server = true}};
}

bool identity_renew_web(const char *state_dir, struct identity *id,
                        const struct certificate_names *names, int64_t now_s, bool *renewed)
{
    const struct pair web = web_pair(id, names, now_s);
    return complete_pair(state_dir, &web, renewed);
}

const char *identity_hash(const struct identity *id)
{
    return id->password_hash[0] ? id->password_hash : id->login_hash;
}

bool identity_keep_password(const char *state_dir, const char *hash)
{
    char line[LOGIN_HASH_MAX + 1];
    snprintf(line, sizeof line, "%s\n", hash);
    return atomic_file_change(state_dir, "password", hash[0] ? line : NULL, strlen(line),
                              SMALL_FILE_MAX);
}

/* A hash that cannot be used opens to nobody: then the label's does, which its owner has. */
static bool load_password(const char *state_dir, struct identity *id)
{
    if (!read_text(state_dir, "password", id->password_hash, sizeof id->password_hash))
        return !heap_is_short();
    if (!login_is_hash(id->password_hash)) {
        log_warning("identity", "%s/password holds no password: the label's opens", state_dir);
        id->password_hash[0] = 0;
    }
    return true;
}

/* --- the owner's own identity to a broker ----------------------------------------------------- */

const char *identity_mqtt_key(const struct identity *id)
{
    return id->mqtt_certificate[0] ? id->mqtt_key : id->device_key;
}

const char *identity_mqtt_certificate(const struct identity *id)
{
    return id->mqtt_certificate[0] ? id->mqtt_certificate : id->device_certificate;
}

bool identity_keep_mqtt(const char *state_dir, const char *key, const char *certificate)
{
    char text[MQTT_FILE_MAX];
    if (certificate[0] == 0)
        return atomic_file_remove(state_dir, MQTT_DAMAGED_FILE) &&
               atomic_file_change(state_dir, MQTT_FILE, NULL, 0, MQTT_FILE_MAX);
    int length = snprintf(text, sizeof text, "%s%s", key, certificate);
    bool ok = atomic_file_change(state_dir, MQTT_FILE, text, (size_t)length, MQTT_FILE_MAX);
    explicit_bzero(text, sizeof text);
    return ok;
}

/* The key ends where the first certificate begins.  False: `error` says what cannot be used. */
static bool split_mqtt(const char *text, struct identity *id,
                       char error[static BROKER_TLS_ERROR_MAX])
{
    bool of_key;
    const char *certificate = strstr(text, "-----BEGIN CERTIFICATE-----");
    size_t key_length = certificate ? (size_t)(certificate - text) : strlen(text);
    if (!certificate || key_length >= sizeof id->mqtt_key ||
        strlen(certificate) >= sizeof id->mqtt_certificate) {
        snprintf(error, BROKER_TLS_ERROR_MAX, "it is not a key with a certificate behind it");
        return false;
    }
    memcpy(id->mqtt_key, text, key_length);
    id->mqtt_key[key_length] = 0;
    snprintf(id->mqtt_certificate, sizeof id->mqtt_certificate, "%s", certificate);
    return broker_tls_check_identity(id->mqtt_certificate, id->mqtt_key, &of_key, error);
}

static void wipe_mqtt(struct identity *id)
{
    explicit_bzero(id->mqtt_key, sizeof id->mqtt_key);
    explicit_bzero(id->mqtt_certificate, sizeof id->mqtt_certificate);
}

/* A file that cannot be used costs the owner's identity, not the start: the device's is there. */
static bool load_mqtt(const char *state_dir, struct identity *id)
{
    char error[BROKER_TLS_ERROR_MAX];
    size_t length = 0;
    char *text = atomic_file_read(state_dir, MQTT_FILE, MQTT_FILE_MAX, &length);
    bool missing = !text && errno == ENOENT;
    snprintf(error, sizeof error, "%s", strerror(errno));
    errno = missing || text ? 0 : errno;
    wipe_mqtt(id);
    bool damaged = !missing && (!text || !split_mqtt(text, id, error)), is_short = heap_is_short();
    if (damaged)
        wipe_mqtt(id);
    if (damaged && !is_short) {
        (void)atomic_file_set_aside(state_dir, MQTT_FILE, MQTT_DAMAGED_FILE);
        log_warning("identity",
                    "%s/" MQTT_FILE " cannot be used: %s; it is kept as " MQTT_DAMAGED_FILE
                    ", and the device's certificate is shown to brokers",
                    state_dir, error);
    }
    if (text)
        explicit_bzero(text, length);
    free(text);
    if (is_short)
        errno = ENOMEM;
    return !is_short;
}

bool identity_load_secrets(const char *state_dir, struct identity *id,
                           const struct certificate_names *names, int64_t now_s,
                           char error[static IDENTITY_ERROR_MAX])
{
    bool renewed;
    const struct pair device = device_pair(id, now_s), web = web_pair(id, names, now_s);
    if (load_password(state_dir, id) && atomic_file_make_folder(state_dir) &&
        complete_login(state_dir, id) && complete_pair(state_dir, &device, &renewed) &&
        complete_pair(state_dir, &web, &renewed) && load_mqtt(state_dir, id))
        return true;
    snprintf(error, IDENTITY_ERROR_MAX, "%.200s: %s; the identity cannot be kept there", state_dir,
             strerror(errno));
    return false;
}

static void add_list(struct certificate_names *names, const char *list)
{
    char name[CERTIFICATE_NAME_MAX];
    for (const char *at = list + strspn(list, ", "); *at;) {
        size_t n = strcspn(at, ", ");
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        certificate_names_add(names, name);
        at += n + strspn(at + n, ", ");
    }
}

void identity_names(const struct identity *id, const struct host_net *net, const char *more,
                    struct certificate_names *names)
{
    char name[CERTIFICATE_NAME_MAX];
    memset(names, 0, sizeof *names);
    certificate_names_add(names, "smart-connect.local");
    certificate_names_add(names, "smart-connect");
    snprintf(name, sizeof name, "smart-connect-%s", id->serial);
    certificate_names_add(names, name);
    snprintf(name, sizeof name, "smart-connect-%s.local", id->serial);
    certificate_names_add(names, name);
    certificate_names_add(names, net->host_name);
    snprintf(name, sizeof name, "%.50s.local", net->host_name);
    certificate_names_add(names, name);
    certificate_names_add(names, "localhost");
    certificate_names_add(names, "127.0.0.1");
    certificate_names_add(names, "::1");
    add_list(names, more);
    for (size_t i = 0; i < net->address_count; i++)
        certificate_names_add(names, net->address[i]);
}

void identity_wipe(struct identity *id)
{
    explicit_bzero(id, sizeof *id);
}
