/* mqtt_command_fuzz.c - any bytes as a request, as a URL and as the memory kept over a restart: what is found good is
 * looked at again by other means, what is refused has a reason and changes nothing.
 */
#include "gateway/mqtt_command.h"

#include "fuzz.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define SERIAL "0A1B2C3D4E5F"

enum { NOW_S = 1780396000 };

static void demand_line(const char *error)
{
    size_t n = strnlen(error, COMMAND_ERROR_MAX);
    demand(n > 0 && n < COMMAND_ERROR_MAX - 1); /* whole */
    for (size_t i = 0; i < n; i++)
        demand(error[i] >= ' ' && error[i] <= '~');
}

/* --- URLs ------------------------------------------------------------------------------------- */

/* The whole grammar once more as an expression: group 1 is the host, group 5 the port. */
static bool matches(const char *url, regmatch_t groups[static 6])
{
    static regex_t expression;
    static bool made;
    if (!made)
        demand(
            regcomp(
                &expression,
                "^https://"
                "(([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?)"
                "(:[1-9][0-9]{0,4})?"
                "/([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f][0-9A-Fa-f])*$",
                REG_EXTENDED) == 0);
    made = true;
    return regexec(&expression, url, 6, groups, 0) == 0;
}

static void demand_named_host(const char *host)
{
    struct in_addr address;
    struct in6_addr long_address;
    const char *last = strrchr(host, '.');
    demand(strchr(host, '.') && strlen(host) <= 253);
    demand(!inet_aton(host, &address) && inet_pton(AF_INET6, host, &long_address) != 1);
    demand(strcasecmp(host, "localhost") != 0 && strcasecmp(last, ".localhost") != 0);
}

static void demand_good_url(const char *url)
{
    regmatch_t groups[6];
    char host[COMMAND_URL_MAX];
    demand(strnlen(url, COMMAND_URL_MAX) < COMMAND_URL_MAX && matches(url, groups));
    snprintf(host, sizeof host, "%.*s", (int)(groups[1].rm_eo - groups[1].rm_so),
             url + groups[1].rm_so);
    demand_named_host(host);
    demand(groups[5].rm_so < 0 || strtol(url + groups[5].rm_so + 1, NULL, 10) <= 65535);
}

static void try_url(const char *text, size_t length)
{
    char error[COMMAND_ERROR_MAX];
    char *url = strndup(text, length);
    demand(url);
    if (command_check_url(url, error))
        demand_good_url(url);
    else
        demand_line(error);
    free(url);
}

/* --- requests --------------------------------------------------------------------------------- */

static void demand_id(const char *id)
{
    size_t n = strnlen(id, COMMAND_ID_MAX);
    demand(n >= 8 && n <= 64);
    for (size_t i = 0; i < n; i++)
        demand(isalnum((unsigned char)id[i]) || id[i] == '-' || id[i] == '_');
}

/* The request says what was read, and nothing else. */
static void demand_as_written(const struct command *c, const struct command_message *m)
{
    const bool has_url = c->name == COMMAND_FIRMWARE_UPDATE;
    json_t *written = json_loadb(m->payload, m->length, JSON_REJECT_DUPLICATES, NULL);
    json_t *read = json_pack("{s:s,s:s,s:I,s:s*}", "id", c->id, "device", SERIAL, "expires",
                             (json_int_t)c->expires_s, "url", has_url ? c->url : NULL);
    demand(written && read && json_equal(written, read));
    json_decref(written);
    json_decref(read);
}

static void demand_good(const struct command *c, const struct command_message *m)
{
    demand(!m->retained && m->length <= COMMAND_BYTES_MAX);
    demand(strcmp(command_name_text(c->name), m->name) == 0);
    demand_id(c->id);
    demand(c->expires_s > NOW_S && c->expires_s <= NOW_S + COMMAND_LIFE_MAX_S);
    demand_as_written(c, m);
    if (c->name == COMMAND_FIRMWARE_UPDATE)
        demand_good_url(c->url);
}

static void try_request(struct command_memory *memory, const struct command_message *m)
{
    struct command c;
    char error[COMMAND_ERROR_MAX];
    const struct command_memory before = *memory;
    enum command_verdict verdict = command_judge(memory, m, &c, error);
    if (c.id[0])
        demand_id(c.id);
    if (verdict != COMMAND_GOOD) {
        demand_line(error);
        demand(memcmp(memory->used, before.used, sizeof before.used) == 0);
        return;
    }
    demand(error[0] == 0);
    demand_good(&c, m);
    demand(command_judge(memory, m, &c, error) == COMMAND_REPLAYED);
    demand_line(error);
}

/* As a command that takes a URL and as one that does not, by a box that has judged none. */
static void try_names(const char *text, size_t length)
{
    static const enum command_name tried[] = {COMMAND_FIRMWARE_UPDATE, COMMAND_GET_STATUS};
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        struct command_memory memory = {0};
        const struct command_message m = {.name = command_name_text(tried[i]),
                                          .payload = text,
                                          .length = length,
                                          .serial = SERIAL,
                                          .now_s = NOW_S};
        try_request(&memory, &m);
    }
}

/* Whatever it says, this is no time for it. */
static void try_at_bad_times(const char *text, size_t length)
{
    static struct command_memory full;
    const struct command_message good = {.name = command_name_text(COMMAND_GET_STATUS),
                                         .payload = text,
                                         .length = length,
                                         .serial = SERIAL,
                                         .now_s = NOW_S};
    struct command_message bad[] = {good, good, good, good, good};
    bad[0].now_s = 0;
    bad[1].retained = true;
    bad[2].name = "no-such-command";
    bad[3].length = COMMAND_BYTES_MAX + 1;
    for (int i = 0; i < COMMAND_REMEMBERED; i++) {
        snprintf(full.used[i].id, COMMAND_ID_MAX, "of-before-%d", i);
        full.used[i].expires_s = NOW_S + 1 + i % 3;
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct command_memory memory = i == 4 ? full : (struct command_memory){0};
        struct command c;
        char error[COMMAND_ERROR_MAX];
        demand(command_judge(&memory, &bad[i], &c, error) != COMMAND_GOOD);
        demand_line(error);
    }
}

/* As many at once as may come, and one more. */
static void try_burst(const char *text, size_t length)
{
    struct command_memory memory = {0};
    struct command c;
    char error[COMMAND_ERROR_MAX];
    const struct command_message m = {.name = "reset",
                                      .payload = text,
                                      .length = length,
                                      .serial = SERIAL,
                                      .now_s = NOW_S,
                                      .now_ms = 1};
    for (int i = 0; i < COMMAND_BURST; i++)
        (void)command_judge(&memory, &m, &c, error);
    demand(command_judge(&memory, &m, &c, error) == COMMAND_TOO_MANY);
}

/* --- the memory ------------------------------------------------------------------------------- */

/* What was read can be written and read again, and is the same then. */
static void try_memory(const char *text, size_t length)
{
    static struct command_memory memory, again;
    command_memory_read(&memory, text, length);
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        if (memory.used[i].id[0])
            demand_id(memory.used[i].id);
    char *written = command_memory_text(&memory);
    demand(written && strlen(written) <= COMMAND_MEMORY_TEXT_MAX);
    command_memory_read(&again, written, strlen(written));
    demand(memcmp(memory.used, again.used, sizeof memory.used) == 0);
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_url((const char *)data, size);
    try_names((const char *)data, size);
    try_at_bad_times((const char *)data, size);
    try_burst((const char *)data, size);
    try_memory((const char *)data, size);
    return 0;
}
