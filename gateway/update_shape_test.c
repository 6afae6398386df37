#include "update_shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bundle_kit_test.h"

enum { SIZE_MAX_HERE = 600 * BLOCK };

struct file {
    uint8_t bytes[SIZE_MAX_HERE];
    uint64_t size, unreadable_from;
};

static bool read_file(void *context, uint64_t at, void *to, size_t length)
{
    const struct file *f = context;
    assert_true(at <= f->size && length <= f->size - at);
    if (at + length > f->unreadable_from)
        return false;
    memcpy(to, f->bytes + at, length);
    return true;
}

static void put_tail(struct file *f, uint64_t cms)
{
    f->size = bundle_kit_put_tail(f->bytes, f->size, cms);
}

static struct file *bundle(uint32_t used, uint32_t tree_blocks, uint32_t extra)
{
    static struct file f;
    memset(&f, 0, sizeof f);
    f.size = bundle_kit_make(f.bytes, used, tree_blocks, extra);
    f.unreadable_from = UINT64_MAX;
    return &f;
}

static bool is_right(struct file *f)
{
    char error[UPDATE_SHAPE_ERROR_MAX] = "";
    bool right = update_shape_is_right(read_file, f, f->size, error);
    assert_int_equal(right, error[0] == 0);
    return right;
}

static void trees_of_one_and_two_levels_are_counted(void **unused)
{
    (void)unused;
    assert_true(is_right(bundle(BLOCK + 1, 1, 0)));
    assert_true(is_right(bundle(2 * BLOCK, 1, 0)));
    assert_true(is_right(bundle(128 * BLOCK, 1, 0)));
    assert_true(is_right(bundle(129 * BLOCK, 3, 0))); /* 2 and their root */
    assert_true(is_right(bundle(500 * BLOCK - 7, 5, 0)));
    assert_false(is_right(bundle(129 * BLOCK, 2, 0)));
    assert_false(is_right(bundle(129 * BLOCK, 4, 0)));
}

static void content_of_one_block_has_no_tree(void **unused)
{
    (void)unused;
    assert_false(is_right(bundle(BLOCK, 1, 0)));
    assert_false(is_right(bundle(0, 1, 0)));
}

static void nothing_stands_between_the_parts(void **unused)
{
    static const uint32_t extra[] = {1, 3, 8, BLOCK - 1, BLOCK, 4 * BLOCK};
    (void)unused;
    for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++)
        assert_false(is_right(bundle(3 * BLOCK, 1, extra[i])));
}

static void nothing_follows_the_signature(void **unused)
{
    struct file *f = bundle(3 * BLOCK, 1, 0);
    (void)unused;
    for (uint64_t cms = 0; cms < 2 * CMS_SIZE; cms++) {
        f->size -= 8;
        put_tail(f, cms);
        assert_int_equal(is_right(f), cms == CMS_SIZE);
    }
    f = bundle(3 * BLOCK, 1, 0);
    f->size -= 8 - 2; /* two bytes inside the signature's length */
    put_tail(f, CMS_SIZE + 2);
    assert_false(is_right(f));
}

static void every_shorter_and_longer_file_is_refused(void **unused)
{
    struct file *f = bundle(2 * BLOCK, 1, 0);
    uint64_t right = f->size;
    (void)unused;
    for (f->size = 0; f->size < right + 2 * BLOCK; f->size++)
        assert_int_equal(is_right(f), f->size == right);
}

static void a_length_of_der_has_up_to_three_bytes(void **unused)
{
    static const struct {
        uint8_t head[5];
        uint64_t cms;
    } rows[] = {{{0x30, 0x7F}, 0x81},
                {{0x30, 0x81, 0x80}, 0x83},
                {{0x30, 0x82, 0x01, 0x00}, 0x104},
                {{0x30, 0x83, 0x00, 0x01, 0x00}, 0x105}};
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct file *f = bundle(2 * BLOCK, 1, 0);
        memcpy(f->bytes + 3 * BLOCK, rows[i].head, sizeof rows[i].head);
        f->size = 3 * BLOCK + rows[i].cms;
        put_tail(f, rows[i].cms);
        assert_true(is_right(f));
    }
}

static void what_is_no_sequence_is_no_signature(void **unused)
{
    static const uint8_t heads[][5] = {
        {0x31, 0x82, 0x01, 0x23}, {0x30, 0x80}, {0x30, 0x84, 0, 0, 1}, {0x30, 0xFF}, {0}};
    (void)unused;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct file *f = bundle(2 * BLOCK, 1, 0);
        memcpy(f->bytes + 3 * BLOCK, heads[i], sizeof heads[i]);
        assert_false(is_right(f));
    }
}

static void another_beginning_is_refused(void **unused)
{
    static const uint8_t places[] = {0, 1, 2, 3, 28, 29, 40, 41, 42, 43, 44, 45, 46, 47};
    (void)unused;
    for (size_t i = 0; i < sizeof places; i++) {
        struct file *f = bundle(2 * BLOCK + 1, 1, 0);
        f->bytes[places[i]] ^= 0x80;
        /* Within the same block a length may be another: the tree knows better. */
        assert_int_equal(is_right(f), places[i] == 40);
    }
}

static void what_cannot_be_read_is_refused(void **unused)
{
    struct file *f = bundle(2 * BLOCK, 1, 0);
    (void)unused;
    f->unreadable_from = f->size - 1;
    assert_false(is_right(f));
    f->unreadable_from = 3 * BLOCK;
    assert_false(is_right(f));
    f->unreadable_from = 0;
    assert_false(is_right(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_of_one_and_two_levels_are_counted),
        cmocka_unit_test(content_of_one_block_has_no_tree),
        cmocka_unit_test(nothing_stands_between_the_parts),
        cmocka_unit_test(nothing_follows_the_signature),
        cmocka_unit_test(every_shorter_and_longer_file_is_refused),
        cmocka_unit_test(a_length_of_der_has_up_to_three_bytes),
        cmocka_unit_test(what_is_no_sequence_is_no_signature),
        cmocka_unit_test(another_beginning_is_refused),
        cmocka_unit_test(what_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
