#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "flash_kit_test.h"
#include "p1mb_store.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MAPS = 4, FEW_RECORDS = 4 * P1MB_RECORD_BYTES };

static const uint8_t units[] = {1, 2, 4, 8};
static struct flash_model model;

/* The n-th of settings that all differ from those before them. */
static struct p1mb_setup setup_n(unsigned n)
{
    static const uint32_t bauds[] = {9600, 115200, 1200, 57600, 19200};
    return (struct p1mb_setup){.bus = {.baud = bauds[n % COUNT(bauds)],
                                       .address = (uint8_t)(1 + n % 247),
                                       .even_parity = n & 1,
                                       .termination = n >> 1 & 1},
                               .map = (uint8_t)(n / 3 % MAPS)};
}

static bool counts(const struct p1mb_setup *setup)
{
    struct p1mb_setup loaded;
    return p1mb_store_load(&model.flash, MAPS, &loaded) && p1mb_setup_equal(&loaded, setup);
}

static void assert_counts(unsigned n)
{
    const struct p1mb_setup setup = setup_n(n);
    assert_true(counts(&setup));
}

static void save(unsigned n)
{
    const struct p1mb_setup setup = setup_n(n);
    assert_true(p1mb_store_save(&model.flash, &setup));
    assert_counts(n);
}

/* Saves, and the power goes at the given step.  False: it did not take so many. */
static bool save_cut(const struct p1mb_setup *setup, int steps)
{
    volatile bool cut = true;
    model.steps_left = steps;
    if (setjmp(model.cut) == 0) {
        assert_true(p1mb_store_save(&model.flash, setup));
        cut = false;
    }
    flash_model_power_up(&model);
    return cut;
}

/* --- a memory that works ---------------------------------------------------------------------- */

static void a_memory_that_was_never_erased_holds_none(void **unused)
{
    (void)unused;
    for (unsigned fill = 0; fill < 3; fill++) {
        struct p1mb_setup setup = setup_n(5);
        flash_model_init(&model, 1024, 1, 1);
        if (fill)
            memset(model.bytes, fill == 1 ? 0xFF : 0, sizeof model.bytes);
        assert_false(p1mb_store_load(&model.flash, MAPS, &setup));
        const struct p1mb_setup before = setup_n(5);
        assert_true(p1mb_setup_equal(&setup, &before));
        save(7);
    }
}

static void each_setting_tells_two_apart(void **unused)
{
    (void)unused;
    const struct p1mb_setup one = setup_n(0);
    struct p1mb_setup other[] = {one, one, one, one, one};
    other[0].bus.baud = 19200;
    other[1].bus.address = 17;
    other[2].bus.even_parity = true;
    other[3].bus.termination = true;
    other[4].map = 1;
    assert_true(p1mb_setup_equal(&one, &one));
    flash_model_init(&model, 1024, 8, 1);
    for (size_t i = 0; i < COUNT(other); i++) {
        assert_false(p1mb_setup_equal(&one, &other[i]));
        assert_true(p1mb_store_save(&model.flash, &other[i]));
        assert_true(counts(&other[i]));
    }
}

static void a_record_is_as_documented(void **unused)
{
    (void)unused;
    static const uint8_t first[P1MB_RECORD_BYTES] = {0x00, 0xC2, 0x01, 0x00, 0x11, 0x01,
                                                     0x00, 0x02, 0x40, 0x00, 0x00, 0x00,
                                                     0x01, 0x00, 0x21, 0xD1};
    const struct p1mb_setup setup = {.bus = {.baud = 115200, .address = 17, .even_parity = true},
                                     .map = 2};
    flash_model_init(&model, FEW_RECORDS, 4, 1);
    assert_true(p1mb_store_save(&model.flash, &setup));
    assert_memory_equal(model.bytes[0], first, sizeof first);
}

static void what_is_saved_last_counts(void **unused)
{
    (void)unused;
    for (size_t u = 0; u < COUNT(units); u++) {
        flash_model_init(&model, FEW_RECORDS, units[u], (uint32_t)u);
        for (unsigned n = 0; n < 1000; n++)
            save(n);
    }
}

