#include "options.h"

#include "choices.h"
#include "credential.h"
#include "identity.h"
#include "map_list.h"
#include "modbus_listeners.h"
#include "mqtt.h"
#include "p1_out.h"
#include "panel.h"
#include "rtu_bus.h"

#include <errno.h>
#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"auto", "p1", "tic", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

static bool check_meter(const char *text, char *error)
{
    char why[INPUT_ERROR_MAX];
    if (input_check(text, why))
        return true;
    snprintf(error, OPTION_ERROR_MAX, "%s", why);
    return false;
}

static bool check_listen(const char *text, char *error)
{
    struct sockaddr_storage address;
    socklen_t length;
    if (strcmp(text, "off") == 0 || address_parse(text, &address, &length))
        return true;
    snprintf(error, OPTION_ERROR_MAX,
             "\"%.60s\" is no address; use ADDR:PORT, [IPV6]:PORT, PORT or off", text);
    return false;
}

static bool check_map(const char *text, char *error)
{
    if (map_list_find(text))
        return true;
    char choices[CHOICES_MAX];
    choices_of_maps(choices);
    snprintf(error, OPTION_ERROR_MAX, "\"%.40s\" is no register map; there are%s", text, choices);
    return false;
}

/* Takes the map into the list, so that other options can name it. */
static bool check_map_file(const char *text, char *error)
{
    char why[MAP_ERROR_MAX];
    if (map_list_add_file(text, why))
        return true;
    snprintf(error, OPTION_ERROR_MAX, "%s", why);
    return false;
}

static bool check_also(const char *text, char *error)
{
    struct modbus_also unused;
    return modbus_also_parse(text, &unused, error);
}

static bool check_port(const char *text, char *error)
{
    bool plain = true;
    for (const char *p = text; *p; p++)
        plain = plain && *p > ' ' && *p <= '~';
    if (plain && (text[0] == 0 || text[0] == '/'))
        return true;
    snprintf(error, OPTION_ERROR_MAX,
             "\"%.60s\": the port must be an absolute path such as /dev/ttyUSB0", text);
    return false;
}

static bool check_line(const char *text, char *error)
{
    struct p1mb_settings bus = p1mb_defaults();
    if (rtu_bus_parse_line(text, &bus))
        return true;
    snprintf(error, OPTION_ERROR_MAX, "\"%.40s\" is no line; use " RTU_LINES, text);
    return false;
}

static bool check_p1_out(const char *text, char *error)
{
    return p1_out_check(text, error);
}

/* As the kernel takes it (IFNAMSIZ). */
static bool check_card(const char *text, char *error)
{
    if (strlen(text) < 16 && !strpbrk(text, "/: \t"))
        return true;
    snprintf(error, OPTION_ERROR_MAX,
             "\"%.40s\" is no network card; use a name that `ip link` shows, as eth0", text);
    return false;
}

static bool check_led(const char *text, char *error)
{
    return panel_check_led(text, error);
}

static bool check_button(const char *text, char *error)
{
    return panel_check_button(text, error);
}

static bool check_mqtt(const char *text, char *error)
{
    return text[0] == 0 || mqtt_check_url(text, error);
}

static bool check_site(const char *text, char *error)
{
    return mqtt_check_site(text, error);
}

static bool check_username(const char *text, char *error)
{
    return mqtt_check_username(text, error);
}

static bool check_serial(const char *text, char *error)
{
    if (text[0] == 0 || identity_is_serial(text))
        return true;
    snprintf(error, OPTION_ERROR_MAX, "\"%.40s\" is no serial number; use 12 hex digits", text);
    return false;
}

/* Of all that can be a secret of systemd's: whether it is there shows when the gateway runs. */
static bool check_secret(const char *text, char *error)
{
    return !credential_is_one(text) || credential_check(text, error);
}

