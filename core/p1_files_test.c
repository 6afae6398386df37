/* p1_files_test.c - whole P1 telegrams decode to what is expected.
 *
 * tests/data/p1 holds one telegram per dialect (NAME.txt, the bytes as a meter sends them) with what
 * it must decode to (NAME.expected, see describe()), and broken ones named for what is broken.
 */
#include "p1_kit_test.h"

#include <stdio.h>
#include <string.h>

struct description {
    size_t n;
    char s[TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static void line(struct description *d, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(d->s + d->n, sizeof d->s - d->n, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof d->s - d->n);
    d->n += (size_t)n;
}

static void describe_mbus(struct description *d, int channel, const struct reading_mbus *m)
{
    static const char *const units[] = {"none", "dm3", "mj", "wh"};
    if (m->medium || m->unit || m->valve >= 0)
        line(d, "mbus_%d medium %u %s %lld time %lld valve %d uncorrected %d\n", channel, m->medium,
             units[m->unit], (long long)m->value, (long long)m->time_s, m->valve, m->uncorrected);
}

/* Everything known, a line each, as in the files NAME.expected. */
static void describe(struct description *d)
{
    const struct reading *r = &seen.reading;
    d->n = 0;
    line(d, "telegrams_ok %u\n", stream.stats.telegrams_ok);
    line(d, "telegrams_bad_crc %u\n", stream.stats.telegrams_bad_crc);
    line(d, "telegrams_bad_frame %u\n", stream.stats.telegrams_bad_frame);
    if (stream.winter_offset_s != 3600)
        line(d, "winter_offset_s %d\n", (int)stream.winter_offset_s);
    for (int q = 0; q < Q_N; q++)
        if (reading_has(r, (enum quantity)q))
            line(d, "%s %lld\n", quantities[q].name, (long long)r->value[q]);
    for (int t = 0; t < TEXT_N; t++)
        if (r->text[t].length)
            line(d, "text %s %s\n", reading_text_name((enum reading_text_id)t),
                 text_of((enum reading_text_id)t));
    if (r->meter_time_s)
        line(d, "meter_time_s %lld\n", (long long)r->meter_time_s);
    if (r->peak_time_s)
        line(d, "peak_time_s %lld\n", (long long)r->peak_time_s);
    if (r->p1_version)
        line(d, "p1_version %u\n", r->p1_version);
    if (r->emucs_version)
        line(d, "emucs_version %u\n", (unsigned)r->emucs_version);
    if (r->object_errors)
        line(d, "object_errors %u\n", r->object_errors);
    for (int i = 0; i < r->failures_n; i++)
        line(d, "failure_%d %lld %u\n", i + 1, (long long)r->failures[i].end_s,
             (unsigned)r->failures[i].duration_s);
    for (int i = 0; i < r->peaks_n; i++)
        line(d, "peak_%d %lld %lld %d\n", i + 1, (long long)r->peaks[i].month_s,
             (long long)r->peaks[i].time_s, (int)r->peaks[i].power_w);
    for (int i = 0; i < READING_MBUS_N && seen.telegram.n; i++)
        describe_mbus(d, i + 1, &r->mbus[i]);
}

/* Reports the lines of `a` that `b` has not; returns how many. */
static int report_missing(const char *file, const char *what, const char *a, const char *b)
{
    int missing = 0;
    for (const char *end; (end = strchr(a, '\n')) != NULL; a = end + 1) {
        size_t n = (size_t)(end + 1 - a);
        const char *found = b;
        while (*found && strncmp(found, a, n) != 0)
            found = strchr(found, '\n') + 1;
        if (*found)
            continue;
        print_error("%s: %s: %.*s", file, what, (int)n, a);
        missing++;
    }
    return missing;
}

static void check_file(const char *name)
{
    static struct bytes t, expected;
    static struct description got;
    int offset_s;
    load(name, "txt", &t);
    load(name, "expected", &expected);
    const char *offset = strstr((const char *)expected.p, "winter_offset_s ");
    start_stream();
    if (offset && sscanf(offset, "winter_offset_s %d", &offset_s) == 1)
        stream.winter_offset_s = offset_s;
    feed(t.p, t.n, ALL_AT_ONCE);
    note(p1_silence(&stream));
    describe(&got);
    int wrong = report_missing(name, "missing", (const char *)expected.p, got.s) +
                report_missing(name, "unexpected", got.s, (const char *)expected.p);
    assert_int_equal(wrong, 0);
}

static void files_decode_to_what_is_expected(void **state)
{
    (void)state;
    assert_true(good_n >= 16);
    for (size_t i = 0; i < good_n; i++)
        check_file(good_files[i]);
}

static void broken_files_lose_what_is_broken_alone(void **state)
{
    (void)state;
    assert_true(broken_n >= 18);
    for (size_t i = 0; i < broken_n; i++)
        check_file(broken_files[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_decode_to_what_is_expected),
        cmocka_unit_test(broken_files_lose_what_is_broken_alone),
    };
    return cmocka_run_group_tests(tests, list_files, NULL);
}
