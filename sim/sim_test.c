#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "sim_clock.h"

enum {
    HOUR_MS = 3600000,
    DAY_S = 86400,
    SUMMER = 1781049600, /* Wednesday 2026-06-10 00:00 UTC */
    WINTER = 1768003200, /* Saturday 2026-01-10 00:00 UTC */
};

/* A meter and its latest telegram, with a NUL behind it. */
struct bench {
    struct sim sim;
    char text[SIM_TELEGRAM_MAX + 1];
    size_t len;
};

static void take(struct bench *b)
{
    b->len = sim_telegram(&b->sim, (uint8_t *)b->text, SIM_TELEGRAM_MAX);
    assert_true(b->len > 0);
    b->text[b->len] = '\0';
}

static void begin(struct bench *b, const char *name, uint64_t seed, int64_t start_utc_s)
{
    const struct sim_profile *p = sim_profile_find(name);
    assert_non_null(p);
    sim_init(&b->sim, p, seed, start_utc_s);
    take(b);
}

static void step(struct bench *b, uint32_t ms)
{
    sim_advance(&b->sim, ms);
    take(b);
}

/* The text behind "code(" or "label<HT>" at a line's begin; NULL when absent. */
static const char *after(const char *text, const char *key, char separator)
{
    size_t n = strlen(key);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL;) {
        at++;
        if (strncmp(at, key, n) == 0 && at[n] == separator)
            return at + n + 1;
    }
    return NULL;
}

/* Digits at s as a number, the dot left out: "01.234" is 1234. */
static int64_t digits(const char *s)
{
    int64_t x = 0;
    for (; (*s >= '0' && *s <= '9') || *s == '.'; s++)
        x = *s == '.' ? x : x * 10 + (*s - '0');
    return x;
}

/* The n-th (from 0) value of a P1 object. */
static const char *p1_text(const struct bench *b, const char *obis, size_t n)
{
    const char *s = after(b->text, obis, '(');
    for (; s != NULL && n > 0; n--) {
        s = strchr(s, '(');
        s = s == NULL ? NULL : s + 1;
    }
    assert_non_null(s);
    return s;
}

static int64_t p1(const struct bench *b, const char *obis)
{
    return digits(p1_text(b, obis, 0));
}

static int64_t p1_nth(const struct bench *b, const char *obis, size_t n)
{
    return digits(p1_text(b, obis, n));
}

static const char *tic_text(const struct bench *b, const char *label)
{
    const char *s = after(b->text, label, '\t');
    assert_non_null(s);
    return s;
}

static int64_t tic(const struct bench *b, const char *label)
{
    return digits(tic_text(b, label));
}

/* A value behind a horodate. */
static int64_t tic_dated(const struct bench *b, const char *label)
{
    return digits(strchr(tic_text(b, label), '\t') + 1);
}

static int64_t absolute(int64_t x)
{
    return x < 0 ? -x : x;
}

static double root(double x)
{
    double r = x > 1 ? x : 1;
    for (int i = 0; i < 60; i++)
        r = (r + x / r) / 2;
    return x > 0 ? r : 0;
}

/* CRC-16/ARC bit by bit, unlike the table-driven one in core/. */
static unsigned crc_bitwise(const char *s, size_t n)
{
    unsigned crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint8_t)s[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xA001u : crc >> 1;
    }
    return crc;
}

/* A-B:C.D.E and one or more groups in parentheses. */
static void check_p1_line(const char *s, size_t n)
{
    size_t i = 0;
    for (; i < n && s[i] != '('; i++)
        assert_non_null(strchr("0123456789-:.", s[i]));
    assert_true(i >= 9 && i < n);
    while (i < n) {
        assert_int_equal(s[i++], '(');
        for (; i < n && s[i] != ')'; i++)
            assert_true(s[i] >= ' ' && s[i] < 0x7F && s[i] != '(');
        assert_true(i < n);
        i++;
    }
}

static void check_p1_frame(const struct bench *b)
{
    assert_memory_equal(b->text, "/SIM5", 5);
    const char *s = strstr(b->text, "\r\n\r\n");
    assert_non_null(s);
    for (s += 4; *s != '!';) {
        const char *end = strstr(s, "\r\n");
        assert_non_null(end);
        check_p1_line(s, (size_t)(end - s));
        s = end + 2;
    }
    unsigned crc = crc_bitwise(b->text, (size_t)(s + 1 - b->text));
    assert_int_equal(strtoul(s + 1, NULL, 16), crc);
    assert_string_equal(s + 5, "\r\n");
    assert_ptr_equal(s + 7, b->text + b->len);
}

enum { M = 1, T = 2, P = 4, TP = T | P, MTP = M | T | P };

