/* modbus_rtu.h - RTU framing as pure functions over buffers (Serial Line Guide V1.02, clause 2.5.1).
 *
 *   ADU   unit 1 | PDU ... | CRC 2, low byte first          256 bytes at most
 *
 * The end of a frame is found by the length its function code implies, not by silence, so that it also
 * works where there is no timing: RTU over TCP.
 */
#ifndef MODBUS_RTU_H
#define MODBUS_RTU_H

#include "modbus.h"

enum { RTU_ADU_MAX = 256 };

/* Looks at the n bytes that came.  FRAME_SKIP: one byte that begins no frame with a good CRC, or a
 * broadcast, which is never answered.  Never FRAME_BAD: noise costs a byte at a time. */
enum modbus_frame_result rtu_parse(const uint8_t *bytes, size_t n, struct modbus_frame *frame);

/* For a line, where silence says how many bytes there are.  Each returns the length of the frame that the first of n
 * bytes begins: a request, or a reply of some unit, as long as its function code says; or what has a function code that
 * no table knows and ends with the bytes.  0: there is none with a good CRC. */
size_t rtu_request_at(const uint8_t *bytes, size_t n);
size_t rtu_reply_at(const uint8_t *bytes, size_t n);
size_t rtu_unknown_at(const uint8_t *bytes, size_t n);

/* Answers a frame (FRAME_REQUEST) into out; returns the length; 0: no answer. */
size_t rtu_reply(const struct modbus_bank *bank, const struct modbus_frame *frame,
                 uint8_t out[static RTU_ADU_MAX]);

#endif