/* clang-format off */
#define OFFSET(field) .offset = offsetof(struct options, field)
#define TEXT(field, test) OFFSET(field), .type = OPTION_TEXT, .check = (test)
#define NUMBER(field, low, high) OFFSET(field), .type = OPTION_NUMBER, .min = (low), .max = (high)
#define CHOICE(field, names) OFFSET(field), .type = OPTION_CHOICE, .choices = (names)
#define SWITCH(field) OFFSET(field), .type = OPTION_SWITCH
#define LIST(field, test) OFFSET(field), .type = OPTION_LIST, .check = (test)
const struct option_row option_rows[] = {
    {"meter", "meter", "URL", "",
     "where the meter's bytes come from: serial:DEVICE, tcp:HOST:PORT,\n"
     "file:PATH[?speed=max] or sim:PROFILE[?seed=N]", TEXT(meter, check_meter)},
    {"meter", "meter-kind", "KIND", "auto", "what speaks", CHOICE(meter_kind, kinds)},
    {"meter", "stale-after", "S", "0",
     "seconds after which a reading is too old to be served as live;\n"
     "0 = 10, or 35 for meters that send every ten seconds", NUMBER(stale_after_s, 0, 3600)},
    {"meter", "meter-utc-offset", "H", "1",
     "hours the meter's winter time is ahead of UTC (Lithuania: 2)", NUMBER(meter_utc_offset_h, -11, 14)},
    {"meter", "grid", "GRID", "auto",
     "auto judges Belgian 3x230 V grids without neutral by the meter", CHOICE(grid, choices_grid)},
    {"meter", "current", "MODE", "meter",
     "phase currents: as the meter sends them (unsigned), with the sign of\n"
     "the phase's power, or power / voltage where that is finer", CHOICE(current, choices_current)},
    {"meter", "estimate-u31", NULL, "off",
     "delta grid: estimate the line voltage no telegram holds", SWITCH(estimate_u31)},

    {"modbus", "modbus", "ADDR:PORT", "502",
     "where Modbus TCP listens: PORT, ADDR:PORT, [IPV6]:PORT or off", TEXT(modbus, check_listen)},
    {"modbus", "map-file", "PATH", "",
     "a register map of your own, see docs/registers.md; may be given 8 times",
     LIST(map_files, check_map_file), .early = true},
    {"modbus", "map", "NAME", "PhoenixContact-EMPro",
     "the meter that is emulated; the part after the maker is enough, any case", TEXT(map, check_map)},
    {"modbus", "modbus-clients", "N", "4",
     "clients at the same time", NUMBER(modbus_clients, 1, MODBUS_CLIENTS_MAX)},
    {"modbus", "modbus-idle-timeout", "S", "60",
     "seconds without a request after which a client goes; 0 = never",
     NUMBER(modbus_idle_timeout_s, 0, 86400)},
    {"modbus", "modbus-framing", "FRAMING", "mbap",
     "how requests are wrapped: Modbus TCP, or RTU over TCP", CHOICE(modbus_framing, choices_framing)},
    {"modbus", "modbus-writes", NULL, "off",
     "let masters write the emulated meter's settings; they mean nothing here", SWITCH(modbus_writes)},
    {"modbus", "modbus-also", "LISTENER", "",
     "a further listener, up to eight: ADDR:PORT[,map=NAME][,word-order=ORDER]\n"
     "[,framing=FRAMING][,unknown=WHAT][,stale=WHAT][,clients=N][,writes=on|off];\n"
     "what is not given is as the first has it", LIST(modbus_also, check_also)},
    {"modbus", "word-order", "ORDER", "meter",
     "of 32-bit values: as the emulated meter, low word first (swapped) or high\n"
     "word first (normal)", CHOICE(word_order, choices_word_order)},
    {"modbus", "unknown", "WHAT", "zero",
     "what a register reads while its value is unknown", CHOICE(unknown, choices_unknown)},
    {"modbus", "stale", "WHAT", "exception",
     "what is answered while the reading is too old", CHOICE(stale, choices_stale)},
    {"modbus", "stale-current", "A", "80",
     "amperes per phase shown with --stale high-current", NUMBER(stale_current_a, 1, 10000)},
    {"modbus", "nominal-frequency", "HZ", "0",
     "shown where the meter tells no frequency, as some inverters refuse 0 Hz;\n"
     "0 = it is unknown", NUMBER(nominal_hz, 0, 60)},

    {"mqtt", "mqtt", "URL", "",
     "broker: mqtts://HOST[:PORT], or mqtt://HOST[:PORT] without TLS; port 8883\n"
     "always means TLS; empty = MQTT is off", TEXT(mqtt, check_mqtt)},
    {"mqtt", "mqtt-site", "NAME", "",
     "name of the site in topics; empty is written `default`", TEXT(mqtt_site, check_site)},
    {"mqtt", "mqtt-username", "NAME", "",
     "empty = the device certificate says who we are, where there is TLS", TEXT(mqtt_username, check_username)},
    {"mqtt", "mqtt-password-file", "PATH", "",
     "file whose first line is the password; or credential:NAME, which systemd\n"
     "hands over from /etc/smart-connect/credentials", TEXT(mqtt_password_file, check_secret)},
    {"mqtt", "mqtt-keepalive", "S", "30",
     "seconds; also how soon a dead connection is found", NUMBER(mqtt_keepalive_s, 5, 3600)},
    {"mqtt", "mqtt-ca", "PATH", "",
     "file (or credential:NAME) with the certificates (PEM) that vouch for the\n"
     "broker, or sha256:HEX of the broker's own key; empty = the authorities this\n"
     "system trusts", TEXT(mqtt_ca, check_secret)},
    {"mqtt", "mqtt-publish", "WHEN", "telegram",
     "each telegram, the mean over an interval, or when a power changed", CHOICE(mqtt_profile, choices_profile)},
    {"mqtt", "mqtt-interval", "S", "10",
     "seconds of the mean; with change, the longest silence", NUMBER(mqtt_interval_s, 1, 3600)},
    {"mqtt", "mqtt-keep-days", "N", "7",
     "days for which readings are kept on disk while the broker is away", NUMBER(mqtt_keep_days, 0, 366)},
    {"mqtt", "mqtt-home-assistant", NULL, "off",
     "tell Home Assistant which entities there are (MQTT discovery)", SWITCH(mqtt_home_assistant)},

    {"http", "https", "ADDR:PORT", "443",
     "where the page and the API are served: PORT, ADDR:PORT, [IPV6]:PORT or off;\n"
     "the login is in the state folder, see smart-connect label", TEXT(https, check_listen)},
    {"http", "http", "ADDR:PORT", "80",
     "where a plain page leads to the secure one; off: nowhere", TEXT(http, check_listen)},
    {"http", "http-names", "NAMES", "",
     "further names and addresses this box is reached at, with commas", TEXT(http_names, NULL)},
    {"http", "https-cert", "PATH", "",
     "certificate chain (PEM) in place of the self-signed one; a file, or\n"
     "credential:NAME", TEXT(https_cert, check_secret)},
    {"http", "https-key", "PATH", "",
     "its private key (PEM); a file, or credential:NAME", TEXT(https_key, check_secret)},

    {"rtu", "rtu", "DEVICE", "",
     "serial port on which this is a Modbus RTU slave, as /dev/ttyUSB0; empty = off", TEXT(rtu, check_port)},
    {"rtu", "rtu-map", "NAME", "Xemex",
     "the meter that is emulated there", TEXT(rtu_map, check_map)},
    {"rtu", "rtu-address", "N", "16",
     "its address on the bus", NUMBER(rtu_address, 1, 247)},
    {"rtu", "rtu-line", "LINE", "9600-8E1",
     "speed and parity: 1200 2400 4800 9600 19200 38400 57600 or 115200,\n"
     "-8N1 or -8E1", TEXT(rtu_line, check_line)},
    {"rtu", "rtu-termination", NULL, "off",
     "switch the port's terminating resistor on, where it has one", SWITCH(rtu_termination)},
    {"rtu", "rtu-stale", "WHAT", "exception",
     "what is answered on the bus while the reading is too old", CHOICE(rtu_stale, choices_rtu_stale)},
    {"rtu", "rtu-direction", "HOW", "auto",
     "who turns the bus to send: the kernel, we by RTS, or none: the adapter",
     CHOICE(rtu_direction, choices_direction)},
    {"rtu", "rtu-turnaround", "MS", "0",
     "least milliseconds between a request and its answer; 0 = the silence\n"
     "that ends a request", NUMBER(rtu_turnaround_ms, 0, 200)},

    {"p1", "p1-out", "WHERE", "",
     "passes the telegrams on: tcp:ADDR:PORT, to up to 16 readers, or\n"
     "serial:DEVICE, every byte at 115200 8N1; may be given 8 times", LIST(p1_out, check_p1_out)},
    {"p1", "p1-out-format", "FORMAT", "raw",
     "what tcp readers get: telegrams as they came, or of DSMR 5, made from\n"
     "what any meter says", CHOICE(p1_out_format, choices_p1_out)},

    {"network", "network", "WHO", "host",
     "who looks after the network: the host, or we through NetworkManager, as the\n"
     "page says; for a machine that is this box and nothing else", CHOICE(network, choices_network)},
    {"network", "ethernet", "CARD", "",
     "its network card with a cable, as eth0; empty = the first", TEXT(ethernet, check_card)},
    {"network", "wifi", "CARD", "",
     "its Wi-Fi card, as wlan0; empty = the first", TEXT(wifi, check_card)},

    {"panel", "led", "WHERE", "off",
     "the box's LED: class:NAME of the kernel's multicolour LEDs,\n"
     "gpio:CHIP:RED,GREEN,BLUE[,low] on three lines, or log: a line when it changes", TEXT(led, check_led)},
    {"panel", "button", "WHERE", "off",
     "the box's button: evdev:PATH[:KEY], a key of an input device, or\n"
     "gpio:CHIP:LINE[,low], low: pressed is 0", TEXT(button, check_button)},

    {"update", "update", "WHO", "package-manager",
     "who brings newer versions: the package manager, or we through RAUC, on a\n"
     "system in two slots", CHOICE(update, choices_update)},
    {"update", "update-folder", "DIR", "",
     "where a bundle lies while it is installed; empty = the state folder", TEXT(update_folder, NULL)},
    {"update", "update-fetch", "SOCKET", "/run/smart-connect-fetch.socket",
     "where the downloader listens", TEXT(update_fetch, NULL)},
    {"update", "update-release", "FILE", "/usr/lib/smart-connect/release",
     "says which release this system is", TEXT(update_release, NULL)},
    {"update", "update-floor", "FILE", "/var/lib/smart-connect-update/floor",
     "says below which release nothing is installed", TEXT(update_floor, NULL)},
    {"update", "update-trial-s", "SECONDS", "300",
     "a new system has so long to prove that it is well, then it is restarted", NUMBER(update_trial_s, 30, 3600)},

    {"device", "state", "DIR", "/var/lib/smart-connect",
     "folder for what must survive a restart; empty = nothing is kept", TEXT(state, NULL)},
    {"device", "serial", "HEX", "",
     "serial number; empty = from the network card", TEXT(serial, check_serial)},
    {"device", "log-level", "LEVEL", "info",
     "least important lines to write", CHOICE(log_level, log_levels)},
    {"device", "mdns", NULL, "on",
     "be found as smart-connect.local, where there is Avahi; off: nothing is\n"
     "announced", SWITCH(mdns)},
    {"device", "live", NULL, "off",
     "draw a live view of the values on standard output", SWITCH(live)},
};
const size_t option_row_count = sizeof option_rows / sizeof option_rows[0];
_Static_assert(sizeof option_rows / sizeof option_rows[0] <= 64, "options.was_set has 64 bits");
/* clang-format on */

