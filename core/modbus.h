/* modbus.h - a Modbus server's answers as pure functions over buffers (Application Protocol V1.1b3,
 * Messaging on TCP/IP Guide V1.0b).
 *
 *   MBAP   transaction 2 | protocol 2 = 0 | length 2 | unit 1 | PDU ...      length counts unit + PDU
 *   PDU    function 1 | data ...                                             253 bytes at most
 *
 * Function codes 03 and 04 read, 08/00 echoes, 2B/0E tells who answers; 06 and 16 write settings where the bank
 * has some to be written.  Every other one is answered with exception 01.
 */
#ifndef MODBUS_H
#define MODBUS_H

#include "register_write.h"

enum {
    MODBUS_PDU_MAX = 253,
    MBAP_HEADER = 7,
    MBAP_ADU_MAX = MBAP_HEADER + MODBUS_PDU_MAX,
    MODBUS_READ_MAX = 125, /* registers of one request */
    MODBUS_WRITE_MAX = 123
};

/* Exception codes (clause 7). */
enum modbus_exception {
    MODBUS_OK = 0,
    MODBUS_ILLEGAL_FUNCTION = 0x01,
    MODBUS_ILLEGAL_ADDRESS = 0x02,
    MODBUS_ILLEGAL_VALUE = 0x03,
    MODBUS_DEVICE_FAILURE = 0x04,
    MODBUS_TARGET_SILENT =
        0x0B, /* gateway target device failed to respond: the meter's data is stale */
    MODBUS_NO_ANSWER = 0x100 /* not of the standard: say nothing at all, on a bus */
};

/* Device identification objects of 2B/0E, the basic category. */
enum { MODBUS_ID_OBJECTS = 3 };

/* What is served.  All of it stays the caller's. */
struct modbus_bank {
    const struct register_image *image;
    enum modbus_exception
        refusal; /* reads of measured registers are answered with this; MODBUS_OK: served */
    const char *id[MODBUS_ID_OBJECTS]; /* vendor, product code, revision; up to 64 characters each */
    struct register_device *writable;  /* takes what is written; NULL: nothing can be written */
    enum word_order order;             /* of what is written: that of the image */
};

/* Answers one request PDU of n bytes (n >= 1) into out, and returns the answer's length, at least 2; 0: no answer.
 * The order of checks is that of the standard's state diagrams: function (and sub-function), then
 * quantity (or a length that does not fit the function: exception 03), then address. */
size_t modbus_pdu_reply(const struct modbus_bank *bank, const uint8_t *pdu, size_t n,
                        uint8_t out[static MODBUS_PDU_MAX]);

/* What a framing finds at the start of some bytes. */
enum modbus_frame_result {
    FRAME_MORE,    /* not complete yet */
    FRAME_REQUEST, /* a request to answer */
    FRAME_SKIP,    /* frame->total bytes to step over without an answer */
    FRAME_BAD      /* the stream cannot be followed any more */
};

struct modbus_frame {
    const uint8_t *adu; /* its first byte; within the bytes that were looked at */
    size_t total;       /* its length in bytes, header and checksum included */
};

/* Looks at the n bytes that came over TCP.  FRAME_SKIP: the protocol identifier is not 0.  FRAME_BAD: a
 * length below 2 or above 254. */
enum modbus_frame_result mbap_parse(const uint8_t *bytes, size_t n, struct modbus_frame *frame);

/* Answers a frame (FRAME_REQUEST) into out; returns the length, 0: no answer.  Transaction and unit id are echoed;
 * any unit id is answered, 0 too, since TCP has no broadcast. */
size_t mbap_reply(const struct modbus_bank *bank, const struct modbus_frame *frame,
                  uint8_t out[static MBAP_ADU_MAX]);

#endif