static void what_counts_already_is_not_written(void **unused)
{
    (void)unused;
    flash_model_init(&model, FEW_RECORDS, 2, 1);
    for (unsigned n = 0; n < 20; n++) {
        save(n);
        unsigned units_before = model.units, erases_before = model.erases;
        save(n);
        assert_int_equal(model.units, units_before);
        assert_int_equal(model.erases, erases_before);
    }
}

/* Two pages of 1 KiB hold 64 records each, so 10 000 erases of a page are 1.28 million changes. */
static void a_thousand_changes_erase_sixteen_times(void **unused)
{
    (void)unused;
    flash_model_init(&model, 1024, 8, 1);
    for (unsigned n = 0; n < 1000; n++)
        save(n);
    assert_int_equal(model.erases, 16);
    assert_int_equal(model.units, 2000);
}

static void the_sequence_may_wrap_around(void **unused)
{
    (void)unused;
    flash_model_init(&model, FEW_RECORDS, 1, 1);
    save(0);
    /* as if nearly 2^32 bytes had been written: the same record with another sequence */
    static const uint8_t high[P1MB_RECORD_BYTES] = {0x80, 0x25, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
                                                    0xE0, 0xFF, 0xFF, 0xFF, 0x01, 0x00, 0x0B, 0x21};
    memcpy(model.bytes[0], high, sizeof high);
    assert_counts(0);
    for (unsigned n = 1; n < 50; n++)
        save(n);
}

static void settings_of_a_map_that_is_not_there_are_none(void **unused)
{
    (void)unused;
    struct p1mb_setup setup = setup_n(0), loaded = setup;
    setup.map = MAPS;
    flash_model_init(&model, FEW_RECORDS, 1, 1);
    save(0);
    assert_true(p1mb_store_save(&model.flash, &setup));
    assert_false(p1mb_store_load(&model.flash, MAPS, &loaded));
    assert_true(p1mb_store_load(&model.flash, MAPS + 1, &loaded));
    assert_int_equal(loaded.map, MAPS);
    save(1);
}