static const struct option_row *find_row(const char *name)
{
    for (size_t i = 0; i < option_row_count; i++)
        if (strcmp(option_rows[i].name, name) == 0)
            return &option_rows[i];
    return NULL;
}

static char *text_of(const struct option_row *row, struct options *o)
{
    return (char *)o + row->offset;
}

static int *number_of(const struct option_row *row, struct options *o)
{
    return (int *)(void *)((char *)o + row->offset);
}

static bool take_text(const struct option_row *row, char text[static OPTION_TEXT_MAX],
                      const char *value, char *error)
{
    if (strlen(value) >= OPTION_TEXT_MAX) {
        snprintf(error, OPTION_ERROR_MAX, "longer than %d characters", OPTION_TEXT_MAX - 1);
        return false;
    }
    if (row->check && !row->check(value, error))
        return false;
    snprintf(text, OPTION_TEXT_MAX, "%s", value);
    return true;
}

static bool set_text(const struct option_row *row, struct options *o, const char *value, char *error)
{
    return take_text(row, text_of(row, o), value, error);
}

static bool set_list(const struct option_row *row, struct options *o, const char *value, char *error)
{
    struct option_list *list = (struct option_list *)(void *)((char *)o + row->offset);
    if (list->count == OPTION_LIST_MAX) {
        snprintf(error, OPTION_ERROR_MAX, "more than %d of them", OPTION_LIST_MAX);
        return false;
    }
    if (!take_text(row, list->text[list->count], value, error))
        return false;
    list->count++;
    return true;
}