/* Enedis-NOI-CPT_54E 6.2.2 and 6.2.3: the labels the profiles send, in order. */
static const struct label {
    int profiles;
    const char *name;
    bool horodate;
    size_t width;
} labels[] = {
    {MTP, "ADSC", false, 12},   {MTP, "VTIC", false, 2},     {MTP, "DATE", true, 0},
    {MTP, "NGTF", false, 16},   {MTP, "LTARF", false, 16},   {MTP, "EAST", false, 9},
    {MTP, "EASF01", false, 9},  {MTP, "EASF02", false, 9},   {MTP, "EASF03", false, 9},
    {MTP, "EASF04", false, 9},  {MTP, "EASF05", false, 9},   {MTP, "EASF06", false, 9},
    {MTP, "EASF07", false, 9},  {MTP, "EASF08", false, 9},   {MTP, "EASF09", false, 9},
    {MTP, "EASF10", false, 9},  {MTP, "EASD01", false, 9},   {MTP, "EASD02", false, 9},
    {MTP, "EASD03", false, 9},  {MTP, "EASD04", false, 9},   {P, "EAIT", false, 9},
    {P, "ERQ1", false, 9},      {P, "ERQ2", false, 9},       {P, "ERQ3", false, 9},
    {P, "ERQ4", false, 9},      {MTP, "IRMS1", false, 3},    {TP, "IRMS2", false, 3},
    {TP, "IRMS3", false, 3},    {MTP, "URMS1", false, 3},    {TP, "URMS2", false, 3},
    {TP, "URMS3", false, 3},    {MTP, "PREF", false, 2},     {MTP, "PCOUP", false, 2},
    {MTP, "SINSTS", false, 5},  {TP, "SINSTS1", false, 5},   {TP, "SINSTS2", false, 5},
    {TP, "SINSTS3", false, 5},  {MTP, "SMAXSN", true, 5},    {TP, "SMAXSN1", true, 5},
    {TP, "SMAXSN2", true, 5},   {TP, "SMAXSN3", true, 5},    {MTP, "SMAXSN-1", true, 5},
    {TP, "SMAXSN1-1", true, 5}, {TP, "SMAXSN2-1", true, 5},  {TP, "SMAXSN3-1", true, 5},
    {P, "SINSTI", false, 5},    {P, "SMAXIN", true, 5},      {P, "SMAXIN-1", true, 5},
    {MTP, "CCASN", true, 5},    {MTP, "CCASN-1", true, 5},   {P, "CCAIN", true, 5},
    {P, "CCAIN-1", true, 5},    {MTP, "UMOY1", true, 3},     {TP, "UMOY2", true, 3},
    {TP, "UMOY3", true, 3},     {MTP, "STGE", false, 8},     {MTP, "MSG1", false, 32},
    {MTP, "PRM", false, 14},    {MTP, "RELAIS", false, 3},   {MTP, "NTARF", false, 2},
    {MTP, "NJOURF", false, 2},  {MTP, "NJOURF+1", false, 2}, {MTP, "PJOURF+1", false, 98},
};

static const struct label historic_labels[] = {
    {M, "ADCO", false, 12}, {M, "OPTARIF", false, 4},  {M, "ISOUSC", false, 2},
    {M, "HCHC", false, 9},  {M, "HCHP", false, 9},     {M, "PTEC", false, 4},
    {M, "IINST", false, 3}, {M, "IMAX", false, 3},     {M, "PAPP", false, 5},
    {M, "HHPHC", false, 1}, {M, "MOTDETAT", false, 6},
};

/* One group at s, from LF to CR; returns what follows. The sum is the standard's own sentence. */
static const char *check_group(const char *s, const struct label *l, char separator)
{
    bool standard = separator == '\t';
    size_t name = strlen(l->name);
    assert_int_equal(*s++, '\n');
    const char *from = s;
    assert_memory_equal(s, l->name, name);
    s += name;
    assert_int_equal(*s++, separator);
    if (l->horodate) {
        assert_non_null(strchr("EH", *s));
        assert_int_equal(strspn(s + 1, "0123456789"), 12);
        s += 13;
        assert_int_equal(*s++, separator);
    }
    for (size_t i = 0; i < l->width; i++)
        assert_in_range(s[i], 0x20, 0x7E);
    s += l->width;
    assert_int_equal(*s++, separator);
    unsigned sum = 0;
    for (const char *c = from; c < (standard ? s : s - 1); c++)
        sum += (uint8_t)*c;
    assert_int_equal(*s++, (sum & 0x3F) + 0x20);
    assert_int_equal(*s++, '\r');
    return s;
}

static void check_tic_frame(const struct bench *b)
{
    const char *name = b->sim.profile->name;
    bool historic = strcmp(name, "tic-historic") == 0;
    int profile = strcmp(name, "tic-tri") == 0 ? T : strcmp(name, "tic-producer") == 0 ? P : M;
    const struct label *l = historic ? historic_labels : labels;
    size_t n = historic ? sizeof historic_labels / sizeof *l : sizeof labels / sizeof *l;

    const char *s = b->text;
    assert_int_equal(*s++, 0x02);
    for (size_t i = 0; i < n; i++) {
        if ((l[i].profiles & profile) != 0)
            s = check_group(s, &l[i], historic ? ' ' : '\t');
    }
    assert_int_equal(*s++, 0x03);
    assert_ptr_equal(s, b->text + b->len);
}

static void check_frame(const struct bench *b)
{
    if (b->sim.profile->is_tic)
        check_tic_frame(b);
    else
        check_p1_frame(b);
}

