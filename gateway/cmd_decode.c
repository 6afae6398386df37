/* cmd_decode.c - `smart-connect decode`: telegrams in, readings out. */
#include "commands.h"
#include "core/messages.h"
#include "decoder.h"
#include "home_assistant.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static char buffer[HOME_ASSISTANT_CONFIG_MAX]; /* the longest format */

static void print_message(struct text_out *out)
{
    if (!out->overflow)
        puts(out->buffer);
}

static void print_json(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                       size_t length)
{
    struct text_out out;
    (void)d;
    (void)telegram;
    (void)length;
    text_init(&out, buffer, sizeof buffer);
    message_power_instant(&out, r);
    print_message(&out);
}

/* A message that shows texts, too. */
typedef void message_with_texts(struct text_out *out, const struct reading *r,
                                const uint8_t *telegram, size_t length);

static void print_with_texts(message_with_texts *message, const struct reading *r,
                             const uint8_t *telegram, size_t length)
{
    struct text_out out;
    text_init(&out, buffer, sizeof buffer);
    message(&out, r, telegram, length);
    print_message(&out);
}

static void print_readings(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                           size_t length)
{
    (void)d;
    print_with_texts(message_readings, r, telegram, length);
}

static void print_meter(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                        size_t length)
{
    (void)d;
    print_with_texts(message_meter, r, telegram, length);
}

/* What Home Assistant would be told by a gateway that has only this telegram, and no serial number. */
static void print_home_assistant(struct decoder *d, const struct reading *r,
                                 const uint8_t *telegram, size_t length)
{
    static const struct home_assistant_settings settings = {
        .prefix = "homeassistant",
        .serial = "000000000000",
        .base = "devices/default/smart-connect/000000000000",
        .pace_s = 10,
        .commands = true,
        .page = ""};
    static struct meter_snapshot latest;
    struct text_out out;
    (void)d;
    latest.reading = *r;
    latest.telegram_len = length;
    memcpy(latest.telegram, telegram, length);
    text_init(&out, buffer, sizeof buffer);
    home_assistant_config(&out, &settings, &latest);
    print_message(&out);
}

static void print_mbus(const struct reading *r)
{
    static const char *const units[] = {
        [MBUS_UNIT_DM3] = "dm3", [MBUS_UNIT_MJ] = "MJ", [MBUS_UNIT_WH] = "Wh"};
    for (int i = 0; i < READING_MBUS_N; i++)
        if (r->mbus[i].unit != MBUS_UNIT_UNKNOWN)
            printf("mbus_%d (medium %d) %*lld %s\n", i + 1, r->mbus[i].medium, 25,
                   (long long)r->mbus[i].value, units[r->mbus[i].unit]);
}

static void print_table(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                        size_t length)
{
    (void)d;
    for (int q = 0; q < Q_N; q++) {
        char value[24];
        struct text_out out;
        if (!reading_has(r, (enum quantity)q))
            continue;
        text_init(&out, value, sizeof value);
        text_decimal(&out, r->value[q], quantity_decimals[q]);
        printf("%-28s %16s %s\n", quantities[q].name, value, quantity_unit_name(quantities[q].unit));
    }
    print_mbus(r);
    for (int id = 0; id < TEXT_N; id++)
        if (reading_text(r, (enum reading_text_id)id, telegram, length, buffer, sizeof buffer))
            printf("%-28s %s\n", reading_text_name((enum reading_text_id)id), buffer);
    printf("\n");
}

static const struct format {
    const char *name;
    void (*print)(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                  size_t length);
} formats[] = {{"json", print_json},
               {"table", print_table},
               {"readings", print_readings},
               {"meter", print_meter},
               {"home-assistant", print_home_assistant}};

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static void print_decode_help(void)
{
    printf("usage: smart-connect decode [--format json|table|readings|meter|home-assistant] "
           "[FILE|-]\n\n"
           "Reads P1 telegrams or TIC frames from a file or standard input.\n\n"
           "  json      a power_instant object per valid telegram, one line each (the default)\n"
           "  readings  everything the telegram holds, one object a line\n"
           "  table     the same for people\n"
           "  meter     what power_instant leaves out, one object a line: the message of MQTT\n"
           "  home-assistant\n"
           "            the discovery message that tells Home Assistant of this meter\n\n"
           "Counts and complaints go to standard error.  Exit 1 if no telegram was valid.\n");
}

int command_decode(int argc, char **argv)
{
    static const struct option flags[] = {
        {"format", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {0}};
    static struct decoder d;
    const struct format *format = &formats[0];
    int flag;
    opterr = 0;
    while ((flag = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
        if (flag == 'h') {
            print_decode_help();
            return EXIT_GOOD;
        }
        if (flag != 'f')
            return command_option_error("decode", flag, argv);
        format = find_format(optarg);
        if (!format)
            return command_usage_error(
                "decode", "--format \"%.40s\": use json, table, readings, meter or home-assistant",
                optarg);
    }
    if (optind + 1 < argc)
        return command_usage_error("decode", "one file at a time, not also \"%.60s\"",
                                   argv[optind + 1]);
    const char *path = optind < argc ? argv[optind] : "-";
    decoder_init(&d, format->print);
    if (!decoder_read(&d, path))
        return command_usage_error("decode", "%s: %s", path, strerror(errno));
    if (fflush(stdout) != 0 || ferror(stdout))
        return command_usage_error("decode", "standard output: %s", strerror(errno));
    decoder_report(&d);
    return d.valid ? EXIT_GOOD : EXIT_NOTHING_VALID;
}
