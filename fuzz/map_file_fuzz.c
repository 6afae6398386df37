/* map_file_fuzz.c - any bytes as a register map: what is refused says where, what is taken fits an image with the
 * gateway's own registers, and prints as a file that gives the same rows again.
 */
#include "gateway/map_file.h"
#include "gateway/map_print.h"
#include "gateway/map_row.h"

#include "fuzz.h"

#include <string.h>

static void demand_same_rows(struct register_table a, struct register_table b)
{
    demand(a.count == b.count);
    for (size_t i = 0; i < a.count; i++)
        demand(map_row_is_equal(&a.rows[i], &b.rows[i]));
}

static void demand_same_map(const struct register_map *a, const struct register_map *b)
{
    demand(strcmp(a->name, b->name) == 0 && strcmp(a->title, b->title) == 0);
    demand(a->alone.address == b->alone.address && a->alone.value == b->alone.value);
    demand(a->word_order == b->word_order && a->writes_many == b->writes_many &&
           a->marks_unknown == b->marks_unknown && a->unknown_is_max == b->unknown_is_max);
    for (enum register_space s = SPACE_INPUT; s < REGISTER_SPACES; s++)
        demand_same_rows(register_map_space(a, s), register_map_space(b, s));
}

/* With a reading, and without; the tools that watch this run find what is wrong. */
static void render(const struct register_map *map)
{
    static const struct register_device device = {.serial = "00112233AABB"};
    static struct register_image image;
    struct reading r;
    reading_clear(&r);
    for (int q = 0; q < Q_N; q++)
        reading_set(&r, (enum quantity)q, q % 2 ? INT64_C(-999999999999) : 230000);
    demand(register_image_init(&image, map, true));
    for (enum word_order order = WORD_ORDER_NORMAL; order <= WORD_ORDER_SWAPPED; order++) {
        const struct register_style style = {.order = order, .unknown = UNKNOWN_NAN};
        register_image_render(&image, NULL, &device, &style);
        register_image_render(&image, &r, &device, &style);
    }
}

static void demand_round_trip(const struct register_map *map)
{
    static struct map_file again;
    char error[MAP_ERROR_MAX], *text = NULL, *table = NULL;
    size_t length = 0, table_length = 0;
    struct reading r;
    FILE *f = open_memstream(&text, &length);
    demand(f != NULL);
    map_print_csv(f, map);
    fclose(f);
    demand(map_file_parse(&again, "again", text, length, error));
    demand_same_map(map, &again.map);
    f = open_memstream(&table, &table_length);
    demand(f != NULL);
    reading_clear(&r);
    map_print_table(f, map, true, &r);
    fclose(f);
    demand(table_length > 0);
    free(table);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct map_file file;
    char error[MAP_ERROR_MAX] = "";
    if (!map_file_parse(&file, "map", (const char *)data, size, error)) {
        demand(strncmp(error, "map:", 4) == 0 && !file.map.name && !file.map.input.count);
        return 0;
    }
    render(&file.map);
    demand_round_trip(&file.map);
    return 0;
}
