/* read_state.c - reads state folders as the gateway does when it starts, many of them in a second.
 *
 * "FOLDER\tPASSWORD" a line on standard input, a JSON object a line on standard output: what was found in it, or made
 * anew, and whether the password opens.
 */
#include "atomic_file.h"
#include "http_auth.h"
#include "identity.h"
#include "options.h"
#include "settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool load_identity(const char *folder, struct identity *id)
{
    struct host_net net;
    struct certificate_names names;
    char error[IDENTITY_ERROR_MAX];
    bool kept = false;
    if (!identity_load(folder, "", id, &kept) || !kept) {
        fprintf(stderr, "%s: the serial number is not kept: %s\n", folder, strerror(errno));
        return false;
    }
    host_net_read(&net);
    identity_names(id, &net, "", &names);
    if (identity_load_secrets(folder, id, &names, (int64_t)time(NULL), error))
        return true;
    fprintf(stderr, "%s\n", error);
    return false;
}

/* What was asked last: a hash takes long, and most folders have the same. */
struct last_check {
    char password[LOGIN_PASSWORD_MAX + 1], hash[LOGIN_HASH_MAX];
    bool fits;
};

static bool fits(struct last_check *last, const char *password, const char *hash)
{
    if (strcmp(last->password, password) != 0 || strcmp(last->hash, hash) != 0) {
        snprintf(last->password, sizeof last->password, "%s", password);
        snprintf(last->hash, sizeof last->hash, "%s", hash);
        last->fits = login_check(password, strlen(password), hash);
    }
    return last->fits;
}

/* Seconds that 127.0.0.1 is locked. */
static int64_t locked_s(const char *folder, struct loop *l, const char *hash)
{
    static struct auth auth;
    struct sockaddr_storage address = {.ss_family = AF_INET};
    ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!auth_init(&auth, l, folder, "", hash))
        return -1;
    int64_t ms = throttle_locked_ms(&auth.throttle, &address, l->now_ms);
    auth_close(&auth);
    return ms / 1000;
}

/* The user's settings as they are stored; a new reference. */
static json_t *stored_settings(const struct config *c)
{
    char *text = config_file_text(c);
    json_t *root = text ? json_loads(text, 0, NULL) : NULL;
    json_t *settings = json_incref(json_object_get(root, "Settings"));
    free(text);
    json_decref(root);
    return settings;
}

static json_t *identity_json(const struct identity *id)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "serial", id->serial, "login",
                     id->login, "login_hash", id->login_hash, "password_hash", id->password_hash,
                     "ap_key", id->ap_key, "device_key", id->device_key, "device_certificate",
                     id->device_certificate, "web_key", id->web_key, "web_certificate",
                     id->web_certificate);
}

/* Twice: what was made anew must be kept. */
static json_t *read_folder(const char *folder, const char *password)
{
    static struct last_check of_label, of_owner;
    static struct identity first, again;
    static struct settings settings;
    struct loop l = {.now_ms = loop_clock_ms()};
    struct options options;
    struct config defaults;
    bool good = load_identity(folder, &first) && load_identity(folder, &again);
    options_defaults(&options);
    config_defaults(&defaults, &options);
    good = settings_load(&settings, &l, folder, &defaults) && good;
    json_t *json = json_pack("{s:b, s:o, s:o, s:b, s:b, s:o, s:s, s:I}", "good", good, "identity",
                             identity_json(&first), "again", identity_json(&again), "login_fits",
                             fits(&of_label, first.login, first.login_hash), "opens",
                             fits(&of_owner, password, identity_hash(&first)), "settings",
                             stored_settings(&settings.now), "problem", settings.problem,
                             "locked_s", (json_int_t)locked_s(folder, &l, first.login_hash));
    settings_close(&settings);
    return json;
}

int main(void)
{
    char line[ATOMIC_FILE_PATH_MAX + LOGIN_PASSWORD_MAX];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *tab = strchr(line, '\t');
        if (!tab)
            return 1;
        *tab = 0;
        json_t *json = read_folder(line, tab + 1);
        char *text = json_dumps(json, JSON_COMPACT);
        printf("%s\n", text ? text : "null");
        fflush(stdout);
        free(text);
        json_decref(json);
    }
    return 0;
}
