#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mqtt_command.h"

#include "core/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define SERIAL "0A1B2C3D4E5F"
#define ID "7f3c-0001"
#define URL "https://update.example/box/v2.raucb"

/* NOW_S is 1780396000. */
#define SOON "1780396129"

enum { NOW_S = 1780396000, LONG = 65536 };

#define HEAD "{\"id\":\"" ID "\",\"device\":\"" SERIAL "\",\"expires\":" SOON
#define PLAIN HEAD "}"
#define UPDATE HEAD ",\"url\":\"" URL "\"}"

static struct command_memory memory;
static struct command command;
static char error[COMMAND_ERROR_MAX];

static int start_anew(void **unused)
{
    (void)unused;
    memset(&memory, 0, sizeof memory);
    memset(&command, 0xA5, sizeof command);
    memset(error, 0xA5, sizeof error);
    return 0;
}

static struct command_message message(const char *name, const char *payload)
{
    return (struct command_message){.name = name,
                                    .payload = payload,
                                    .length = strlen(payload),
                                    .serial = SERIAL,
                                    .now_s = NOW_S,
                                    .now_ms = 1000000};
}

static void assert_printable(const char *text)
{
    assert_true(strlen(text) > 10 && strlen(text) < COMMAND_ERROR_MAX - 1); /* not cut */
    for (const char *p = text; *p; p++)
        assert_true(*p >= ' ' && *p <= '~');
}

/* As it is: it is valid UTF-8 and not cut. */
static void assert_can_be_sent(const char *id, const char *text)
{
    char *sent = command_refusal(id, text);
    assert_non_null(sent);
    json_t *json = json_loads(sent, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "error")), text);
    json_decref(json);
    free(sent);
}

/* Every judgement of this file goes through here: what is true of all is demanded of all. */
static enum command_verdict judge_message(const struct command_message *m)
{
    const struct command_memory before = memory;
    enum command_verdict verdict = command_judge(&memory, m, &command, error);
    if (verdict == COMMAND_GOOD) {
        assert_string_equal(error, "");
        assert_true(command.id[0]);
    } else {
        assert_printable(error);
        assert_can_be_sent(command.id, error);
        assert_memory_equal(memory.used, before.used, sizeof memory.used);
    }
    return verdict;
}

static enum command_verdict judge(const char *name, const char *payload)
{
    const struct command_message m = message(name, payload);
    return judge_message(&m);
}

/* As judge(), by a box that has judged nothing yet. */
static enum command_verdict judge_afresh(const char *name, const void *payload, size_t length)
{
    struct command_message m = message(name, "");
    m.payload = payload;
    m.length = length;
    memset(&memory, 0, sizeof memory);
    return judge_message(&m);
}

/* --- one message ------------------------------------------------------------------------------ */