static bool set_number(const struct option_row *row, struct options *o, const char *value,
                       char *error)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (end == value || *end || errno || number < row->min || number > row->max) {
        snprintf(error, OPTION_ERROR_MAX, "\"%.40s\" is no number from %d to %d", value, row->min,
                 row->max);
        return false;
    }
    *number_of(row, o) = (int)number;
    return true;
}

static bool set_choice(const struct option_row *row, struct options *o, const char *value,
                       char *error)
{
    int choice = choices_find(row->choices, value);
    if (choice >= 0) {
        *number_of(row, o) = choice;
        return true;
    }
    int n = snprintf(error, OPTION_ERROR_MAX, "\"%.40s\" is none of", value);
    for (int i = 0; row->choices[i] && n < OPTION_ERROR_MAX; i++)
        n += snprintf(error + n, (size_t)(OPTION_ERROR_MAX - n), " %s", row->choices[i]);
    return false;
}

static bool set_switch(const struct option_row *row, struct options *o, const char *value,
                       char *error)
{
    bool on = strcmp(value, "on") == 0;
    if (!on && strcmp(value, "off") != 0) {
        snprintf(error, OPTION_ERROR_MAX, "\"%.40s\" is neither on nor off", value);
        return false;
    }
    *number_of(row, o) = on;
    return true;
}