static void profiles_are_found_by_name(void **state)
{
    static const char *const names[] = {"dsmr42",   "dsmr50",  "emucs",        "emucs-delta",
                                        "tic-mono", "tic-tri", "tic-producer", "tic-historic"};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(sim_profile_at(i)->name, names[i]);
        assert_ptr_equal(sim_profile_find(names[i]), sim_profile_at(i));
        assert_true(strlen(sim_profile_at(i)->title) < 80);
    }
    assert_null(sim_profile_at(8));
    assert_null(sim_profile_find("dsmr"));
    assert_null(sim_profile_find("dsmr500"));
    assert_null(sim_profile_find(""));
}

static void frames_are_valid_at_any_step(void **state)
{
    static const uint32_t steps_ms[] = {0, 1, 999, 1000, 10007, 63000, 899999, HOUR_MS};
    static struct bench b;
    (void)state;
    for (size_t i = 0; sim_profile_at(i) != NULL; i++) {
        begin(&b, sim_profile_at(i)->name, i + 7, i % 2 == 0 ? SUMMER : WINTER);
        int64_t end_utc_s = b.sim.house.utc_s + 3 * (int64_t)DAY_S;
        for (size_t k = 0; b.sim.house.utc_s < end_utc_s; k++) {
            check_frame(&b);
            step(&b, steps_ms[k % 8]);
        }
    }
}

static void tic_frames_fill_their_interval(void **state)
{
    static const struct {
        const char *name;
        size_t len;
    } frames[] = {
        {"tic-mono", 865}, {"tic-tri", 1214}, {"tic-producer", 1442}, {"tic-historic", 170}};
    static struct bench b;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        begin(&b, frames[i].name, 1, SUMMER);
        assert_int_equal(b.len, frames[i].len);
        double pause_ms = b.sim.profile->interval_ms - (double)b.len * 10000 / b.sim.profile->baud;
        assert_true(pause_ms > 16.7 && pause_ms < 33.4);
        assert_true(b.sim.profile->seven_bit_even);
    }
}

static void p1_telegrams_fit_their_interval(void **state)
{
    static struct bench b;
    (void)state;
    for (size_t i = 0; !sim_profile_at(i)->is_tic; i++) {
        begin(&b, sim_profile_at(i)->name, 1, SUMMER);
        assert_int_equal(b.sim.profile->baud, 115200);
        assert_false(b.sim.profile->seven_bit_even);
        assert_true(b.len * 10 * 1000 / 115200 < b.sim.profile->interval_ms);
    }
}

static void ids_are_hex_of_printable_text(void **state)
{
    static const char *const codes[] = {"0-0:96.1.1", "0-0:96.1.2", "0-1:96.1.0", "0-1:96.1.1",
                                        "0-1:96.1.2", "0-2:96.1.1", "0-2:96.1.2"};
    static struct bench b;
    (void)state;
    for (size_t i = 0; !sim_profile_at(i)->is_tic; i++) {
        begin(&b, sim_profile_at(i)->name, 123456789, SUMMER);
        for (size_t k = 0; k < sizeof codes / sizeof codes[0]; k++) {
            const char *s = after(b.text, codes[k], '(');
            if (s == NULL)
                continue;
            size_t n = strspn(s, "0123456789ABCDEF");
            assert_int_equal(s[n], ')');
            assert_true(n % 2 == 0 && n >= 20 && n <= 96);
            for (size_t c = 0; c < n; c += 2)
                assert_in_range((s[c] - '0') * 16, 0x30, 0x5A);
            assert_memory_equal(s + n - 12, "343536373839", 12);
        }
    }
}

/* The registers a profile prints, Wh. */
struct registers {
    int64_t import[2], export[2];
};

static struct registers read_registers(const struct bench *b)
{
    if (!b->sim.profile->is_tic)
        return (struct registers){{p1(b, "1-0:1.8.1"), p1(b, "1-0:1.8.2")},
                                  {p1(b, "1-0:2.8.1"), p1(b, "1-0:2.8.2")}};
    if (b->sim.profile->baud == 1200)
        return (struct registers){
            {digits(after(b->text, "HCHC", ' ')), digits(after(b->text, "HCHP", ' '))}, {0, 0}};
    bool producer = after(b->text, "EAIT", '\t') != NULL;
    return (struct registers){{tic(b, "EASF01"), tic(b, "EASF02")},
                              {producer ? tic(b, "EAIT") : 0, 0}};
}

/* W s gained since begin, against what the register shows: less than one Wh apart per register. */
static void check_gain(int64_t begin_wh, int64_t now_wh, int64_t gained_ws, int64_t registers)
{
    assert_true(now_wh >= begin_wh);
    assert_true(absolute((now_wh - begin_wh) * 3600 - gained_ws) < registers * 3600);
}

static int64_t printed_w(const struct bench *b)
{
    int64_t import_w = p1(b, "1-0:1.7.0"), export_w = p1(b, "1-0:2.7.0");
    assert_true(import_w == 0 || export_w == 0);
    return import_w - export_w;
}

static void check_p1_powers(const struct bench *b)
{
    static const char *const codes[3][2] = {
        {"1-0:21.7.0", "1-0:22.7.0"}, {"1-0:41.7.0", "1-0:42.7.0"}, {"1-0:61.7.0", "1-0:62.7.0"}};
    int64_t sum_w = 0;
    for (size_t n = 0; n < 3; n++) {
        int64_t import_w = p1(b, codes[n][0]), export_w = p1(b, codes[n][1]);
        assert_true(import_w == 0 || export_w == 0);
        sum_w += import_w - export_w;
    }
    assert_int_equal(printed_w(b), sum_w);
    assert_int_equal(printed_w(b), b->sim.house.p_w);
}