static void a_record_with_a_bit_that_flipped_is_none(void **unused)
{
    (void)unused;
    for (unsigned bit = 0; bit < 8 * P1MB_RECORD_BYTES; bit++) {
        flash_model_init(&model, FEW_RECORDS, 1, 1);
        save(0);
        save(1);
        model.bytes[0][P1MB_RECORD_BYTES + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_counts(0);
        save(2);
    }
}

/* --- power cuts ------------------------------------------------------------------------------- */

/* From this state of the memory, where n - 1 counts: a cut at every step of saving n. */
static int try_every_cut(unsigned n)
{
    static struct flash_model before;
    const struct p1mb_setup old = setup_n(n - 1), new = setup_n(n);
    before = model;
    for (int step = 0;; step++) {
        if (!save_cut(&new, step))
            return step;
        assert_true(counts(&old) || counts(&new));
        save(n + 1);
        save(n + 2);
        uint32_t random = model.random;
        model = before;
        model.random = random;
    }
}

static void a_cut_at_any_step_leaves_the_old_or_the_new(void **unused)
{
    (void)unused;
    for (size_t u = 0; u < COUNT(units); u++)
        for (uint32_t seed = 0; seed < 40; seed++) {
            int steps = 0;
            flash_model_init(&model, FEW_RECORDS, units[u], seed);
            model.checks_units = seed & 1;
            save(0);
            for (unsigned n = 1; n < 20; n++)
                steps += try_every_cut(n);
            assert_in_range(steps, 19 * P1MB_RECORD_BYTES / units[u],
                            20 + 19 * P1MB_RECORD_BYTES / units[u]);
        }
}

/* Cut after cut, in what repairs the one before as well; what is torn reads otherwise after each start.  Until one is
 * whole again, any of those tried since may count; then only that one does, for good. */
static void cuts_in_a_row_leave_one_of_those_that_were_tried(void **unused)
{
    (void)unused;
    for (size_t u = 0; u < 2 * COUNT(units); u++) {
        unsigned whole = 0, unit = units[u / 2];
        flash_model_init(&model, 1024, (uint8_t)unit, (uint32_t)u);
        model.checks_units = u & 1;
        save(0);
        for (unsigned n = 1; n < 5000; n++) {
            struct p1mb_setup loaded;
            const struct p1mb_setup new = setup_n(n);
            if (!save_cut(&new, (int)flash_model_random(&model) % ((int)(24 / unit + 1))))
                whole = n;
            assert_true(p1mb_store_load(&model.flash, MAPS, &loaded));
            unsigned tried = whole;
            struct p1mb_setup candidate = setup_n(tried);
            while (tried < n && !p1mb_setup_equal(&loaded, &candidate))
                candidate = setup_n(++tried);
            assert_true(p1mb_setup_equal(&loaded, &candidate));
        }
        assert_in_range(whole, 1, 4999);
    }
}

/* --- a memory that fails ---------------------------------------------------------------------- */

static void assert_not_saved(unsigned n, unsigned counting)
{
    const struct p1mb_setup setup = setup_n(n);
    assert_false(p1mb_store_save(&model.flash, &setup));
    assert_counts(counting);
}

static void a_memory_that_cannot_be_written_keeps_the_old(void **unused)
{
    (void)unused;
    static const struct {
        bool program_fails;
        uint8_t stuck_at_0, stuck_at_1;
    } faults[] = {{.program_fails = true}, {.stuck_at_0 = 0x01}, {.stuck_at_1 = 0x80}};
    for (size_t i = 0; i < COUNT(faults); i++)
        for (unsigned n = 1; n < 12; n++) {
            flash_model_init(&model, FEW_RECORDS, 4, n);
            for (unsigned good = 0; good < n; good++)
                save(good);
            model.program_fails = faults[i].program_fails;
            model.stuck_at_0 = faults[i].stuck_at_0;
            model.stuck_at_1 = faults[i].stuck_at_1;
            for (int times = 0; times < 10; times++)
                assert_not_saved(n, n - 1);
            model.program_fails = false;
            model.stuck_at_0 = model.stuck_at_1 = 0;
            save(n);
        }
}

static void a_sector_that_cannot_be_erased_keeps_the_old(void **unused)
{
    (void)unused;
    flash_model_init(&model, FEW_RECORDS, 4, 1);
    model.erase_fails[1] = true;
    for (unsigned n = 0; n < 4; n++)
        save(n);
    for (int times = 0; times < 3; times++)
        assert_not_saved(4, 3);
    model.erase_fails[1] = false;
    save(4);
}

static void a_memory_that_fails_from_the_start_holds_none(void **unused)
{
    (void)unused;
    const struct p1mb_setup setup = setup_n(1);
    struct p1mb_setup loaded;
    flash_model_init(&model, FEW_RECORDS, 4, 1);
    model.erase_fails[0] = true;
    assert_false(p1mb_store_save(&model.flash, &setup));
    assert_false(p1mb_store_load(&model.flash, MAPS, &loaded));
    assert_int_equal(model.units, 0);
}

/* One place that is worn out costs a sector, not the settings. */
static void a_place_that_is_worn_out_is_left(void **unused)
{
    (void)unused;
    flash_model_init(&model, FEW_RECORDS, 4, 1);
    save(0);
    model.state[0][P1MB_RECORD_BYTES / 4] = UNIT_TORN; /* reads as erased, and takes nothing */
    model.checks_units = true;
    for (unsigned n = 1; n < 9; n++)
        save(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_memory_that_was_never_erased_holds_none),
        cmocka_unit_test(each_setting_tells_two_apart),
        cmocka_unit_test(a_record_is_as_documented),
        cmocka_unit_test(what_is_saved_last_counts),
        cmocka_unit_test(what_counts_already_is_not_written),
        cmocka_unit_test(a_thousand_changes_erase_sixteen_times),
        cmocka_unit_test(the_sequence_may_wrap_around),
        cmocka_unit_test(settings_of_a_map_that_is_not_there_are_none),
        cmocka_unit_test(a_record_with_a_bit_that_flipped_is_none),
        cmocka_unit_test(a_cut_at_any_step_leaves_the_old_or_the_new),
        cmocka_unit_test(cuts_in_a_row_leave_one_of_those_that_were_tried),
        cmocka_unit_test(a_memory_that_cannot_be_written_keeps_the_old),
        cmocka_unit_test(a_sector_that_cannot_be_erased_keeps_the_old),
        cmocka_unit_test(a_memory_that_fails_from_the_start_holds_none),
        cmocka_unit_test(a_place_that_is_worn_out_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
