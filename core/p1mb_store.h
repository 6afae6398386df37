/* p1mb_store.h - the settings of a P1MB in flash memory: a power cut at any moment leaves the old ones or the new ones.
 *
 *   record, 16 bytes, numbers low byte first
 *     0  setup, 8 bytes (p1mb.h)      12  layout, 1      14  CRC-16/MODBUS of bytes 0 to 13
 *     8  sequence, 4 bytes            13  0
 *
 * Records fill one sector, then the other; the valid one with the highest sequence counts.  The sequence is the place
 * of a record in the row of all there ever were, in bytes, modulo 2^32: so one that was cut off, and reads well one day
 * and badly the next, can never come out above those written after it.  A sector is erased only while the record that
 * counts is in the other one.  A record that was cut off is no record, and its place stays unused.
 */
#ifndef P1MB_STORE_H
#define P1MB_STORE_H

#include "flash.h"
#include "p1mb.h"

enum { P1MB_RECORD_BYTES = 16 };

/* Reads the settings that count.  False: there are none that are good, with a map below `maps`; *setup is unchanged. */
bool p1mb_store_load(const struct flash *flash, uint8_t maps, struct p1mb_setup *setup);

/* Makes these settings, which are good, the ones that count, unless they are already.  Blocks while the memory works.
 * False: it could not be done; the old ones count still. */
bool p1mb_store_save(const struct flash *flash, const struct p1mb_setup *setup);

#endif