/* Integrates the powers of every second; what is printed is looked at every 37 s. */
static void check_energies(struct bench *b)
{
    struct registers first = read_registers(b), now;
    int64_t import_ws[2] = {0, 0}, export_ws[2] = {0, 0};
    bool is_tic = b->sim.profile->is_tic;

    for (int64_t s = 0; s < 3 * DAY_S; s++) {
        const struct household *h = &b->sim.house;
        import_ws[h->tariff] += h->p_w > 0 ? h->p_w : 0;
        export_ws[h->tariff] += h->p_w < 0 ? -h->p_w : 0;
        sim_advance(&b->sim, 1000);
        if (s % 37 != 0)
            continue;
        take(b);
        if (!is_tic)
            check_p1_powers(b);
        now = read_registers(b);
        for (size_t t = 0; t < 2; t++)
            check_gain(first.import[t], now.import[t], import_ws[t], 1);
        if (is_tic)
            check_gain(first.export[0], now.export[0], export_ws[0] + export_ws[1], 2);
        else
            for (size_t t = 0; t < 2; t++)
                check_gain(first.export[t], now.export[t], export_ws[t], 1);
    }
    assert_true(import_ws[0] > 0 && import_ws[1] > 0);
}

static void energies_are_the_integral_of_the_powers(void **state)
{
    static struct bench b;
    (void)state;
    for (size_t i = 0; sim_profile_at(i) != NULL; i++) {
        begin(&b, sim_profile_at(i)->name, 3 * i + 1, SUMMER);
        check_energies(&b);
    }
}

static void same_seed_same_bytes_whatever_the_steps(void **state)
{
    static struct bench a, b;
    (void)state;
    for (size_t i = 0; sim_profile_at(i) != NULL; i++) {
        const char *name = sim_profile_at(i)->name;
        begin(&a, name, 5, SUMMER);
        begin(&b, name, 5, SUMMER);
        assert_string_equal(a.text, b.text);
        for (int k = 0; k < 1000; k++)
            sim_advance(&a.sim, 7000 + 321);
        step(&a, 0);
        step(&b, 7321000);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.text, b.text, a.len);
    }
}

/* Pins the bytes: machine and compiler must not show.  Retuning the household changes them,
 * rightly. */
static void bytes_are_the_same_on_every_machine(void **state)
{
    static const unsigned crc[] = {0x52EE, 0xF00C, 0x1ADB, 0x358E, 0xAE68, 0x64F9, 0x1090, 0xD1DD};
    static struct bench b;
    (void)state;
    for (size_t i = 0; sim_profile_at(i) != NULL; i++) {
        begin(&b, sim_profile_at(i)->name, 2026, SUMMER);
        step(&b, 12 * HOUR_MS);
        assert_int_equal(crc_bitwise(b.text, b.len), crc[i]);
    }
}

static void other_seed_other_house(void **state)
{
    static struct bench a, b;
    (void)state;
    for (size_t i = 0; sim_profile_at(i) != NULL; i++) {
        int differ = 0;
        begin(&a, sim_profile_at(i)->name, 5, SUMMER);
        begin(&b, sim_profile_at(i)->name, 1000005, SUMMER); /* the same ids */
        for (int k = 0; k < 20; k++) {
            differ += a.sim.house.p_w != b.sim.house.p_w && strcmp(a.text, b.text) != 0;
            step(&a, 60000);
            step(&b, 60000);
        }
        assert_true(differ > 10);
    }
}

static void letters_follow_the_change_of_the_clocks(void **state)
{
    static const struct {
        int64_t utc_s;
        const char *p1, *tic;
    } rows[] = {
        {1743296399, "250330015959W", "H250330015959"}, /* March: 02:00 becomes 03:00 */
        {1743296400, "250330030000S", "E250330030000"},
        {1761433199, "251026005959S", "E251026005959"},
        {1761438600, "251026023000S", "E251026023000"}, /* October: 02:30 comes twice */
        {1761440399, "251026025959S", "E251026025959"},
        {1761440400, "251026020000W", "H251026020000"},
        {1761442200, "251026023000W", "H251026023000"},
        {1711846799, "240331015959W", "H240331015959"}, /* the Sunday is the 31st */
        {1711846800, "240331030000S", "E240331030000"},
        {1709164800, "240229010000W", "H240229010000"},
        {1767221999, "251231235959W", "H251231235959"},
    };
    static struct bench b;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(&b, "dsmr50", 1, rows[i].utc_s - 2);
        step(&b, 2000);
        assert_memory_equal(p1_text(&b, "0-0:1.0.0", 0), rows[i].p1, 13);
        begin(&b, "tic-mono", 1, rows[i].utc_s - 2);
        step(&b, 2000);
        assert_memory_equal(tic_text(&b, "DATE"), rows[i].tic, 13);
        check_frame(&b);
    }
}