static bool set_row(const struct option_row *row, struct options *o, const char *value, char *error)
{
    static bool (*const setters[])(const struct option_row *, struct options *, const char *,
                                   char *) = {
        [OPTION_TEXT] = set_text,     [OPTION_NUMBER] = set_number, [OPTION_CHOICE] = set_choice,
        [OPTION_SWITCH] = set_switch, [OPTION_LIST] = set_list,
    };
    return setters[row->type](row, o, value, error);
}

void options_defaults(struct options *o)
{
    char error[OPTION_ERROR_MAX];
    memset(o, 0, sizeof *o);
    for (size_t i = 0; i < option_row_count; i++)
        if (option_rows[i].fallback[0])
            (void)set_row(&option_rows[i], o, option_rows[i].fallback, error);
}

bool options_find_credentials(struct options *o, char error[static OPTION_ERROR_MAX])
{
    char why[CREDENTIAL_ERROR_MAX];
    for (const struct option_row *row = option_rows; row < option_rows + option_row_count; row++) {
        if (row->check != check_secret || credential_resolve(text_of(row, o), OPTION_TEXT_MAX, why))
            continue;
        snprintf(error, OPTION_ERROR_MAX, "--%s %.80s: %s", row->name, text_of(row, o), why);
        return false;
    }
    return true;
}

bool options_set(struct options *o, const char *name, const char *value,
                 char error[static OPTION_ERROR_MAX])
{
    const struct option_row *row = find_row(name);
    char why[OPTION_ERROR_MAX] = "";
    if (row && set_row(row, o, value, why)) {
        o->was_set |= UINT64_C(1) << (row - option_rows);
        return true;
    }
    if (row)
        snprintf(error, OPTION_ERROR_MAX, "%s: %.430s", name, why);
    else
        snprintf(error, OPTION_ERROR_MAX, "unknown option \"%.60s\"", name);
    return false;
}

/* Reading a file: the first error stops it. */
struct file_reader {
    struct options *options;
    const char *at; /* what is left of the file's text */
    bool early;     /* sets early options, else all others */
    char *error;
    int line, error_line;
};

