/* flash_kit_test.h - flash memory as a model that knows its rules: it fails the test that breaks them, and its power
 * can be cut within any erase and any unit that is programmed.
 *
 * What was under way at a cut is torn: some of its bits changed, all, or none, or it reads as anything, and it may read
 * otherwise after each start.  A torn unit that reads as erased may be programmed, for nobody can know; a torn sector
 * may not. */
#ifndef FLASH_KIT_TEST_H
#define FLASH_KIT_TEST_H

#include "flash.h"

#include <setjmp.h>

enum { MODEL_SECTOR_MAX = 2048, MODEL_UNITS_MAX = MODEL_SECTOR_MAX };

struct flash_model {
    struct flash flash; /* what the code under test gets */
    uint8_t bytes[FLASH_SECTORS][MODEL_SECTOR_MAX];
    /* the test's to set */
    int steps_left; /* erases and units until the power is cut in the midst of one; negative: never */
    jmp_buf cut;    /* where the cut goes to */
    bool checks_units; /* a unit that was torn is refused, as memories with ECC do */
    bool erase_fails[FLASH_SECTORS], program_fails;
    uint8_t stuck_at_0, stuck_at_1; /* bits of every byte that is programmed from now on */
    /* read-only */
    unsigned erases, units;
    /* private */
    enum unit_state {
        UNIT_UNKNOWN,
        UNIT_ERASED,
        UNIT_WRITTEN,
        UNIT_TORN
    } state[FLASH_SECTORS][MODEL_UNITS_MAX];
    uint8_t before[FLASH_SECTORS][MODEL_SECTOR_MAX], after[FLASH_SECTORS][MODEL_SECTOR_MAX];
    uint32_t random;
};

/* A memory that was never erased, and holds anything. */
void flash_model_init(struct flash_model *m, uint32_t sector_bytes, uint8_t unit_bytes,
                      uint32_t seed);

/* The power comes back: what is torn reads some way. */
void flash_model_power_up(struct flash_model *m);

/* The next number of a row that the seed begins. */
uint32_t flash_model_random(struct flash_model *m);

#endif