static void start_is_kept_in_range(void **state)
{
    static struct bench b;
    (void)state;
    begin(&b, "dsmr50", 1, INT64_MIN);
    assert_memory_equal(p1_text(&b, "0-0:1.0.0", 0), "100101010000W", 13);
    begin(&b, "dsmr50", 1, INT64_MAX);
    assert_memory_equal(p1_text(&b, "0-0:1.0.0", 0), "991231010000W", 13);
}

static void months_begin_at_local_midnight(void **state)
{
    (void)state;
    for (int32_t m = -30; m < 40; m++) {
        struct sim_clock c = sim_clock_local(sim_clock_month_start(2026, m));
        assert_int_equal(c.year * 12 + c.month, 2026 * 12 + m);
        assert_int_equal(c.day, 1);
        assert_int_equal(c.hour + c.minute + c.second, 0);
    }
}

/* Belgian days are tariff 1, Dutch days tariff 2; weekends are nights for both, not in France. */
static void tariffs_follow_the_local_hour(void **state)
{
    static const struct {
        const char *name;
        int64_t utc_s;
        int64_t tariff;
    } rows[] = {
        {"dsmr50", SUMMER + 5 * 3600 - 1, 1},   {"dsmr50", SUMMER + 5 * 3600, 2},
        {"dsmr50", SUMMER + 21 * 3600 - 1, 2},  {"dsmr50", SUMMER + 21 * 3600, 1},
        {"emucs", SUMMER + 5 * 3600 - 1, 2},    {"emucs", SUMMER + 5 * 3600, 1},
        {"emucs", SUMMER + 20 * 3600 - 1, 1},   {"emucs", SUMMER + 20 * 3600, 2},
        {"dsmr42", WINTER + 12 * 3600, 1},      {"emucs-delta", WINTER + 12 * 3600, 2},
        {"tic-mono", WINTER + 12 * 3600, 2},    {"tic-mono", WINTER + 21 * 3600 - 1, 2},
        {"tic-mono", WINTER + 21 * 3600, 1},    {"tic-producer", WINTER + 5 * 3600 - 1, 1},
        {"tic-producer", WINTER + 5 * 3600, 2},
    };
    static struct bench b;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(&b, rows[i].name, 9, rows[i].utc_s);
        int64_t tariff = b.sim.profile->is_tic ? tic(&b, "NTARF") : p1(&b, "0-0:96.14.0");
        assert_int_equal(tariff, rows[i].tariff);
    }
}

static void sun_exports_at_noon_and_night_imports(void **state)
{
    static const char *const names[] = {"dsmr42", "dsmr50", "emucs", "emucs-delta", "tic-producer"};
    static struct bench b;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (uint64_t seed = 0; seed < 3; seed++) {
            int64_t noon_w = 0, night_w = 0;
            begin(&b, names[i], seed, SUMMER);
            for (int s = 0; s < 3 * DAY_S; s += 30) {
                int hour = s / 3600 % 24;
                noon_w += hour == 11 || hour == 12 ? b.sim.house.p_w : 0;
                if (hour < 2)
                    night_w += b.sim.house.p_w;
                assert_true(hour >= 2 || b.sim.house.p_w > 0);
                sim_advance(&b.sim, 30000);
            }
            assert_true(noon_w < 0);
            assert_true(night_w > 0);
        }
    }
}

static void consumers_never_export(void **state)
{
    static const char *const names[] = {"tic-mono", "tic-tri", "tic-historic"};
    static struct bench b;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(&b, names[i], 11, SUMMER);
        for (int s = 0; s < 3 * DAY_S; s++) {
            assert_true(b.sim.house.p_w > 0);
            sim_advance(&b.sim, 1000);
        }
        assert_int_equal(household_export_wms(&b.sim.house), 0);
    }
}

/* U x I is at least the active power and within the printed digits of S. */
static void currents_agree_with_powers_and_voltages(void **state)
{
    static const char *const u_code[] = {"1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0"};
    static const char *const i_code[] = {"1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0"};
    static struct bench b;
    (void)state;
    begin(&b, "emucs", 4, SUMMER);
    for (int k = 0; k < 3 * DAY_S / 61; k++) {
        for (size_t n = 0; n < 3; n++) {
            const struct household_phase *p = &b.sim.house.phase[n];
            int64_t u_dv = p1(&b, u_code[n]), i_ca = p1(&b, i_code[n]);
            double s_va = root((double)p->p_w * p->p_w + (double)p->q_var * p->q_var);
            double ui_va = (double)u_dv * (double)i_ca / 1000;
            assert_in_range(u_dv, 2220, 2410);
            assert_true(ui_va - s_va < 1.5 && s_va - ui_va < 1.5);
        }
        step(&b, 61000);
    }
}

/* From U12, I1, P1 and U32, I3, P3 the two phasors are known but for the signs of their reactive
 * parts; for one choice of signs they must add up to the printed current of line 2. */