#define WITH_ID(value) "{\"id\":" value ",\"device\":\"" SERIAL "\",\"expires\":" SOON "}"
#define WITH_DEVICE(value) "{\"id\":\"" ID "\",\"device\":" value ",\"expires\":" SOON "}"
#define WITH_EXPIRES(value) "{\"id\":\"" ID "\",\"device\":\"" SERIAL "\",\"expires\":" value "}"
#define WITH_URL(value) HEAD ",\"url\":" value "}"
#define SIXTEEN "aaaaaaaaaaaaaaaa"
#define SIXTY_FOUR SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static const struct {
    const char *name, *payload;
    enum command_verdict verdict;
    const char *says; /* part of the error */
    const char *id;   /* that a response will name */
} cases[] = {
    /* good ones */
    {"firmware-update", UPDATE, COMMAND_GOOD, "", ID},
    {"reset", PLAIN, COMMAND_GOOD, "", ID},
    {"get-status", PLAIN, COMMAND_GOOD, "", ID},
    {"get-telegram", PLAIN, COMMAND_GOOD, "", ID},
    {"reset", " \r\n\t" PLAIN "\n ", COMMAND_GOOD, "", ID},
    {"reset", "{\"expires\":" SOON ",\"device\":\"" SERIAL "\",\"id\":\"" ID "\"}", COMMAND_GOOD,
     "", ID},
    {"reset", "{\"i\\u0064\":\"" ID "\",\"device\":\"" SERIAL "\",\"expires\":" SOON "}",
     COMMAND_GOOD, "", ID},
    {"reset", WITH_ID("\"12345678\""), COMMAND_GOOD, "", "12345678"},
    {"reset", WITH_ID("\"________\""), COMMAND_GOOD, "", "________"},
    {"reset", WITH_ID("\"" SIXTY_FOUR "\""), COMMAND_GOOD, "", SIXTY_FOUR},
    {"reset", WITH_EXPIRES("1780396001"), COMMAND_GOOD, "", ID},
    {"reset", WITH_EXPIRES("1780396600"), COMMAND_GOOD, "", ID},
    /* no such command */
    {"", PLAIN, COMMAND_UNKNOWN, "firmware-update, reset, get-status, get-telegram", ""},
    {"Reset", PLAIN, COMMAND_UNKNOWN, "no such command", ""},
    {"reset ", PLAIN, COMMAND_UNKNOWN, "no such command", ""},
    {"reset/response", PLAIN, COMMAND_UNKNOWN, "no such command", ""},
    {"../reset", PLAIN, COMMAND_UNKNOWN, "no such command", ""},
    {"set-config", PLAIN, COMMAND_UNKNOWN, "no such command", ""},
    {"\x1b[31m\xff", PLAIN, COMMAND_UNKNOWN, "no such command", ""},
    {"firmware-downgrade", UPDATE, COMMAND_UNKNOWN, "no such command", ""},
    /* no JSON */
    {"reset", "", COMMAND_MALFORMED, "it ends too early, at byte 0", ""},
    {"reset", " ", COMMAND_MALFORMED, "it ends too early", ""},
    {"reset", "reset", COMMAND_MALFORMED, "a mistake in writing", ""},
    {"reset", "\xEF\xBB\xBF" PLAIN, COMMAND_MALFORMED, "not JSON", ""},
    {"reset", PLAIN "x", COMMAND_MALFORMED, "something follows its end", ""},
    {"reset", PLAIN PLAIN, COMMAND_MALFORMED, "something follows its end", ""},
    {"reset", PLAIN "}", COMMAND_MALFORMED, "something follows its end", ""},
    {"reset", HEAD ",}", COMMAND_MALFORMED, "not JSON", ""},
    {"reset", HEAD, COMMAND_MALFORMED, "it ends too early", ""},
    {"reset", HEAD "/**/}", COMMAND_MALFORMED, "not JSON", ""},
    {"reset", "{'id':1}", COMMAND_MALFORMED, "not JSON", ""},
    {"reset", HEAD ",\"id\":\"" ID "\"}", COMMAND_MALFORMED, "a member is there twice", ""},
    {"reset", HEAD ",\"\\u0069d\":\"other-id\"}", COMMAND_MALFORMED, "a member is there twice", ""},
    {"reset", WITH_ID("\"12345678\\u0000\""), COMMAND_MALFORMED, "a NUL character", ""},
    {"reset", HEAD ",\"url\\u0000\":1}", COMMAND_MALFORMED, "a NUL character", ""},
    {"reset", WITH_ID("\"1234567\xff\""), COMMAND_MALFORMED, "not UTF-8", ""},
    {"reset", WITH_ID("\"1234567\xc0\xaf\""), COMMAND_MALFORMED, "not UTF-8", ""},
    {"reset", WITH_ID("\"1234567\\ud800\""), COMMAND_MALFORMED, "not JSON", ""},
    {"reset", WITH_ID("\"1234567\n\""), COMMAND_MALFORMED, "not JSON", ""},
    {"reset", WITH_EXPIRES("01780396129"), COMMAND_MALFORMED, "not JSON", ""},
    {"reset", WITH_EXPIRES("+1780396129"), COMMAND_MALFORMED, "not JSON", ""},
    {"reset", WITH_EXPIRES("NaN"), COMMAND_MALFORMED, "not JSON", ""},
    {"reset", WITH_EXPIRES("1e400"), COMMAND_MALFORMED, "a number is too large", ""},
    {"reset", WITH_EXPIRES("9223372036854775808"), COMMAND_MALFORMED, "a number is too large", ""},
    {"reset", "[[[[[[[[[1]]]]]]]]]", COMMAND_MALFORMED, "nests deeper than 8", ""},
    {"reset", "[[[[[[[[1]]]]]]]]", COMMAND_MALFORMED, "must be an object", ""},
    /* no object of ours */
    {"reset", "[" PLAIN "]", COMMAND_MALFORMED, "must be an object", ""},
    {"reset", "\"reset\"", COMMAND_MALFORMED, "must be an object", ""},
    {"reset", "null", COMMAND_MALFORMED, "must be an object", ""},
    {"reset", "{}", COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", HEAD ",\"x\":1}", COMMAND_MALFORMED,
     "member \"x\" is not known: reset takes id, device, expires", ID},
    {"reset", HEAD ",\"\":1}", COMMAND_MALFORMED, "member \"\" is not known", ID},
    {"reset", HEAD ",\"ID\":\"" ID "\"}", COMMAND_MALFORMED, "member \"ID\" is not known", ID},
    {"reset", HEAD ",\"\\u001b[31m\\u00fc\":1}", COMMAND_MALFORMED,
     "member \"?[31m??\" is not known", ID},
    {"reset", HEAD ",\"" SIXTY_FOUR "\":1}", COMMAND_MALFORMED, "\"" SIXTEEN SIXTEEN "\" is not",
     ID},
    {"reset", UPDATE, COMMAND_MALFORMED, "member \"url\" is not known: reset takes", ID},
    {"get-status", UPDATE, COMMAND_MALFORMED, "member \"url\" is not known: get-status takes", ID},
    {"get-telegram", UPDATE, COMMAND_MALFORMED, "member \"url\" is not known: get-telegram takes",
     ID},
    {"firmware-update", HEAD ",\"x\":[[[[[[[1]]]]]]]}", COMMAND_MALFORMED,
     "id, device, expires, url", ID},
    /* id */
    {"reset", "{\"device\":\"" SERIAL "\",\"expires\":" SOON "}", COMMAND_MALFORMED,
     "\"id\" must be", ""},
    {"reset", WITH_ID("\"\""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("\"1234567\""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("\"" SIXTY_FOUR "a\""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("\"1234567 \""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("\"1234567.\""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("\"1234567\\n\""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("\"1234567\xC3\xBC\""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("\"../../etc\""), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("12345678"), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("null"), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("true"), COMMAND_MALFORMED, "\"id\" must be", ""},
    {"reset", WITH_ID("[\"12345678\"]"), COMMAND_MALFORMED, "\"id\" must be", ""},
    /* device */
    {"reset", "{\"id\":\"" ID "\",\"expires\":" SOON "}", COMMAND_MALFORMED, "\"device\" must be",
     ID},
    {"reset", WITH_DEVICE("\"\""), COMMAND_MALFORMED, "\"device\" must be", ID},
    {"reset", WITH_DEVICE("123456789012"), COMMAND_MALFORMED, "\"device\" must be", ID},
    {"reset", WITH_DEVICE("null"), COMMAND_MALFORMED, "\"device\" must be", ID},
    {"reset", WITH_DEVICE("{\"0A1B2C3D4E5F\":1}"), COMMAND_MALFORMED, "\"device\" must be", ID},
    {"reset", WITH_DEVICE("\"0A1B2C3D4E5E\""), COMMAND_FOREIGN,
     "this one's serial number is " SERIAL, ID},
    {"reset", WITH_DEVICE("\"0a1b2c3d4e5f\""), COMMAND_FOREIGN, "names another box", ID},
    {"reset", WITH_DEVICE("\"0A1B2C3D4E5\""), COMMAND_FOREIGN, "names another box", ID},
    {"reset", WITH_DEVICE("\"0A1B2C3D4E5F0\""), COMMAND_FOREIGN, "names another box", ID},
    {"reset", WITH_DEVICE("\"*\""), COMMAND_FOREIGN, "names another box", ID},
    /* expires */
    {"reset", "{\"id\":\"" ID "\",\"device\":\"" SERIAL "\"}", COMMAND_MALFORMED,
     "\"expires\" must be", ID},
    {"reset", WITH_EXPIRES("\"1780396129\""), COMMAND_MALFORMED, "\"expires\" must be", ID},
    {"reset", WITH_EXPIRES("1780396129.0"), COMMAND_MALFORMED, "\"expires\" must be", ID},
    {"reset", WITH_EXPIRES("1780396129e0"), COMMAND_MALFORMED, "\"expires\" must be", ID},
    {"reset", WITH_EXPIRES("true"), COMMAND_MALFORMED, "\"expires\" must be", ID},
    {"reset", WITH_EXPIRES("null"), COMMAND_MALFORMED, "\"expires\" must be", ID},
    {"reset", WITH_EXPIRES("0"), COMMAND_EXPIRED, "must be after 1780396000", ID},
    {"reset", WITH_EXPIRES("-0"), COMMAND_EXPIRED, "too late", ID},
    {"reset", WITH_EXPIRES("-9223372036854775808"), COMMAND_EXPIRED, "too late", ID},
    {"reset", WITH_EXPIRES("1780395999"), COMMAND_EXPIRED, "too late", ID},
    {"reset", WITH_EXPIRES("1780396000"), COMMAND_EXPIRED, "too late", ID},
    {"reset", WITH_EXPIRES("1780396601"), COMMAND_TOO_FAR, "at most 600 s ahead, so 1780396600", ID},
    {"reset", WITH_EXPIRES("1780396129000"), COMMAND_TOO_FAR, "600 s ahead", ID},
    {"reset", WITH_EXPIRES("9223372036854775807"), COMMAND_TOO_FAR, "600 s ahead", ID},
    /* url */
    {"firmware-update", PLAIN, COMMAND_MALFORMED, "\"url\" must be", ID},
    {"firmware-update", WITH_URL("null"), COMMAND_MALFORMED, "\"url\" must be", ID},
    {"firmware-update", WITH_URL("1"), COMMAND_MALFORMED, "\"url\" must be", ID},
    {"firmware-update", WITH_URL("[\"" URL "\"]"), COMMAND_MALFORMED, "\"url\" must be", ID},
    {"firmware-update", WITH_URL("\"\""), COMMAND_BAD_URL, "must begin with https://", ID},
    {"firmware-update", WITH_URL("\"http://update.example/x\""), COMMAND_BAD_URL,
     "begin with https://", ID},
    {"firmware-update", WITH_URL("\"file:///etc/shadow\""), COMMAND_BAD_URL, "begin with https://",
     ID},
    {"firmware-update", WITH_URL("\"https://169.254.169.254/x\""), COMMAND_BAD_URL,
     "not an address", ID},
    {"firmware-update", WITH_URL("\"https://a.example/\\n\""), COMMAND_BAD_URL, "written with %",
     ID},
};

static void each_case_gets_its_verdict_and_its_reason(void **unused)
{
    int seen[COMMAND_VERDICTS] = {0};
    (void)unused;
    assert_true(COUNT(cases) >= 60);
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum command_verdict verdict =
            judge_afresh(cases[i].name, cases[i].payload, strlen(cases[i].payload));
        if (verdict != cases[i].verdict || !strstr(error, cases[i].says))
            fail_msg("%s %s: verdict %d, \"%s\"", cases[i].name, cases[i].payload, verdict, error);
        assert_string_equal(command.id, cases[i].id);
        seen[verdict]++;
    }
    /* the other three need more than a message: see below */
    for (int i = 0; i < COMMAND_VERDICTS; i++)
        assert_int_equal(seen[i] == 0,
                         i == COMMAND_RETAINED || i == COMMAND_REPLAYED || i == COMMAND_TOO_MANY);
}

static void a_good_command_is_read_whole(void **unused)
{
    (void)unused;
    assert_int_equal(judge("firmware-update", UPDATE), COMMAND_GOOD);
    assert_int_equal(command.name, COMMAND_FIRMWARE_UPDATE);
    assert_string_equal(command.id, ID);
    assert_string_equal(command.url, URL);
    assert_int_equal(command.expires_s, 1780396129);
    assert_int_equal(judge("get-telegram", WITH_ID("\"other-id\"")), COMMAND_GOOD);
    assert_int_equal(command.name, COMMAND_GET_TELEGRAM);
    assert_string_equal(command.url, "");
}

static void each_command_has_a_name_of_its_own(void **unused)
{
    (void)unused;
    for (int i = 0; i < COMMANDS_N; i++) {
        const char *name = command_name_text((enum command_name)i);
        const char *payload = i == COMMAND_FIRMWARE_UPDATE ? UPDATE : PLAIN;
        assert_int_equal(judge_afresh(name, payload, strlen(payload)), COMMAND_GOOD);
        assert_int_equal(command.name, i);
    }
}

static void a_command_that_lay_in_the_broker_is_not_read(void **unused)
{
    struct command_message m = message("reset", PLAIN);
    (void)unused;
    m.retained = true;
    assert_int_equal(judge_message(&m), COMMAND_RETAINED);
    assert_non_null(strstr(error, "without the retain flag"));
    assert_string_equal(command.id, "");
    m.retained = false;
    assert_int_equal(judge_message(&m), COMMAND_GOOD);
}

static void without_the_time_no_command_is_good(void **unused)
{
    struct command_message m = message("reset", WITH_EXPIRES("1"));
    (void)unused;
    m.now_s = READING_NO_TIME;
    assert_int_equal(judge_message(&m), COMMAND_EXPIRED);
    assert_non_null(strstr(error, "does not know the time"));
    m.now_s = -1;
    assert_int_equal(judge_message(&m), COMMAND_EXPIRED);
    m.now_s = INT64_MIN;
    m.payload = WITH_EXPIRES("9223372036854775807");
    m.length = strlen(m.payload);
    assert_int_equal(judge_message(&m), COMMAND_EXPIRED);
}

static void a_nul_behind_the_request_is_seen(void **unused)
{
    (void)unused;
    assert_int_equal(judge_afresh("reset", PLAIN, sizeof PLAIN), COMMAND_MALFORMED);
    assert_int_equal(judge_afresh("reset", "\0" PLAIN, sizeof PLAIN), COMMAND_MALFORMED);
}

static void no_payload_is_an_empty_one(void **unused)
{
    (void)unused;
    assert_int_equal(judge_afresh("reset", NULL, 0), COMMAND_MALFORMED);
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* `before`, n times `fill`, `behind`; the caller frees it. */
static char *stretched(const char *before, char fill, size_t n, const char *behind)
{
    size_t a = strlen(before), b = strlen(behind);
    char *text = malloc(a + n + b + 1);
    assert_non_null(text);
    memcpy(text, before, a);
    memset(text + a, fill, n);
    memcpy(text + a + n, behind, b + 1);
    return text;
}

static enum command_verdict judge_stretched(const char *before, char fill, size_t n,
                                            const char *behind)
{
    char *text = stretched(before, fill, n, behind);
    enum command_verdict verdict = judge_afresh("firmware-update", text, strlen(text));
    free(text);
    return verdict;
}

static void a_request_has_4096_bytes_at_most(void **unused)
{
    const size_t room = COMMAND_BYTES_MAX - strlen(UPDATE);
    (void)unused;
    assert_int_equal(judge_stretched(UPDATE, ' ', room, ""), COMMAND_GOOD);
    assert_int_equal(judge_stretched(UPDATE, ' ', room + 1, ""), COMMAND_MALFORMED);
    assert_non_null(strstr(error, "more than 4096 bytes"));
    assert_string_equal(command.id, "");
    assert_int_equal(judge_stretched(UPDATE, ' ', LONG, ""), COMMAND_MALFORMED);
    assert_int_equal(judge_stretched("", ' ', LONG, UPDATE), COMMAND_MALFORMED);
}

static void each_field_is_bounded(void **unused)
{
    static const struct {
        const char *before, *behind;
        char fill;
        size_t most;                 /* that is good; 0: not this one */
        enum command_verdict beyond; /* one more */
    } fields[] = {
        {"{\"id\":\"", "\",\"device\":\"" SERIAL "\",\"expires\":" SOON ",\"url\":\"" URL "\"}",
         'x', 64, COMMAND_MALFORMED},
        {"{\"id\":\"" ID "\",\"device\":\"", "\",\"expires\":" SOON ",\"url\":\"" URL "\"}", 'x', 0,
         COMMAND_FOREIGN},
        {"{\"id\":\"" ID "\",\"device\":\"" SERIAL "\",\"expires\":", ",\"url\":\"" URL "\"}", '1',
         0, COMMAND_EXPIRED},
        {HEAD ",\"url\":\"" URL "?", "\"}", 'x', COMMAND_URL_MAX - sizeof URL - 1, COMMAND_BAD_URL},
        {HEAD ",\"", "\":1}", 'x', 0, COMMAND_MALFORMED},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(fields); i++) {
        const char *before = fields[i].before, *behind = fields[i].behind;
        if (fields[i].most)
            assert_int_equal(judge_stretched(before, fields[i].fill, fields[i].most, behind),
                             COMMAND_GOOD);
        assert_int_equal(judge_stretched(before, fields[i].fill, fields[i].most + 1, behind),
                         fields[i].beyond);
        assert_int_not_equal(judge_stretched(before, fields[i].fill, 3000, behind), COMMAND_GOOD);
        assert_int_equal(judge_stretched(before, fields[i].fill, LONG, behind), COMMAND_MALFORMED);
    }
}

static void a_long_name_is_no_command(void **unused)
{
    char *name = stretched("reset", 'x', LONG, "");
    (void)unused;
    assert_int_equal(judge(name, PLAIN), COMMAND_UNKNOWN);
    free(name);
}

static void brackets_in_a_text_do_not_nest(void **unused)
{
    (void)unused;
    assert_int_equal(judge_afresh("reset", WITH_ID("\"\\\"[[[[[[[[[[[[\""),
                                  strlen(WITH_ID("\"\\\"[[[[[[[[[[[[\""))),
                     COMMAND_MALFORMED);
    assert_non_null(strstr(error, "\"id\" must be"));
    assert_int_equal(judge_stretched("", '[', COMMAND_BYTES_MAX, ""), COMMAND_MALFORMED);
    assert_non_null(strstr(error, "nests deeper"));
    assert_int_equal(judge_stretched("", ']', COMMAND_BYTES_MAX, ""), COMMAND_MALFORMED);
    assert_non_null(strstr(error, "not JSON"));
}

/* --- damage ----------------------------------------------------------------------------------- */

static void no_part_of_a_request_is_one(void **unused)
{
    const char *const whole = UPDATE;
    size_t length = strlen(whole);
    (void)unused;
    for (size_t n = 0; n < length; n++) {
        assert_int_equal(judge_afresh("firmware-update", whole, n), COMMAND_MALFORMED);
        assert_int_equal(judge_afresh("firmware-update", whole + n + 1, length - n - 1),
                         COMMAND_MALFORMED);
    }
}

/* The value of a field that UPDATE has at this place: it may be another one, and is read as what stands there. */
static void assert_reads_as_written(const char *text, const char *field)
{
    char written[128];
    size_t at = (size_t)(strstr(UPDATE, field) - UPDATE), n = strlen(field);
    memcpy(written, text + at, n);
    written[n] = 0;
    if (strcmp(field, SOON) == 0)
        assert_int_equal(command.expires_s, strtoll(written, NULL, 10));
    else
        assert_string_equal(strcmp(field, ID) == 0 ? command.id : command.url, written);
}

static bool lies_in(size_t at, const char *field)
{
    size_t from = (size_t)(strstr(UPDATE, field) - UPDATE);
    return at >= from && at < from + strlen(field);
}

static void a_flipped_bit_is_refused_or_means_what_is_written_then(void **unused)
{
    char text[] = UPDATE;
    int good = 0;
    (void)unused;
    for (size_t bit = 0; bit < 8 * strlen(UPDATE); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (judge_afresh("firmware-update", text, strlen(UPDATE)) == COMMAND_GOOD) {
            good++;
            assert_true(lies_in(bit / 8, ID) || lies_in(bit / 8, SOON) || lies_in(bit / 8, URL));
            assert_reads_as_written(text, ID);
            assert_reads_as_written(text, SOON);
            assert_reads_as_written(text, URL);
            assert_int_equal(command.name, COMMAND_FIRMWARE_UPDATE);
            assert_null(strstr(command.url, "http:"));
        }
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    assert_in_range(good, 1, 8 * (strlen(ID) + strlen(SOON) + strlen(URL)));
}

/* --- used ids --------------------------------------------------------------------------------- */

/* A message of its own id, at a time of its own on the loop's clock: never too fast. */
static enum command_verdict judge_number(int number, int64_t expires_s, int64_t now_s)
{
    static int64_t now_ms;
    char text[200];
    snprintf(text, sizeof text, "{\"id\":\"number-%d\",\"device\":\"" SERIAL "\",\"expires\":%lld}",
             number, (long long)expires_s);
    struct command_message m = message("reset", text);
    m.now_s = now_s;
    m.now_ms = now_ms += COMMAND_PACE_MS;
    return judge_message(&m);
}

static void an_id_is_good_once(void **unused)
{
    (void)unused;
    assert_int_equal(judge("reset", PLAIN), COMMAND_GOOD);
    assert_int_equal(judge("reset", PLAIN), COMMAND_REPLAYED);
    assert_string_equal(command.id, ID);
    assert_int_equal(judge("get-status", PLAIN), COMMAND_REPLAYED);
    assert_int_equal(judge("reset", WITH_EXPIRES("1780396130")), COMMAND_REPLAYED);
    assert_int_equal(judge("reset", WITH_ID("\"7f3c-0002\"")), COMMAND_GOOD);
}

static void a_replay_is_refused_for_all_of_its_life_and_then_as_too_late(void **unused)
{
    (void)unused;
    assert_int_equal(judge_number(1, NOW_S + COMMAND_LIFE_MAX_S, NOW_S), COMMAND_GOOD);
    for (int64_t s = 0; s < COMMAND_LIFE_MAX_S; s++)
        assert_int_equal(judge_number(1, NOW_S + COMMAND_LIFE_MAX_S, NOW_S + s), COMMAND_REPLAYED);
    assert_int_equal(judge_number(1, NOW_S + COMMAND_LIFE_MAX_S, NOW_S + COMMAND_LIFE_MAX_S),
                     COMMAND_EXPIRED);
}

static void a_refused_command_uses_no_id_up(void **unused)
{
    (void)unused;
    assert_int_equal(judge("reset", WITH_DEVICE("\"0A1B2C3D4E5E\"")), COMMAND_FOREIGN);
    assert_int_equal(judge("reset", WITH_EXPIRES("1")), COMMAND_EXPIRED);
    assert_int_equal(judge("reset", WITH_EXPIRES("1880000000")), COMMAND_TOO_FAR);
    assert_int_equal(judge("firmware-update", WITH_URL("\"http://a.example/\"")), COMMAND_BAD_URL);
    assert_int_equal(judge("reset", UPDATE), COMMAND_MALFORMED);
    assert_int_equal(judge("rest", PLAIN), COMMAND_UNKNOWN);
    assert_int_equal(judge("reset", PLAIN), COMMAND_GOOD);
}

static void fill_with(int64_t expires_s)
{
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        assert_int_equal(judge_number(i, expires_s, NOW_S), COMMAND_GOOD);
}

static void a_full_memory_refuses_and_forgets_nobody(void **unused)
{
    (void)unused;
    fill_with(NOW_S + 100);
    assert_int_equal(judge_number(1000, NOW_S + 100, NOW_S), COMMAND_TOO_MANY);
    assert_non_null(strstr(error, "64 commands are not expired yet"));
    assert_int_equal(judge_number(1000, NOW_S + 200, NOW_S + 99), COMMAND_TOO_MANY);
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        assert_int_equal(judge_number(i, NOW_S + 100, NOW_S + 99), COMMAND_REPLAYED);
}

static void expired_ids_make_room(void **unused)
{
    (void)unused;
    fill_with(NOW_S + 100);
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        assert_int_equal(judge_number(1000 + i, NOW_S + 200, NOW_S + 100), COMMAND_GOOD);
    assert_int_equal(judge_number(2000, NOW_S + 200, NOW_S + 100), COMMAND_TOO_MANY);
}

static void the_id_that_expired_first_makes_room_first(void **unused)
{
    (void)unused;
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        assert_int_equal(judge_number(i, NOW_S + 500 - i, NOW_S), COMMAND_GOOD);
    assert_int_equal(judge_number(1000, NOW_S + 900, NOW_S + 500), COMMAND_GOOD);
    assert_int_equal(judge_number(0, NOW_S + 900, NOW_S + 500), COMMAND_REPLAYED);
    assert_int_equal(judge_number(COMMAND_REMEMBERED - 1, NOW_S + 900, NOW_S + 500), COMMAND_GOOD);
}

static void a_clock_that_is_set_back_makes_no_old_command_new(void **unused)
{
    (void)unused;
    assert_int_equal(judge_number(1, NOW_S + 100, NOW_S), COMMAND_GOOD);
    assert_int_equal(judge_number(2, NOW_S + 700, NOW_S + 200), COMMAND_GOOD);
    assert_int_equal(judge_number(1, NOW_S + 100, NOW_S + 50), COMMAND_REPLAYED);
}

static void a_clock_that_was_years_ahead_does_not_fill_the_memory_for_years(void **unused)
{
    const int64_t year_2099_s = 4070908800;
    (void)unused;
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        assert_int_equal(judge_number(i, year_2099_s + 60, year_2099_s), COMMAND_GOOD);
    assert_int_equal(judge_number(1000, NOW_S + 60, NOW_S), COMMAND_GOOD);
}

/* --- how fast --------------------------------------------------------------------------------- */

static enum command_verdict judge_at(int64_t now_ms)
{
    struct command_message m = message("rest", "");
    m.now_ms = now_ms;
    return judge_message(&m);
}

static void ten_come_at_once_and_then_one_each_second(void **unused)
{
    const int64_t start_ms = 0; /* a box that has just started is as good as any */
    (void)unused;
    for (int i = 0; i < COMMAND_BURST; i++)
        assert_int_equal(judge_at(start_ms), COMMAND_UNKNOWN);
    assert_int_equal(judge_at(start_ms), COMMAND_TOO_MANY);
    assert_non_null(strstr(error, "too fast"));
    for (int64_t s = 1; s < 100; s++) {
        assert_int_equal(judge_at(start_ms + s * COMMAND_PACE_MS - 1), COMMAND_TOO_MANY);
        assert_int_equal(judge_at(start_ms + s * COMMAND_PACE_MS), COMMAND_UNKNOWN);
        assert_int_equal(judge_at(start_ms + s * COMMAND_PACE_MS), COMMAND_TOO_MANY);
    }
}

static void after_a_pause_ten_come_at_once_again_and_no_more(void **unused)
{
    (void)unused;
    for (int i = 0; i < COMMAND_BURST; i++)
        assert_int_equal(judge_at(5000), COMMAND_UNKNOWN);
    for (int i = 0; i < COMMAND_BURST; i++)
        assert_int_equal(judge_at(1000000), COMMAND_UNKNOWN);
    assert_int_equal(judge_at(1000000), COMMAND_TOO_MANY);
}

static void a_flood_does_not_prolong_itself_nor_is_it_read(void **unused)
{
    struct command_message m = message("reset", PLAIN);
    (void)unused;
    for (int i = 0; i < COMMAND_BURST; i++)
        (void)judge_at(m.now_ms);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(judge_message(&m), COMMAND_TOO_MANY);
    assert_string_equal(command.id, "");
    m.now_ms += COMMAND_PACE_MS;
    assert_int_equal(judge_message(&m), COMMAND_GOOD);
}

/* --- URLs ------------------------------------------------------------------------------------- */

static void an_update_comes_from_a_named_host_by_https(void **unused)
{
    (void)unused;
    assert_true(command_check_url(URL, error));
    assert_string_equal(error, "");
}

/* The rule is tried by update_url_test.c. */
static void and_from_nowhere_else(void **unused)
{
    static const char *const bad[] = {"", "http://a.example/x", "https://-a.example/x",
                                      "https://a_b.example/x"};
    (void)unused;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(command_check_url(bad[i], error));
        assert_non_null(strstr(error, "\"url\" cannot be used: "));
        assert_non_null(strstr(error, "; send https://NAME[:PORT]/PATH"));
        assert_printable(error);
    }
}

static bool takes_stretched(const char *before, size_t n)
{
    char *url = stretched(before, 'x', n, "");
    bool taken = command_check_url(url, error);
    free(url);
    return taken;
}

static void a_url_is_bounded(void **unused)
{
    const size_t room = COMMAND_URL_MAX - 1 - strlen(URL);
    (void)unused;
    assert_true(takes_stretched(URL, room));
    assert_false(takes_stretched(URL, room + 1));
    assert_non_null(strstr(error, "shorter than 1024"));
    assert_false(takes_stretched(URL, LONG));
}

/* --- over a restart --------------------------------------------------------------------------- */

static void read_text(const char *text)
{
    command_memory_read(&memory, text, strlen(text));
}

static int count_ids(void)
{
    int n = 0;
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        n += memory.used[i].id[0] != 0;
    return n;
}

static void used_ids_outlast_a_restart(void **unused)
{
    (void)unused;
    fill_with(NOW_S + 100);
    const struct command_memory before = memory;
    char *text = command_memory_text(&memory);
    assert_non_null(text);
    assert_true(strlen(text) <= COMMAND_MEMORY_TEXT_MAX);
    memset(&memory, 0, sizeof memory);
    read_text(text);
    assert_memory_equal(memory.used, before.used, sizeof memory.used);
    assert_int_equal(judge_number(7, NOW_S + 100, NOW_S), COMMAND_REPLAYED);
    free(text);
}

static void the_longest_text_can_be_read_back(void **unused)
{
    (void)unused;
    for (int i = 0; i < COMMAND_REMEMBERED; i++) {
        memset(memory.used[i].id, 'a', COMMAND_ID_MAX - 1);
        memory.used[i].id[0] = (char)(i < 26 ? 'A' + i : 'a');
        memory.used[i].id[1] = (char)('A' + i % 26);
        memory.used[i].id[2] = (char)('0' + i / 26);
        memory.used[i].expires_s = INT64_MIN;
    }
    char *text = command_memory_text(&memory);
    assert_non_null(text);
    assert_true(strlen(text) <= COMMAND_MEMORY_TEXT_MAX);
    read_text(text);
    assert_int_equal(count_ids(), COMMAND_REMEMBERED);
    free(text);
}

static void an_empty_memory_has_a_text_too(void **unused)
{
    char *text = command_memory_text(&memory);
    (void)unused;
    assert_string_equal(text, "{}");
    read_text(text);
    assert_int_equal(count_ids(), 0);
    free(text);
}

static void reading_replaces_what_was_there(void **unused)
{
    (void)unused;
    fill_with(NOW_S + 100);
    read_text("{\"" ID "\":1}");
    assert_int_equal(count_ids(), 1);
}

static void a_damaged_text_is_an_empty_memory(void **unused)
{
    static const char *const damaged[] = {
        "",
        "x",
        "null",
        "[]",
        "{\"" ID "\":1}x",
        "{\"" ID "\":1,\"" ID "\":2}",
        "{\"" ID "\":\"1\"}",
        "{\"" ID "\":1.5}",
        "{\"" ID "\":9223372036854775808}",
        "{\"" ID "\":{}}",
        "{\"short\":1}",
        "{\"" SIXTY_FOUR "a\":1}",
        "{\"with a blank\":1}",
        "{\"good-one-1\":1,\"bad.one.2\":1}",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(damaged); i++) {
        read_text("{\"" ID "\":1}");
        read_text(damaged[i]);
        if (count_ids() != 0)
            fail_msg("%s was read", damaged[i]);
    }
    command_memory_read(&memory, NULL, 0);
    assert_int_equal(count_ids(), 0);
    command_memory_read(&memory, "{}", 3);
    assert_int_equal(count_ids(), 0);
}

static void a_text_of_too_many_ids_is_damaged(void **unused)
{
    char text[4096];
    size_t n = 0;
    (void)unused;
    for (int i = 0; i <= COMMAND_REMEMBERED; i++)
        n +=
            (size_t)snprintf(text + n, sizeof text - n, "%c\"number-%d\":1", i ? ',' : '{', i + 10);
    snprintf(text + n, sizeof text - n, "}");
    read_text(text);
    assert_int_equal(count_ids(), 0);
    char *last = strrchr(text, ',');
    snprintf(last, 2, "}");
    read_text(text);
    assert_int_equal(count_ids(), COMMAND_REMEMBERED);
}

static void a_text_that_is_too_long_is_damaged(void **unused)
{
    char *text =
        stretched("{\"" ID "\":1}", ' ', COMMAND_MEMORY_TEXT_MAX - strlen("{\"" ID "\":1}"), " ");
    (void)unused;
    command_memory_read(&memory, text, COMMAND_MEMORY_TEXT_MAX);
    assert_int_equal(count_ids(), 1);
    command_memory_read(&memory, text, COMMAND_MEMORY_TEXT_MAX + 1);
    assert_int_equal(count_ids(), 0);
    free(text);
}

/* What was read has the form of what is kept: else it could not be written again. */
static void assert_memory_is_sound(void)
{
    char *text = command_memory_text(&memory);
    int n = count_ids();
    assert_non_null(text);
    read_text(text);
    assert_int_equal(count_ids(), n);
    free(text);
}

static void no_part_of_a_text_is_one_and_flipped_bits_do_no_harm(void **unused)
{
    (void)unused;
    fill_with(NOW_S + 100);
    char *text = command_memory_text(&memory);
    assert_non_null(text);
    size_t length = strlen(text);
    for (size_t n = 0; n < length; n++) {
        command_memory_read(&memory, text, n);
        assert_int_equal(count_ids(), 0);
    }
    for (size_t bit = 0; bit < 8 * length; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        command_memory_read(&memory, text, length);
        assert_true(count_ids() == 0 || count_ids() == COMMAND_REMEMBERED);
        assert_memory_is_sound();
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    free(text);
}

/* --- responses -------------------------------------------------------------------------------- */

static void assert_text(char *text, const char *expected)
{
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void a_response_names_the_request(void **unused)
{
    (void)unused;
    assert_text(command_response(ID, NULL), "{\"id\":\"" ID "\",\"ok\":true}");
    assert_text(command_response(ID, json_pack("{s:i,s:s}", "a", 1, "b", "c")),
                "{\"id\":\"" ID "\",\"ok\":true,\"a\":1,\"b\":\"c\"}");
    assert_text(command_refusal(ID, "say \"when\""),
                "{\"id\":\"" ID "\",\"ok\":false,\"error\":\"say \\\"when\\\"\"}");
}

static void a_result_cannot_pose_as_another(void **unused)
{
    (void)unused;
    assert_text(command_response(ID, json_pack("{s:s,s:b,s:i}", "id", "other-id", "ok", 0, "a", 1)),
                "{\"id\":\"" ID "\",\"ok\":true,\"a\":1}");
    assert_null(command_response(ID, json_array()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_case_gets_its_verdict_and_its_reason, start_anew),
        cmocka_unit_test_setup(a_good_command_is_read_whole, start_anew),
        cmocka_unit_test_setup(each_command_has_a_name_of_its_own, start_anew),
        cmocka_unit_test_setup(a_command_that_lay_in_the_broker_is_not_read, start_anew),
        cmocka_unit_test_setup(without_the_time_no_command_is_good, start_anew),
        cmocka_unit_test_setup(a_nul_behind_the_request_is_seen, start_anew),
        cmocka_unit_test_setup(no_payload_is_an_empty_one, start_anew),
        cmocka_unit_test_setup(a_request_has_4096_bytes_at_most, start_anew),
        cmocka_unit_test_setup(each_field_is_bounded, start_anew),
        cmocka_unit_test_setup(a_long_name_is_no_command, start_anew),
        cmocka_unit_test_setup(brackets_in_a_text_do_not_nest, start_anew),
        cmocka_unit_test_setup(no_part_of_a_request_is_one, start_anew),
        cmocka_unit_test_setup(a_flipped_bit_is_refused_or_means_what_is_written_then, start_anew),
        cmocka_unit_test_setup(an_id_is_good_once, start_anew),
        cmocka_unit_test_setup(a_replay_is_refused_for_all_of_its_life_and_then_as_too_late,
                               start_anew),
        cmocka_unit_test_setup(a_refused_command_uses_no_id_up, start_anew),
        cmocka_unit_test_setup(a_full_memory_refuses_and_forgets_nobody, start_anew),
        cmocka_unit_test_setup(expired_ids_make_room, start_anew),
        cmocka_unit_test_setup(the_id_that_expired_first_makes_room_first, start_anew),
        cmocka_unit_test_setup(a_clock_that_is_set_back_makes_no_old_command_new, start_anew),
        cmocka_unit_test_setup(a_clock_that_was_years_ahead_does_not_fill_the_memory_for_years,
                               start_anew),
        cmocka_unit_test_setup(ten_come_at_once_and_then_one_each_second, start_anew),
        cmocka_unit_test_setup(after_a_pause_ten_come_at_once_again_and_no_more, start_anew),
        cmocka_unit_test_setup(a_flood_does_not_prolong_itself_nor_is_it_read, start_anew),
        cmocka_unit_test_setup(an_update_comes_from_a_named_host_by_https, start_anew),
        cmocka_unit_test_setup(and_from_nowhere_else, start_anew),
        cmocka_unit_test_setup(a_url_is_bounded, start_anew),
        cmocka_unit_test_setup(used_ids_outlast_a_restart, start_anew),
        cmocka_unit_test_setup(the_longest_text_can_be_read_back, start_anew),
        cmocka_unit_test_setup(an_empty_memory_has_a_text_too, start_anew),
        cmocka_unit_test_setup(reading_replaces_what_was_there, start_anew),
        cmocka_unit_test_setup(a_damaged_text_is_an_empty_memory, start_anew),
        cmocka_unit_test_setup(a_text_of_too_many_ids_is_damaged, start_anew),
        cmocka_unit_test_setup(a_text_that_is_too_long_is_damaged, start_anew),
        cmocka_unit_test_setup(no_part_of_a_text_is_one_and_flipped_bits_do_no_harm, start_anew),
        cmocka_unit_test_setup(a_response_names_the_request, start_anew),
        cmocka_unit_test_setup(a_result_cannot_pose_as_another, start_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
