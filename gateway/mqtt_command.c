#include "mqtt_command.h"

#include "core/cursor.h"
#include "core/reading.h"
#include "core/text_out.h"
#include "json_text.h"
#include "update_url.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum {
    DEPTH_MAX = 8, /* of brackets: a request needs one, and jansson calls itself for each */
    ID_MIN = 8,
    KEY_SHOWN_MAX = 32 /* bytes of a member's name that an error shows */
};

static const char *const names[COMMANDS_N] = {
    [COMMAND_FIRMWARE_UPDATE] = "firmware-update",
    [COMMAND_RESET] = "reset",
    [COMMAND_GET_STATUS] = "get-status",
    [COMMAND_GET_TELEGRAM] = "get-telegram",
};

const char *command_name_text(enum command_name name)
{
    return names[name];
}

/* What is written comes from us but for what printable() made: it goes into a log and into JSON. */
__attribute__((format(printf, 3, 4))) static enum command_verdict
refuse(enum command_verdict verdict, char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, COMMAND_ERROR_MAX, format, arguments);
    va_end(arguments);
    return verdict;
}

static const char *printable(const char *text, char shown[static KEY_SHOWN_MAX + 1])
{
    size_t n = strnlen(text, KEY_SHOWN_MAX);
    for (size_t i = 0; i < n; i++)
        shown[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    shown[n] = 0;
    return shown;
}

/* --- URLs ------------------------------------------------------------------------------------- */

bool command_check_url(const char *url, char error[static COMMAND_ERROR_MAX])
{
    const char *fault = strnlen(url, COMMAND_URL_MAX) == COMMAND_URL_MAX
                            ? "it must be shorter than 1024 bytes"
                            : update_url_fault(url);
    error[0] = 0;
    if (fault)
        (void)refuse(COMMAND_BAD_URL, error,
                     "\"url\" cannot be used: %s; send https://NAME[:PORT]/PATH", fault);
    return !fault;
}

/* --- members ---------------------------------------------------------------------------------- */

static const char *text_of(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

static bool is_id(const char *text)
{
    size_t n = strnlen(text, COMMAND_ID_MAX);
    return n >= ID_MIN && n < COMMAND_ID_MAX && strspn(text, LETTERS DIGITS "-_") == n;
}

/* It was copied before: every refusal names it. */
static enum command_verdict check_id(const struct command_message *m, const json_t *value,
                                     struct command *c, char *error)
{
    (void)m;
    (void)value;
    return c->id[0] ? COMMAND_GOOD
                    : refuse(COMMAND_MALFORMED, error,
                             "\"id\" must be a text of 8 to 64 letters, digits, - and _, "
                             "a new one for each command");
}

static enum command_verdict check_device(const struct command_message *m, const json_t *value,
                                         struct command *c, char *error)
{
    const char *device = text_of(value);
    (void)c;
    if (device[0] == 0)
        return refuse(COMMAND_MALFORMED, error,
                      "\"device\" must be a text: the serial number of the box that is meant");
    if (strcmp(device, m->serial) != 0)
        return refuse(COMMAND_FOREIGN, error,
                      "\"device\" names another box: this one's serial number is %.32s", m->serial);
    return COMMAND_GOOD;
}

static enum command_verdict check_expires(const struct command_message *m, const json_t *value,
                                          struct command *c, char *error)
{
    if (!json_is_integer(value))
        return refuse(COMMAND_MALFORMED, error,
                      "\"expires\" must be a whole number: UTC seconds when it is too late");
    c->expires_s = json_integer_value(value);
    if (m->now_s <= READING_NO_TIME)
        return refuse(COMMAND_EXPIRED, error,
                      "this box does not know the time yet, so it cannot tell whether the command "
                      "is too late: send it again later");
    if (c->expires_s <= m->now_s)
        return refuse(COMMAND_EXPIRED, error,
                      "the command is too late: \"expires\" must be after %lld, the time here",
                      (long long)m->now_s);
    if (c->expires_s - m->now_s > COMMAND_LIFE_MAX_S)
        return refuse(COMMAND_TOO_FAR, error,
                      "\"expires\" may be at most %d s ahead, so %lld by the clock here",
                      COMMAND_LIFE_MAX_S, (long long)m->now_s + COMMAND_LIFE_MAX_S);
    return COMMAND_GOOD;
}

static enum command_verdict check_url(const struct command_message *m, const json_t *value,
                                      struct command *c, char *error)
{
    (void)m;
    if (!json_is_string(value))
        return refuse(COMMAND_MALFORMED, error,
                      "\"url\" must be a text: where the update lies, https://NAME[:PORT]/PATH");
    if (!command_check_url(text_of(value), error))
        return COMMAND_BAD_URL;
    memcpy(c->url, text_of(value), json_string_length(value) + 1);
    return COMMAND_GOOD;
}

enum { ALL_COMMANDS = (1 << COMMANDS_N) - 1 };

/* What a request consists of, in the order in which it is judged.  All that a command takes it also needs. */
static const struct member {
    const char *name;
    int taken_by; /* 1 << enum command_name */
    enum command_verdict (*check)(const struct command_message *m, const json_t *value,
                                  struct command *c, char *error);
} members[] = {
    {"id", ALL_COMMANDS, check_id},
    {"device", ALL_COMMANDS, check_device},
    {"expires", ALL_COMMANDS, check_expires},
    {"url", 1 << COMMAND_FIRMWARE_UPDATE, check_url},
};

static bool takes(enum command_name name, const struct member *member)
{
    return (member->taken_by >> name & 1) != 0;
}

static bool takes_key(enum command_name name, const char *key)
{
    for (size_t i = 0; i < COUNT(members); i++)
        if (strcmp(members[i].name, key) == 0)
            return takes(name, &members[i]);
    return false;
}

static enum command_verdict refuse_key(enum command_name name, const char *key, char *error)
{
    struct text_out known;
    char list[64], shown[KEY_SHOWN_MAX + 1];
    text_init(&known, list, sizeof list);
    for (size_t i = 0; i < COUNT(members); i++)
        if (takes(name, &members[i])) {
            text_put(&known, known.length ? ", " : "");
            text_put(&known, members[i].name);
        }
    return refuse(COMMAND_MALFORMED, error, "member \"%s\" is not known: %s takes %s",
                  printable(key, shown), names[name], list);
}

static enum command_verdict judge_members(const struct command_message *m, json_t *request,
                                          struct command *c, char *error)
{
    const char *key, *id = text_of(json_object_get(request, "id"));
    json_t *value;
    if (is_id(id))
        memcpy(c->id, id, strlen(id) + 1);
    json_object_foreach(request, key, value)
    {
        if (!takes_key(c->name, key))
            return refuse_key(c->name, key, error);
    }
    enum command_verdict verdict = COMMAND_GOOD;
    for (size_t i = 0; verdict == COMMAND_GOOD && i < COUNT(members); i++)
        if (takes(c->name, &members[i]))
            verdict = members[i].check(m, json_object_get(request, members[i].name), c, error);
    return verdict;
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* How deep brackets nest, counted as jansson will meet them. */
static int depth_of(const char *text, size_t length)
{
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string && text[i] == '\\')
            i++;
        else if (!in_string && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!in_string && (text[i] == '}' || text[i] == ']'))
            depth--;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

/* jansson's own words may hold bytes of the request. */
static const char *json_fault(const json_error_t *e)
{
    static const char *const faults[] = {
        [json_error_invalid_utf8] = "bytes that are not UTF-8",
        [json_error_premature_end_of_input] = "it ends too early",
        [json_error_end_of_input_expected] = "something follows its end",
        [json_error_duplicate_key] = "a member is there twice",
        [json_error_numeric_overflow] = "a number is too large",
        [json_error_null_character] = "a NUL character",
        [json_error_null_byte_in_key] = "a NUL character",
    };
    size_t code = json_error_code(e);
    return code < COUNT(faults) && faults[code] ? faults[code] : "a mistake in writing";
}

static enum command_verdict judge_payload(const struct command_message *m, struct command *c,
                                          char *error)
{
    json_error_t e;
    const char *text = m->length ? m->payload : "";
    if (depth_of(text, m->length) > DEPTH_MAX)
        return refuse(COMMAND_MALFORMED, error,
                      "the request nests deeper than %d brackets: send a flat object", DEPTH_MAX);
    json_t *request = json_loadb(text, m->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!request)
        return refuse(COMMAND_MALFORMED, error,
                      "the request is not JSON: %s, at byte %d; "
                      "send {\"id\":\"...\",\"device\":\"...\",\"expires\":...}",
                      json_fault(&e), e.position);
    enum command_verdict verdict =
        json_is_object(request)
            ? judge_members(m, request, c, error)
            : refuse(COMMAND_MALFORMED, error,
                     "the request must be an object: {\"id\":\"...\",\"device\":\"...\",...}");
    json_decref(request);
    return verdict;
}

/* --- before the payload is looked at ---------------------------------------------------------- */

/* A bucket of COMMAND_BURST, written as the time at which it will be full again. */
static bool comes_too_fast(struct command_memory *memory, int64_t now_ms)
{
    int64_t full_ms = memory->full_ms > now_ms ? memory->full_ms : now_ms;
    if (full_ms - now_ms > (COMMAND_BURST - 1) * COMMAND_PACE_MS)
        return true;
    memory->full_ms = full_ms + COMMAND_PACE_MS;
    return false;
}

static bool find_name(const char *text, enum command_name *name)
{
    for (int i = 0; i < COMMANDS_N; i++)
        if (strcmp(names[i], text) == 0) {
            *name = (enum command_name)i;
            return true;
        }
    return false;
}

static enum command_verdict refuse_name(char *error)
{
    struct text_out known;
    char list[80];
    text_init(&known, list, sizeof list);
    for (int i = 0; i < COMMANDS_N; i++) {
        text_put(&known, i ? ", " : "");
        text_put(&known, names[i]);
    }
    return refuse(COMMAND_UNKNOWN, error, "there is no such command; there are %s", list);
}

/* What costs next to nothing, so that a flood does. */
static enum command_verdict judge_envelope(struct command_memory *memory,
                                           const struct command_message *m, struct command *c,
                                           char *error)
{
    if (comes_too_fast(memory, m->now_ms))
        return refuse(COMMAND_TOO_MANY, error,
                      "commands come too fast: send %d at once at most, then one each %d ms",
                      COMMAND_BURST, COMMAND_PACE_MS);
    if (m->length > COMMAND_BYTES_MAX)
        return refuse(COMMAND_MALFORMED, error, "the request has more than %d bytes",
                      COMMAND_BYTES_MAX);
    if (m->retained)
        return refuse(COMMAND_RETAINED, error,
                      "the command lay in the broker, so nobody knows how old it is: "
                      "send it without the retain flag, and clear the topic");
    return find_name(m->name, &c->name) ? COMMAND_GOOD : refuse_name(error);
}

/* --- ids -------------------------------------------------------------------------------------- */

/* An id whose time is farther ahead than any command's is none that can come again: the clock was wrong then, and it
 * must not hold its place for years. */
static bool is_live(int64_t expires_s, int64_t now_s)
{
    return expires_s > now_s && expires_s - now_s <= COMMAND_LIFE_MAX_S;
}

/* Expired ids are known as long as their place is not needed, the one that expired first goes first: so a clock that
 * is set back a little makes no old command new. */
static enum command_verdict use_up_id(struct command_memory *memory, const struct command *c,
                                      int64_t now_s, char *error)
{
    int place = -1;
    for (int i = 0; i < COMMAND_REMEMBERED; i++) {
        if (strcmp(memory->used[i].id, c->id) == 0)
            return refuse(COMMAND_REPLAYED, error,
                          "this \"id\" was used before: take a new one for each command");
        if (!is_live(memory->used[i].expires_s, now_s) &&
            (place < 0 || memory->used[i].expires_s < memory->used[place].expires_s))
            place = i;
    }
    if (place < 0)
        return refuse(COMMAND_TOO_MANY, error,
                      "%d commands are not expired yet, more cannot be remembered: "
                      "wait, or let them expire sooner",
                      COMMAND_REMEMBERED);
    memcpy(memory->used[place].id, c->id, sizeof c->id);
    memory->used[place].expires_s = c->expires_s;
    return COMMAND_GOOD;
}

enum command_verdict command_judge(struct command_memory *memory, const struct command_message *m,
                                   struct command *c, char error[static COMMAND_ERROR_MAX])
{
    memset(c, 0, sizeof *c);
    error[0] = 0;
    enum command_verdict verdict = judge_envelope(memory, m, c, error);
    if (verdict == COMMAND_GOOD)
        verdict = judge_payload(m, c, error);
    if (verdict == COMMAND_GOOD)
        verdict = use_up_id(memory, c, m->now_s, error);
    return verdict;
}

/* --- over a restart: {"ID":EXPIRES,...} ------------------------------------------------------- */

char *command_memory_text(const struct command_memory *memory)
{
    json_t *ids = json_object();
    bool ok = ids != NULL;
    for (int i = 0; ok && i < COMMAND_REMEMBERED; i++)
        if (memory->used[i].id[0])
            ok = json_object_set_new(ids, memory->used[i].id,
                                     json_integer(memory->used[i].expires_s)) == 0;
    char *text = ok ? json_text(ids, JSON_COMPACT) : NULL;
    json_decref(ids);
    return text;
}

static bool fill_memory(struct command_memory *memory, json_t *ids)
{
    const char *id;
    json_t *expires;
    size_t n = 0;
    if (!json_is_object(ids) || json_object_size(ids) > COMMAND_REMEMBERED)
        return false;
    json_object_foreach(ids, id, expires)
    {
        if (!is_id(id) || !json_is_integer(expires))
            return false;
        memcpy(memory->used[n].id, id, strlen(id) + 1);
        memory->used[n++].expires_s = json_integer_value(expires);
    }
    return true;
}

void command_memory_read(struct command_memory *memory, const char *text, size_t length)
{
    json_t *ids = length <= COMMAND_MEMORY_TEXT_MAX && depth_of(text, length) == 1
                      ? json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL)
                      : NULL;
    memset(memory->used, 0, sizeof memory->used);
    if (!fill_memory(memory, ids))
        memset(memory->used, 0, sizeof memory->used);
    json_decref(ids);
}

/* --- responses -------------------------------------------------------------------------------- */

/* Takes the object over. */
static char *dump(json_t *response)
{
    char *text = json_text(response, JSON_COMPACT);
    json_decref(response);
    return text;
}

char *command_response(const char *id, json_t *result)
{
    json_t *response = json_pack("{s:s,s:b}", "id", id, "ok", true);
    if (result && json_object_update_missing(response, result) < 0) {
        json_decref(response);
        response = NULL;
    }
    json_decref(result);
    return dump(response);
}

char *command_refusal(const char *id, const char *error)
{
    return dump(json_pack("{s:s,s:b,s:s}", "id", id, "ok", false, "error", error));
}