static double delta_mismatch(const struct bench *b)
{
    double u12 = (double)p1(b, "1-0:32.7.0") / 10, u32 = (double)p1(b, "1-0:72.7.0") / 10;
    double i1 = (double)p1(b, "1-0:31.7.0") / 100, i2 = (double)p1(b, "1-0:51.7.0") / 100;
    double i3 = (double)p1(b, "1-0:71.7.0") / 100;
    double active1 = (double)(p1(b, "1-0:21.7.0") - p1(b, "1-0:22.7.0")) / u12;
    double active3 = (double)(p1(b, "1-0:61.7.0") - p1(b, "1-0:62.7.0")) / u32;
    double reactive1 = root(i1 * i1 - active1 * active1);
    double reactive3 = root(i3 * i3 - active3 * active3);
    double best = 1e9;
    for (int signs = 0; signs < 4; signs++) {
        double y1 = (signs & 1) != 0 ? reactive1 : -reactive1;
        double y3 = (signs & 2) != 0 ? reactive3 : -reactive3;
        double re = active1 + active3 * 0.5 - y3 * 0.8660254;
        double im = y1 + active3 * 0.8660254 + y3 * 0.5;
        double off = root(re * re + im * im) - i2;
        off = off < 0 ? -off : off;
        best = off < best ? off : best;
    }
    return best;
}

static void delta_currents_sum_to_zero(void **state)
{
    static struct bench b;
    int opposed = 0;
    (void)state;
    begin(&b, "emucs-delta", 2, SUMMER);
    for (int k = 0; k < 3 * DAY_S / 61; k++) {
        int64_t i1 = p1(&b, "1-0:31.7.0"), i2 = p1(&b, "1-0:51.7.0"), i3 = p1(&b, "1-0:71.7.0");
        assert_int_equal(p1(&b, "1-0:52.7.0"), 0);
        assert_int_equal(p1(&b, "1-0:41.7.0") + p1(&b, "1-0:42.7.0"), 0);
        assert_in_range(p1(&b, "1-0:32.7.0"), 2220, 2410);
        assert_in_range(p1(&b, "1-0:72.7.0"), 2220, 2410);
        assert_true(i1 <= i2 + i3 + 2 && i2 <= i1 + i3 + 2 && i3 <= i1 + i2 + 2);
        /* near power factor 1 the digits of P leave the reactive part this uncertain */
        assert_true(delta_mismatch(&b) < 0.05 + root(0.02 * (double)(i1 + i3) / 100));
        opposed += p1(&b, "1-0:21.7.0") > 0 && p1(&b, "1-0:62.7.0") > 0;
        step(&b, 61000);
    }
    assert_true(opposed > 0); /* one element may export while the other imports */
    assert_int_equal(p1(&b, "1-0:94.32.1"), 230);
    assert_int_equal(p1(&b, "0-0:96.1.4"), 50221);
}

static void quarter_hours_make_the_months_peak(void **state)
{
    static struct bench b;
    (void)state;
    begin(&b, "emucs", 8, 1738368000 - 3600 - 900); /* a quarter of an hour left of January 2025 */
    int64_t import_wh = p1(&b, "1-0:1.8.1") + p1(&b, "1-0:1.8.2");
    assert_int_equal(p1(&b, "1-0:1.4.0"), 0);
    step(&b, 899000);
    int64_t gained_wh = p1(&b, "1-0:1.8.1") + p1(&b, "1-0:1.8.2") - import_wh;
    assert_true(absolute(p1(&b, "1-0:1.4.0") - gained_wh * 4) <= 8);

    int64_t peak_w = p1_nth(&b, "1-0:1.6.0", 1);
    step(&b, 1000); /* January becomes history, the oldest month is dropped */
    assert_memory_equal(p1_text(&b, "0-0:1.0.0", 0), "250201000000W", 13);
    assert_int_equal(p1(&b, "0-0:98.1.0"), 13);
    assert_memory_equal(p1_text(&b, "0-0:98.1.0", 3), "240201000000W", 13);
    assert_memory_equal(p1_text(&b, "0-0:98.1.0", 4), "2401", 4);
    assert_memory_equal(p1_text(&b, "0-0:98.1.0", 21), "240801000000S", 13);
    assert_memory_equal(p1_text(&b, "0-0:98.1.0", 39), "250201000000W", 13);
    assert_memory_equal(p1_text(&b, "0-0:98.1.0", 40), "2501", 4);
    assert_true(p1_nth(&b, "0-0:98.1.0", 41) >= peak_w);
    assert_memory_equal(p1_text(&b, "1-0:1.6.0", 0), "250201000000W", 13);
    assert_int_equal(p1_nth(&b, "1-0:1.6.0", 1), 0);
    step(&b, 900000);
    assert_memory_equal(p1_text(&b, "1-0:1.6.0", 0), "250201001500W", 13);
    assert_true(p1_nth(&b, "1-0:1.6.0", 1) > 0);
}

/* Whenever the meter starts: each month's peak lies in its month, yesterday's maximum in yesterday.
 */
