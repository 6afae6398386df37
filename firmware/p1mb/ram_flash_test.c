#include "ram_flash.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

enum { SECTOR = 32, ALL = FLASH_SECTORS * SECTOR };

static uint8_t memory[ALL + 1];
static const struct flash flash = {
    .context = memory, .sector_bytes = SECTOR, .unit_bytes = 4, .sector = ram_flash_sector};

static int fill_memory(void **state)
{
    (void)state;
    memset(memory, 0x5A, sizeof memory);
    return 0;
}

static void test_erasing_makes_one_sector_ff(void **state)
{
    (void)state;
    assert_true(ram_flash_erase(&flash, 1));
    for (unsigned i = 0; i < sizeof memory; i++)
        assert_int_equal(memory[i], i >= SECTOR && i < ALL ? 0xFF : 0x5A);
    assert_ptr_equal(ram_flash_sector(&flash, 0), memory);
    assert_ptr_equal(ram_flash_sector(&flash, 1), memory + SECTOR);
}

static void test_a_unit_is_programmed_once(void **state)
{
    (void)state;
    const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t before[sizeof memory];
    assert_true(ram_flash_erase(&flash, 0));
    assert_true(ram_flash_program(&flash, 0, 8, bytes, 8));
    assert_memory_equal(memory + 8, bytes, 8);
    memcpy(before, memory, sizeof before);
    assert_false(ram_flash_program(&flash, 0, 12, bytes, 8));
    assert_false(ram_flash_program(&flash, 1, 0, bytes, 4)); /* was not erased */
    assert_memory_equal(memory, before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_erasing_makes_one_sector_ff, fill_memory),
        cmocka_unit_test_setup(test_a_unit_is_programmed_once, fill_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
