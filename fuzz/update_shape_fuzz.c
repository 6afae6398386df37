/* update_shape_fuzz.c - any lengths in a bundle's parts: what is right for one size is right for no other.
 *
 *   8 size | 96 superblock | 5 beginning of the CMS | 8 length of the CMS | 1 which read fails, or nothing
 */
#include "gateway/update_shape.h"

#include "fuzz.h"

#include <string.h>

enum { SUPERBLOCK = 96, CMS_HEAD = 5, TAIL = 8, WHOLE = 8 + SUPERBLOCK + CMS_HEAD + TAIL };

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parts p;
    if (size < WHOLE || size > WHOLE + 1)
        return 0;
    p.fails_in = size > WHOLE ? data[WHOLE] % 4 : -1;
    memcpy(&p.size, data, 8);
    memcpy(p.superblock, data + 8, SUPERBLOCK);
    memcpy(p.cms_head, data + 8 + SUPERBLOCK, CMS_HEAD);
    memcpy(p.tail, data + 8 + SUPERBLOCK + CMS_HEAD, TAIL);
    if (!is_right(&p))
        return 0;
    p.fails_in = -1;
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