static void past_is_plausible_from_any_start(void **state)
{
    static struct bench b;
    (void)state;
    for (int32_t k = 0; k < 14 * 4; k++) { /* four days around the begin of each month */
        int64_t start_utc_s = sim_clock_month_start(2025, 10 + k / 4) + (k % 4 - 1) * DAY_S;
        begin(&b, "emucs", (uint64_t)k, start_utc_s + (k % 5 == 0 ? 12345 : 0));
        for (size_t i = 0; i < 13; i++) {
            int64_t month_end = p1_nth(&b, "0-0:98.1.0", 3 + 3 * i);
            int64_t month_begin = i == 0 ? 0 : p1_nth(&b, "0-0:98.1.0", 3 * i);
            int64_t peak = p1_nth(&b, "0-0:98.1.0", 4 + 3 * i);
            assert_true(month_begin < peak && peak <= month_end);
            assert_true(p1_nth(&b, "0-0:98.1.0", 5 + 3 * i) > 0);
        }
        assert_true(p1(&b, "1-0:1.6.0") >= p1_nth(&b, "0-0:98.1.0", 39));
        assert_true(p1(&b, "1-0:1.6.0") <= p1(&b, "0-0:1.0.0"));
    }
    for (int32_t hour = 0; hour < 400 * 24; hour += 19 * 25) {
        begin(&b, "tic-producer", (uint64_t)hour, SUMMER + (int64_t)hour * 3600);
        int64_t today = digits(tic_text(&b, "DATE") + 1) / 1000000;
        int64_t max = digits(tic_text(&b, "SMAXSN") + 1) / 1000000;
        int64_t last = digits(tic_text(&b, "SMAXSN-1") + 1) / 1000000;
        assert_int_equal(max, today);
        assert_true(last < today && last >= 260608);
        assert_true(digits(tic_text(&b, "SMAXIN-1") + 1) / 1000000 == last);
    }
}

static void gas_and_water_report_at_their_pace(void **state)
{
    static const struct {
        const char *name, *code, *minutes;
    } rows[] = {{"dsmr42", "0-1:24.2.1", "0000"},
                {"dsmr50", "0-1:24.2.1", "3500"},
                {"emucs", "0-1:24.2.3", "3500"},
                {"emucs", "0-2:24.2.1", "3500"}};
    static struct bench b;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        begin(&b, rows[i].name, 6, WINTER + 1234);
        int64_t first = p1_nth(&b, rows[i].code, 1), last = first;
        for (int k = 0; k < 72; k++) {
            step(&b, HOUR_MS);
            assert_true(p1_nth(&b, rows[i].code, 1) >= last);
            last = p1_nth(&b, rows[i].code, 1);
        }
        sim_advance(&b.sim, 1000000); /* 00:37:14 past an hour */
        take(&b);
        assert_memory_equal(p1_text(&b, rows[i].code, 0) + 8, rows[i].minutes, 4);
        assert_true(last > first);
    }
}

static void power_failures_are_logged_newest_first(void **state)
{
    static struct bench b;
    (void)state;
    begin(&b, "dsmr42", 3, SUMMER);
    assert_int_equal(p1(&b, "0-0:96.7.9"), 3);
    assert_true(p1(&b, "0-0:96.7.21") >= 3);
    assert_int_equal(p1(&b, "1-0:99.97.0"), 3);
    assert_true(p1(&b, "0-0:1.0.0") > p1_nth(&b, "1-0:99.97.0", 2));
    assert_true(p1_nth(&b, "1-0:99.97.0", 2) > p1_nth(&b, "1-0:99.97.0", 4));
    assert_true(p1_nth(&b, "1-0:99.97.0", 4) > p1_nth(&b, "1-0:99.97.0", 6));
    assert_true(p1_nth(&b, "1-0:99.97.0", 3) > 180);
}

static void check_tic_registers(const struct bench *b)
{
    int64_t tariff = tic(b, "NTARF");
    assert_int_equal(tic(b, "EAST"), tic(b, "EASF01") + tic(b, "EASF02"));
    assert_int_equal(tic(b, "EAST"), tic(b, "EASD01") + tic(b, "EASD02"));
    assert_memory_equal(tic_text(b, "LTARF"), tariff == 1 ? " HEURE  CREUSE  " : " HEURE  PLEINE  ",
                        16);
    assert_int_equal(tic(b, "RELAIS"), tariff == 1);
}

static void check_stge(const struct bench *b, bool producer)
{
    unsigned long stge = strtoul(tic_text(b, "STGE"), NULL, 16);
    int64_t tariff = tic(b, "NTARF");
    assert_int_equal(stge & 1, tic(b, "RELAIS") == 0);
    assert_int_equal(stge >> 1 & 7, 0);
    assert_int_equal(stge >> 7 & 1, tic(b, "SINSTS") > 1000 * tic(b, "PREF"));
    assert_int_equal(stge >> 8 & 1, producer);
    assert_int_equal(stge >> 9 & 1, producer && b->sim.house.p_w < 0);
    assert_int_equal(stge >> 10 & 15, tariff - 1);
    assert_int_equal(stge >> 14 & 3, tariff - 1);
    assert_int_equal(stge >> 16 & 1, 0);
    assert_int_equal(stge >> 17 & 1, 1);
    assert_int_equal(stge >> 24, 0);
}

static void check_tic_phases(const struct bench *b, bool producer)
{
    static const char *const s_label[] = {"SINSTS1", "SINSTS2", "SINSTS3"};
    static const char *const u_label[] = {"URMS1", "URMS2", "URMS3"};
    static const char *const i_label[] = {"IRMS1", "IRMS2", "IRMS3"};
    int64_t sum_va = 0;
    for (size_t n = 0; n < 3; n++) {
        int64_t s_va = tic(b, s_label[n]);
        assert_true(s_va <= tic(b, u_label[n]) * (tic(b, i_label[n]) + 1));
        sum_va += s_va;
    }
    if (!producer)
        assert_true(absolute(sum_va - tic(b, "SINSTS")) <= 2);
    else
        assert_true(tic(b, "SINSTS") == 0 || tic(b, "SINSTI") == 0);
}

