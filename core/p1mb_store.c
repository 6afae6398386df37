#include "p1mb_store.h"

#include "bytes.h"
#include "crc16.h"

#include <string.h>

/* A record's bytes (p1mb_store.h). */
enum { AT_SEQUENCE = P1MB_SETUP_BYTES, AT_LAYOUT = 12, AT_NOTHING, AT_CRC };

enum { LAYOUT = 1, ERASED = 0xFF };

/* --- a record --------------------------------------------------------------------------------- */

static void make_record(uint8_t *record, const struct p1mb_setup *setup, uint32_t sequence)
{
    p1mb_setup_put(setup, record);
    put_le32(record + AT_SEQUENCE, sequence);
    record[AT_LAYOUT] = LAYOUT;
    record[AT_NOTHING] = 0;
    put_le16(record + AT_CRC, crc16_update(CRC16_MODBUS_INIT, record, AT_CRC));
}

/* A record is what would be written for what it says, to the last bit: more than a CRC of 16 bits can tell. */
static bool is_record(const uint8_t *slot, struct p1mb_setup *setup)
{
    uint8_t again[P1MB_RECORD_BYTES];
    if (p1mb_setup_get(slot, UINT8_MAX, setup) != P1MB_DONE)
        return false;
    make_record(again, setup, get_le32(slot + AT_SEQUENCE));
    return memcmp(slot, again, sizeof again) == 0;
}

static bool is_erased(const uint8_t *slot)
{
    for (int i = 0; i < P1MB_RECORD_BYTES; i++)
        if (slot[i] != ERASED)
            return false;
    return true;
}

/* --- the memory ------------------------------------------------------------------------------- */

/* The record that counts, and what it says; NULL: none. */
static const uint8_t *find(const struct flash *f, unsigned *sector, struct p1mb_setup *setup)
{
    const uint8_t *found = NULL;
    for (unsigned s = 0; s < FLASH_SECTORS; s++) {
        const uint8_t *slot = f->sector(f, s);
        for (const uint8_t *end = slot + f->sector_bytes; slot < end; slot += P1MB_RECORD_BYTES) {
            struct p1mb_setup says;
            if (!is_record(slot, &says))
                continue;
            /* as a difference: the sequence may wrap around */
            if (found &&
                (int32_t)(get_le32(slot + AT_SEQUENCE) - get_le32(found + AT_SEQUENCE)) <= 0)
                continue;
            found = slot;
            *setup = says;
            *sector = s;
        }
    }
    return found;
}

/* Where the places begin that were never used.  One before them that reads as erased was cut off, and is none. */
static uint32_t find_free(const struct flash *f, unsigned sector)
{
    const uint8_t *begin = f->sector(f, sector);
    uint32_t offset = f->sector_bytes;
    while (offset > 0 && is_erased(begin + offset - P1MB_RECORD_BYTES))
        offset -= P1MB_RECORD_BYTES;
    return offset;
}

/* What can be read decides, whatever the memory says: it is what counts after a start. */
static bool write(const struct flash *f, unsigned sector, uint32_t offset, uint32_t sequence,
                  const struct p1mb_setup *setup)
{
    uint8_t record[P1MB_RECORD_BYTES];
    make_record(record, setup, sequence);
    (void)f->program(f, sector, offset, record, P1MB_RECORD_BYTES);
    return memcmp(f->sector(f, sector) + offset, record, P1MB_RECORD_BYTES) == 0;
}

bool p1mb_store_load(const struct flash *f, uint8_t maps, struct p1mb_setup *setup)
{
    unsigned sector;
    struct p1mb_setup found;
    if (!find(f, &sector, &found) || found.map >= maps)
        return false;
    *setup = found;
    return true;
}

bool p1mb_store_save(const struct flash *f, const struct p1mb_setup *setup)
{
    unsigned sector = FLASH_SECTORS - 1;
    uint32_t first = 0; /* the sequence of the sector's first place */
    struct p1mb_setup kept;
    const uint8_t *old = find(f, &sector, &kept);
    if (old) {
        if (p1mb_setup_equal(&kept, setup))
            return true;
        first = get_le32(old + AT_SEQUENCE) - (uint32_t)(old - f->sector(f, sector));
        for (uint32_t offset = find_free(f, sector); offset < f->sector_bytes;
             offset += P1MB_RECORD_BYTES)
            if (write(f, sector, offset, first + offset, setup))
                return true;
    }
    /* No place takes what is written: the other sector, erased anew, for a cut may have left it half erased. */
    sector = FLASH_SECTORS - 1 - sector;
    return f->erase(f, sector) && write(f, sector, 0, first + f->sector_bytes, setup);
}
