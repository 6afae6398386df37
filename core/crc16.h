/* crc16.h - CRC-16 with polynomial x^16+x^15+x^2+1, reflected (0xA001).
 *
 * P1 telegrams and Modbus RTU use the same polynomial: P1 starts from 0x0000 (CRC-16/ARC), Modbus
 * from 0xFFFF.  Neither inverts the result.  Check value of "123456789": ARC 0xBB3D, Modbus 0x4B37.
 */
#ifndef CRC16_H
#define CRC16_H

#include <stddef.h>
#include <stdint.h>

#define CRC16_ARC_INIT UINT16_C(0x0000)
#define CRC16_MODBUS_INIT UINT16_C(0xFFFF)

/* Returns the CRC of the n bytes at p, continuing from crc.  Never blocks, cannot fail.
 * Two builds of it exist, to choose at link time: crc16_slice8.c (4 KiB of tables, for Linux) and
 * crc16_nibble.c (32 bytes of tables, for microcontrollers). */
uint16_t crc16_update(uint16_t crc, const uint8_t *p, size_t n);

#endif