/* As fgets() does. */
static char *read_ini_line(char *text, int cap, void *context)
{
    struct file_reader *reader = context;
    size_t length = strcspn(reader->at, "\n");
    length += reader->at[length] == '\n';
    if (length > (size_t)cap - 1)
        length = (size_t)cap - 1;
    memcpy(text, reader->at, length);
    text[length] = 0;
    reader->at += length;
    reader->line++;
    return length ? text : NULL;
}

static int on_ini_key(void *context, const char *section, const char *name, const char *value)
{
    struct file_reader *reader = context;
    const struct option_row *row = find_row(name);
    bool in_place = row && strcmp(row->section, section) == 0;
    bool is_early = in_place && row->early;
    if (reader->error[0] || is_early != reader->early)
        return 1;
    reader->error_line = reader->line; /* if there is one */
    if (in_place)
        return options_set(reader->options, name, value, reader->error);
    if (row)
        snprintf(reader->error, OPTION_ERROR_MAX, "%s belongs into section [%s], not [%.40s]", name,
                 row->section, section);
    else
        snprintf(reader->error, OPTION_ERROR_MAX, "unknown key \"%.60s\" in section [%.40s]", name,
                 section);
    return 0;
}

/* Goes through the text once; what is no setting at all is told the second time. */
static bool read_options(struct options *o, const char *path, const char *text, bool early,
                         char error[static OPTION_ERROR_MAX])
{
    char why[OPTION_ERROR_MAX] = "";
    struct file_reader reader = {.options = o, .at = text, .early = early, .error = why};
    int line = ini_parse_stream(read_ini_line, &reader, on_ini_key, &reader);
    if (line == 0 || (early && !why[0]))
        return true;
    snprintf(error, OPTION_ERROR_MAX, "%.100s:%d: %.380s", path, line,
             reader.error_line == line ? why : "neither [section] nor key = value");
    return false;
}

/* The whole file, which the caller frees; NULL: `error` says why there is none. */
static char *read_text_file(const char *path, char error[static OPTION_ERROR_MAX])
{
    char *text = NULL;
    size_t capacity = 0;
    errno = 0;
    FILE *file = fopen(path, "re");
    ssize_t length = file ? getdelim(&text, &capacity, 0, file) : -1;
    bool is_read = file && (length >= 0 || feof(file)) && !ferror(file) && text;
    bool is_text = length <= 0 || text[length - 1] != 0;
    if (!is_read || !is_text)
        snprintf(error, OPTION_ERROR_MAX, "%.150s: %s", path,
                 is_read ? "a byte is 0: this is no text file" : strerror(errno));
    if (file)
        fclose(file);
    if (is_read && length < 0)
        text[0] = 0;
    if (is_read && is_text)
        return text;
    free(text);
    return NULL;
}

bool options_read_file(struct options *o, const char *path, char error[static OPTION_ERROR_MAX])
{
    char *text = read_text_file(path, error);
    bool ok = text && read_options(o, path, text, true, error) &&
              read_options(o, path, text, false, error);
    free(text);
    return ok;
}

bool options_was_set(const struct options *o, const char *name)
{
    return (o->was_set >> (find_row(name) - option_rows)) & 1;
}

static void print_row(const struct option_row *row)
{
    char head[80];
    snprintf(head, sizeof head, "--%s%s%s", row->name, row->value_name ? " " : "",
             row->value_name ? row->value_name : "");
    printf("  %-28s ", head);
    for (const char *p = row->help; *p; p++) {
        putchar(*p);
        if (*p == '\n')
            printf("%31s", "");
    }
    for (int i = 0; row->choices && row->choices[i]; i++)
        printf("%s%s", i ? " | " : "\n                               ", row->choices[i]);
    if (row->fallback[0] && (row->type != OPTION_SWITCH || strcmp(row->fallback, "off") != 0))
        printf(" [%s]", row->fallback);
    printf("\n");
}

void options_print_help(void)
{
    const char *section = "";
    for (size_t i = 0; i < option_row_count; i++) {
        if (strcmp(section, option_rows[i].section) != 0)
            printf("\n[%s]\n", option_rows[i].section);
        section = option_rows[i].section;
        print_row(&option_rows[i]);
    }
}
