/* print_registers.c - what each map of a P1MB reads after the telegrams of some files, a line a register that is not 0.
 *
 * Built twice, with the whole core and with the small one that the firmware is made of: both must print the same.
 */
#include "core/derive.h"
#include "core/p1.h"
#include "core/register_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, BUFFER_MAX = CORE_IS_SMALL ? 256 : P1_TELEGRAM_MAX };

static const char *const maps[] = {"Inepro-PRO380", "Acrel-ACR10RH", "Eastron-SDM630", "Xemex"};

static void print_space(const struct register_image *image, enum register_space space)
{
    for (uint32_t address = 0; address < 65536; address++) {
        uint8_t word[2];
        register_image_read(image, space, address, 1, word);
        if (word[0] || word[1])
            printf("%s %d %04X %02X%02X%s\n", image->map->name, space, (unsigned)address, word[0],
                   word[1], register_image_is_measured(image, space, address, 1) ? " measured" : "");
    }
}

/* Like the firmware: unknown reads 0, words as the meter orders them. */
static void print_map(const char *name, const struct reading *r)
{
    static struct register_image image;
    const struct register_map *map = register_map_find(name);
    const struct register_device device = {
        .serial = "0123456789AB",
        .firmware = 0x010203,
        .setting = {[SETTING_ADDRESS] = 16, [SETTING_BAUD] = 9600}};
    if (!map || !register_image_init(&image, map, true))
        exit(EXIT_FAILURE);
    const struct register_style style = {.order = (enum word_order)map->word_order};
    register_image_render(&image, r, &device, &style);
    print_space(&image, SPACE_INPUT);
    print_space(&image, SPACE_HOLDING);
}

/* The votes for a grid go on from telegram to telegram. */
static void print_file(const char *path, struct derive_state *state)
{
    static uint8_t bytes[FILE_MAX], buffer[BUFFER_MAX];
    static struct p1_stream stream;
    static struct reading reading;
    static const struct derive_settings as_sent = {.current = CURRENT_AS_METER};
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0, used = 0;
    enum p1_event event;
    if (!n)
        exit(EXIT_FAILURE);
    fclose(f);
    p1_init(&stream, &reading, buffer, sizeof buffer);
    while (used < n) {
        used += p1_feed(&stream, bytes + used, n - used, &event);
        if (event != P1_TELEGRAM)
            continue;
        derive(&reading, &as_sent, state);
        printf("%s\n", path);
        for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
            print_map(maps[i], &reading);
    }
}

int main(int argc, char **argv)
{
    struct derive_state state = {0};
    for (int i = 1; i < argc; i++)
        print_file(argv[i], &state);
    return EXIT_SUCCESS;
}