static void tic_values_are_consistent(void **state)
{
    static const char *const names[] = {"tic-mono", "tic-tri", "tic-producer"};
    static struct bench b;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        bool producer = i == 2;
        int exporting = 0, maxima = 0;
        begin(&b, names[i], 21, SUMMER);
        for (int k = 0; k < 3 * DAY_S / 61; k++) {
            check_tic_registers(&b);
            check_stge(&b, producer);
            if (i > 0)
                check_tic_phases(&b, producer);
            exporting += producer && tic(&b, "SINSTI") > 1000;
            maxima += tic_dated(&b, "SMAXSN-1") > 500 && tic_dated(&b, "CCASN") < 20000;
            step(&b, 61000);
        }
        assert_true(producer ? exporting > 100 : exporting == 0);
        assert_true(maxima > 3 * DAY_S / 61 / 2);
    }
}

/* CCASN against the register, over a half hour from end to end. */
static void load_curve_is_the_mean_of_its_half_hour(void **state)
{
    static struct bench b;
    (void)state;
    begin(&b, "tic-tri", 13, SUMMER + 18 * 3600);
    for (int k = 0; k < 8; k++) {
        int64_t before_wh = tic(&b, "EAST");
        step(&b, HOUR_MS / 2);
        int64_t gained_wh = tic(&b, "EAST") - before_wh;
        assert_true(absolute(tic_dated(&b, "CCASN") - 2 * gained_wh) <= 4);
        assert_memory_equal(tic_text(&b, "CCASN"), tic_text(&b, "DATE"), 13);
    }
}

static void too_small_is_refused(void **state)
{
    static struct bench b;
    (void)state;
    for (size_t i = 0; sim_profile_at(i) != NULL; i++) {
        begin(&b, sim_profile_at(i)->name, 1, SUMMER);
        for (size_t cap = 0; cap < b.len; cap++) {
            uint8_t *exact = malloc(cap + 1); /* one spare byte, to be found untouched */
            assert_non_null(exact);
            exact[cap] = 0xA5;
            assert_int_equal(sim_telegram(&b.sim, exact, cap), 0);
            assert_int_equal(exact[cap], 0xA5);
            free(exact);
        }
        uint8_t whole[SIM_TELEGRAM_MAX];
        assert_int_equal(sim_telegram(&b.sim, whole, b.len), b.len);
    }
}

static void parity_is_even(void **state)
{
    uint8_t known[] = {0x02, 0x03, 0x0A, 0x0D, 0x09, ' ', '0', '1'};
    static const uint8_t sent[] = {0x82, 0x03, 0x0A, 0x8D, 0x09, 0xA0, 0x30, 0xB1};
    uint8_t all[128];
    (void)state;
    sim_add_even_parity(known, sizeof known);
    assert_memory_equal(known, sent, sizeof known);
    for (unsigned i = 0; i < 128; i++)
        all[i] = (uint8_t)i;
    sim_add_even_parity(all, sizeof all);
    for (unsigned i = 0; i < 128; i++) {
        unsigned ones = 0;
        for (unsigned bit = 0; bit < 8; bit++)
            ones += (unsigned)all[i] >> bit & 1u;
        assert_int_equal(ones % 2, 0);
        assert_int_equal(all[i] & 0x7F, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_are_found_by_name),
        cmocka_unit_test(frames_are_valid_at_any_step),
        cmocka_unit_test(tic_frames_fill_their_interval),
        cmocka_unit_test(p1_telegrams_fit_their_interval),
        cmocka_unit_test(ids_are_hex_of_printable_text),
        cmocka_unit_test(energies_are_the_integral_of_the_powers),
        cmocka_unit_test(same_seed_same_bytes_whatever_the_steps),
        cmocka_unit_test(bytes_are_the_same_on_every_machine),
        cmocka_unit_test(other_seed_other_house),
        cmocka_unit_test(letters_follow_the_change_of_the_clocks),
        cmocka_unit_test(start_is_kept_in_range),
        cmocka_unit_test(months_begin_at_local_midnight),
        cmocka_unit_test(tariffs_follow_the_local_hour),
        cmocka_unit_test(sun_exports_at_noon_and_night_imports),
        cmocka_unit_test(consumers_never_export),
        cmocka_unit_test(currents_agree_with_powers_and_voltages),
        cmocka_unit_test(delta_currents_sum_to_zero),
        cmocka_unit_test(quarter_hours_make_the_months_peak),
        cmocka_unit_test(past_is_plausible_from_any_start),
        cmocka_unit_test(gas_and_water_report_at_their_pace),
        cmocka_unit_test(power_failures_are_logged_newest_first),
        cmocka_unit_test(tic_values_are_consistent),
        cmocka_unit_test(load_curve_is_the_mean_of_its_half_hour),
        cmocka_unit_test(too_small_is_refused),
        cmocka_unit_test(parity_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
