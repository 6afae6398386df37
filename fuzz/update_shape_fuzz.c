/* update_shape_fuzz.c - any lengths in a bundle's parts: what is right has the size that its parts add up to, and no
 * other.
 *
 *   8 size | 96 superblock | 5 beginning of the CMS | 8 length of the CMS | 1 which read fails, or nothing
 */
#include "gateway/update_shape.h"

#include "fuzz.h"

#include <string.h>

enum { SUPERBLOCK = 96, CMS_HEAD = 5, TAIL = 8, WHOLE = 8 + SUPERBLOCK + CMS_HEAD + TAIL };
#define FILE_MAX (UINT64_C(1) << 63)

struct parts {
    uint64_t size;
    uint8_t superblock[SUPERBLOCK], cms_head[CMS_HEAD], tail[TAIL];
    int fails_in; /* so many reads go well */
};

/* Three places are read: the beginning, the last bytes, and where the CMS begins. */
static bool read_parts(void *context, uint64_t at, void *to, size_t length)
{
    struct parts *p = context;
    demand(at <= p->size && length <= p->size - at);
    const uint8_t *from = at == 0 ? p->superblock : at == p->size - TAIL ? p->tail : p->cms_head;
    demand(length == (at == 0 ? SUPERBLOCK : at == p->size - TAIL ? TAIL : CMS_HEAD));
    memcpy(to, from, length);
    return p->fails_in-- != 0;
}

static bool is_right(struct parts *p)
{
    char error[UPDATE_SHAPE_ERROR_MAX] = "";
    bool right = update_shape_is_right(read_parts, p, p->size, error);
    demand(right == (error[0] == 0) && memchr(error, 0, sizeof error));
    return right;
}

/* value / by, rounded up. */
static uint64_t share(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

/* Blocks of 4096 bytes, and above them hashes: one for each 128 blocks, each 128 * 128, up to a single one. */
static uint64_t blocks_with_hashes(uint64_t used)
{
    uint64_t blocks = share(used, 4096), all = blocks + share(blocks, 128);
    for (uint64_t by = 128; by < blocks; by *= 128)
        all += share(blocks, by * 128);
    return all;
}

static uint64_t number_at(const uint8_t *p, int n, int step)
{
    uint64_t value = 0;
    for (; n > 0; n--, p += step)
        value = value * 256 + *p;
    return value;
}

/* What the parts add up to; 0: they are no bundle's. */
static uint64_t size_of(const struct parts *p)
{
    uint64_t cms = number_at(p->tail, TAIL, 1), used = number_at(p->superblock + 47, 8, -1);
    const uint8_t *der = p->cms_head;
    unsigned more = der[1] >= 0x80 ? der[1] - 0x80u : 0;
    uint64_t der_length =
        2 + more + (more ? number_at(der + 2, more < 3 ? (int)more : 3, 1) : der[1]);
    bool is_squashfs =
        memcmp(p->superblock, "hsqs", 4) == 0 && number_at(p->superblock + 29, 2, -1) == 4;
    bool is_cms = der[0] == 0x30 && der[1] != 0x80 && more <= 3 && cms == der_length && cms >= 8 &&
                  cms <= 65536;
    return is_squashfs && is_cms && used > 4096 && used < FILE_MAX
               ? blocks_with_hashes(used) * 4096 + cms + TAIL
               : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parts p;
    if (size < WHOLE || size > WHOLE + 1)
        return 0;
    p.fails_in = size > WHOLE ? data[WHOLE] % 4 : -1;
    memcpy(&p.size, data, 8);
    if (p.size >= FILE_MAX)
        return 0;
    memcpy(p.superblock, data + 8, SUPERBLOCK);
    memcpy(p.cms_head, data + 8 + SUPERBLOCK, CMS_HEAD);
    memcpy(p.tail, data + 8 + SUPERBLOCK + CMS_HEAD, TAIL);
    bool right_as_it_is = is_right(&p);
    uint64_t size_by_parts = size_of(&p);
    demand(!right_as_it_is || p.size == size_by_parts);
    if (size_by_parts == 0)
        return 0;
    p.size = size_by_parts;
    p.fails_in = -1;
    demand(is_right(&p));
    uint64_t right = p.size;
    static const uint64_t others[] = {1, 7, 4095, 4096, 8192, 1 << 20};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        p.size = right + others[i];
        demand(!is_right(&p));
        p.size = right > others[i] ? right - others[i] : 0;
        demand(!is_right(&p));
    }
    return 0;
}
