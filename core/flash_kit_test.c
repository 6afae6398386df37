#include "flash_kit_test.h"

#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

/* Xorshift: the low bits of the usual short ones repeat too soon to be bytes of their own. */
uint32_t flash_model_random(struct flash_model *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 17;
    m->random ^= m->random << 5;
    return m->random;
}

static struct flash_model *model_of(const struct flash *f)
{
    return f->context;
}

static bool is_cut(struct flash_model *m)
{
    return m->steps_left >= 0 && m->steps_left-- == 0;
}

/* How much of what was under way has changed; the last is not about that, but anything. */
enum { TORN_NONE, TORN_ALL, TORN_HALF, TORN_MOST, TORN_ANYTHING };

static uint8_t torn_byte(struct flash_model *m, unsigned kind, uint8_t before, uint8_t after)
{
    uint8_t a = (uint8_t)flash_model_random(m), b = (uint8_t)flash_model_random(m);
    const uint8_t changed[] = {
        [TORN_NONE] = 0, [TORN_ALL] = 0xFF, [TORN_HALF] = a, [TORN_MOST] = a | b};
    return kind == TORN_ANYTHING ? a
                                 : (uint8_t)((before & ~changed[kind]) | (after & changed[kind]));
}

static void settle(struct flash_model *m, unsigned kind, unsigned sector, uint32_t offset,
                   uint32_t n)
{
    for (uint32_t i = offset; i < offset + n; i++)
        m->bytes[sector][i] = torn_byte(m, kind, m->before[sector][i], m->after[sector][i]);
}

/* The change to `after` was cut off. */
static void tear(struct flash_model *m, unsigned sector, uint32_t offset, uint32_t n,
                 enum unit_state state)
{
    uint8_t unit = m->flash.unit_bytes;
    memcpy(m->before[sector] + offset, m->bytes[sector] + offset, n);
    for (uint32_t i = offset / unit; i < (offset + n) / unit; i++)
        m->state[sector][i] = state;
    settle(m, flash_model_random(m) % (TORN_ANYTHING + 1), sector, offset, n);
    longjmp(m->cut, 1);
}

static const uint8_t *sector_of(const struct flash *f, unsigned sector)
{
    assert_in_range(sector, 0, FLASH_SECTORS - 1);
    return model_of(f)->bytes[sector];
}

static bool erase(const struct flash *f, unsigned sector)
{
    struct flash_model *m = model_of(f);
    assert_in_range(sector, 0, FLASH_SECTORS - 1);
    m->erases++;
    memset(m->after[sector], 0xFF, f->sector_bytes);
    if (is_cut(m))
        tear(m, sector, 0, f->sector_bytes, UNIT_UNKNOWN);
    if (m->erase_fails[sector])
        return false;
    memset(m->bytes[sector], 0xFF, f->sector_bytes);
    for (uint32_t i = 0; i < f->sector_bytes / f->unit_bytes; i++)
        m->state[sector][i] = UNIT_ERASED;
    return true;
}

static bool program_unit(struct flash_model *m, unsigned sector, uint32_t offset,
                         const uint8_t *bytes)
{
    uint8_t unit = m->flash.unit_bytes;
    uint8_t *here = m->bytes[sector] + offset;
    enum unit_state *state = &m->state[sector][offset / unit];
    bool torn = *state == UNIT_TORN;
    assert_true(*state == UNIT_ERASED || torn);
    for (unsigned i = 0; i < unit; i++) {
        assert_int_equal(here[i], 0xFF);
        m->after[sector][offset + i] = bytes[i];
    }
    m->units++;
    if (is_cut(m))
        tear(m, sector, offset, unit, UNIT_TORN);
    *state = UNIT_TORN;
    memcpy(m->before[sector] + offset, here, unit);
    if (m->program_fails || (torn && m->checks_units))
        return false;
    *state = UNIT_WRITTEN;
    for (unsigned i = 0; i < unit; i++)
        here[i] = (uint8_t)((bytes[i] & ~m->stuck_at_0) | m->stuck_at_1);
    return true;
}

static bool program(const struct flash *f, unsigned sector, uint32_t offset, const uint8_t *bytes,
                    uint32_t n)
{
    assert_in_range(sector, 0, FLASH_SECTORS - 1);
    assert_int_equal(offset % f->unit_bytes, 0);
    assert_int_equal(n % f->unit_bytes, 0);
    assert_in_range(offset + n, 1, f->sector_bytes);
    for (uint32_t i = 0; i < n; i += f->unit_bytes)
        if (!program_unit(model_of(f), sector, offset + i, bytes + i))
            return false;
    return true;
}

void flash_model_init(struct flash_model *m, uint32_t sector_bytes, uint8_t unit_bytes,
                      uint32_t seed)
{
    memset(m, 0, sizeof *m);
    m->flash = (struct flash){.context = m,
                              .sector_bytes = sector_bytes,
                              .unit_bytes = unit_bytes,
                              .sector = sector_of,
                              .erase = erase,
                              .program = program};
    m->random = seed * 2654435761U | 1; /* 0 would stay 0 */
    m->steps_left = -1;
    for (unsigned s = 0; s < FLASH_SECTORS; s++)
        for (uint32_t i = 0; i < sector_bytes; i++)
            m->bytes[s][i] = (uint8_t)flash_model_random(m);
}

void flash_model_power_up(struct flash_model *m)
{
    uint8_t unit = m->flash.unit_bytes;
    m->steps_left = -1;
    for (unsigned s = 0; s < FLASH_SECTORS; s++)
        for (uint32_t i = 0; i < m->flash.sector_bytes / unit; i++)
            if (m->state[s][i] == UNIT_TORN)
                settle(m, flash_model_random(m) % TORN_ANYTHING, s, i * unit, unit);
}
