#include "update_shape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 4096,
    HASHES_IN_BLOCK = BLOCK / 32, /* SHA-256 */
    CMS_LENGTH_SIZE = 8,
    CMS_MIN = 8,
    CMS_MAX = 65536, /* RAUC's bound */
};

/* The superblock of squashfs 4.0, little-endian: magic at 0, version at 28, bytes used at 40. */
enum { SUPERBLOCK_MAGIC = 0, SUPERBLOCK_MAJOR = 28, SUPERBLOCK_USED = 40, SUPERBLOCK_SIZE = 96 };
static const uint8_t squashfs_magic[] = {'h', 's', 'q', 's'};

struct source {
    update_shape_read *read;
    void *context;
    uint64_t size;
    char *error;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct source *s, const char *format,
                                                         ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->error, UPDATE_SHAPE_ERROR_MAX, format, arguments);
    va_end(arguments);
    return false;
}

static bool read_bytes(const struct source *s, uint64_t at, void *to, size_t length)
{
    return s->read(s->context, at, to, length) ||
           refuse(s, "cannot be read at byte %" PRIu64 " of %" PRIu64, at, s->size);
}

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

static uint64_t little_endian(const uint8_t *p, size_t n)
{
    uint64_t value = 0;
    while (n-- > 0)
        value = value << 8 | p[n];
    return value;
}

/* DER: the length of a SEQUENCE with its header.  0: this begins none, or a longer one than we know. */
static uint64_t sequence_length(const uint8_t head[static 5])
{
    enum { SEQUENCE = 0x30, LONG_FORM = 0x80, LENGTH_BYTES_MAX = 3 };
    if (head[0] != SEQUENCE)
        return 0;
    if (head[1] < LONG_FORM)
        return 2 + (uint64_t)head[1];
    size_t n = head[1] - (size_t)LONG_FORM;
    return n >= 1 && n <= LENGTH_BYTES_MAX ? 2 + n + big_endian(head + 2, n) : 0;
}

/* Blocks of dm-verity's hash tree above so many blocks of data. */
static uint64_t tree_blocks(uint64_t data_blocks)
{
    uint64_t total = 0, level = data_blocks;
    while (level > 1) {
        level = (level + HASHES_IN_BLOCK - 1) / HASHES_IN_BLOCK;
        total += level;
    }
    return total;
}

static bool cms_length(const struct source *s, uint64_t *length)
{
    uint8_t tail[CMS_LENGTH_SIZE], head[5];
    if (s->size < SUPERBLOCK_SIZE + CMS_MIN + CMS_LENGTH_SIZE)
        return refuse(s, "no update: only %" PRIu64 " bytes", s->size);
    if (!read_bytes(s, s->size - CMS_LENGTH_SIZE, tail, sizeof tail))
        return false;
    *length = big_endian(tail, sizeof tail);
    if (*length < CMS_MIN || *length > CMS_MAX ||
        *length > s->size - CMS_LENGTH_SIZE - SUPERBLOCK_SIZE)
        return refuse(s, "its end is cut off, or something follows it: no signature there");
    if (!read_bytes(s, s->size - CMS_LENGTH_SIZE - *length, head, sizeof head))
        return false;
    return sequence_length(head) == *length ||
           refuse(s, "its signature is damaged, or something follows it");
}

static bool squashfs_blocks(const struct source *s, uint64_t *blocks)
{
    uint8_t head[SUPERBLOCK_SIZE];
    if (!read_bytes(s, 0, head, sizeof head))
        return false;
    if (memcmp(head + SUPERBLOCK_MAGIC, squashfs_magic, sizeof squashfs_magic) != 0 ||
        little_endian(head + SUPERBLOCK_MAJOR, 2) != 4)
        return refuse(s, "no update: it does not begin as one");
    uint64_t used = little_endian(head + SUPERBLOCK_USED, 8);
    if (used > s->size)
        return refuse(s, "cut off: %" PRIu64 " bytes, its content alone has %" PRIu64, s->size,
                      used);
    *blocks = (used + BLOCK - 1) / BLOCK;
    return *blocks > 1 || refuse(s, "its content has only %" PRIu64 " bytes", used);
}

bool update_shape_is_right(update_shape_read *read, void *context, uint64_t size,
                           char error[static UPDATE_SHAPE_ERROR_MAX])
{
    const struct source s = {read, context, size, error};
    uint64_t cms = 0, blocks = 0;
    if (!cms_length(&s, &cms) || !squashfs_blocks(&s, &blocks))
        return false;
    uint64_t payload = size - CMS_LENGTH_SIZE - cms, right = (blocks + tree_blocks(blocks)) * BLOCK;
    return payload == right || refuse(&s,
                                      "%" PRIu64 " bytes before its signature, where its content "
                                      "and their hashes have %" PRIu64,
                                      payload, right);
}
