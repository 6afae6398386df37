/* cmd_run.c - `smart-connect run` and `check-config`: options to modules, and their life. */
#include "commands.h"
#include "identity.h"
#include "live.h"
#include "modbus_tcp.h"
#include "mqtt.h"
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define DEVICE_FILE "/etc/smart-connect/smart-connect.conf"
#define FIRMWARE_VERSION \
    ((uint32_t)SMART_CONNECT_MAJOR << 16 | (uint32_t)SMART_CONNECT_MINOR << 8 | SMART_CONNECT_PATCH)

enum { UNPRIVILEGED_PORT = 1502, NOTIFY_MS = 5000, PASSWORD_MAX = 256 };

struct gateway {
    struct loop loop;
    struct loop_timer notify;
    int64_t watchdog_ms; /* 0: systemd does not watch */
    struct options options;
    struct identity identity;
    struct meter *meter;
    struct modbus_tcp *modbus;
    struct mqtt *mqtt;
    struct live live;
    bool is_live;
    char password[PASSWORD_MAX];
};

/* --- options ---------------------------------------------------------------------------------- */

static void print_run_help(void)
{
    printf("usage: smart-connect run [--config FILE] [OPTION...]\n\n"
           "Every option is also a key of the device file (%s),\n"
           "in the section named in brackets; the command line wins.\n\n"
           "  --config FILE                the device file\n",
           DEVICE_FILE);
    options_print_help();
}

/* getopt's table from ours: --config, --help and a flag for every row. */
static struct option *make_flags(void)
{
    struct option *flags = calloc(option_row_count + 3, sizeof *flags);
    if (!flags)
        return NULL;
    for (size_t i = 0; i < option_row_count; i++)
        flags[i] = (struct option){option_rows[i].name,
                                   option_rows[i].type == OPTION_SWITCH ? optional_argument
                                                                        : required_argument,
                                   NULL, 'o'};
    flags[option_row_count] = (struct option){"config", required_argument, NULL, 'c'};
    flags[option_row_count + 1] = (struct option){"help", no_argument, NULL, 'h'};
    return flags;
}

/* The device file named by --config must be there; the usual one may be missing. */
static bool read_device_file(struct options *o, const char *path,
                             char error[static OPTION_ERROR_MAX])
{
    if (!path && access(DEVICE_FILE, F_OK) < 0)
        return true;
    return options_read_file(o, path ? path : DEVICE_FILE, error);
}

/* Goes through the flags and sets those of the table in `o`; with NULL they wait for another time. */
static int walk_flags(int argc, char **argv, const struct option *flags, struct options *o,
                      const char **config_path, bool *help)
{
    char error[OPTION_ERROR_MAX];
    int flag, index, result = EXIT_GOOD;
    optind = 0; /* from the beginning */
    opterr = 0;
    while (result == EXIT_GOOD && (flag = getopt_long(argc, argv, ":", flags, &index)) != -1) {
        if (flag == ':' || flag == '?')
            result = command_option_error("run", flag, argv);
        else if (flag == 'h')
            *help = true;
        else if (flag == 'c')
            *config_path = optarg;
        else if (o && !options_set(o, flags[index].name, optarg ? optarg : "on", error))
            result = command_usage_error("run", "--%s", error);
    }
    if (result == EXIT_GOOD && optind < argc)
        result = command_usage_error("run", "\"%.60s\" is no option", argv[optind]);
    return result;
}

/* Reads device file and flags, in this order.  EXIT_GOOD, or what to exit with; *help: asked for it. */
static int read_options(int argc, char **argv, struct options *o, bool *help)
{
    char error[OPTION_ERROR_MAX] = "out of memory";
    const char *path = NULL;
    struct option *flags = make_flags();
    options_defaults(o);
    int result = flags ? walk_flags(argc, argv, flags, NULL, &path, help)
                       : command_usage_error("run", "%s", error);
    if (result == EXIT_GOOD && !*help && !read_device_file(o, path, error))
        result = command_usage_error("run", "%s", error);
    if (result == EXIT_GOOD && !*help)
        result = walk_flags(argc, argv, flags, o, &path, help);
    free(flags);
    return result;
}

int command_check_config(int argc, char **argv)
{
    struct options o;
    char error[OPTION_ERROR_MAX];
    const char *path = argc > 1 ? argv[1] : DEVICE_FILE;
    if (argc > 2 || (path[0] == '-' && strcmp(path, "--help") != 0))
        return command_usage_error("check-config", "\"%.60s\": one file and no options",
                                   argv[argc > 2 ? 2 : 1]);
    if (path[0] == '-') {
        printf("usage: smart-connect check-config [FILE]\n\n"
               "Checks a device file (%s) and exits: 0 good, 2 not usable.\n",
               DEVICE_FILE);
        return EXIT_GOOD;
    }
    options_defaults(&o);
    if (!options_read_file(&o, path, error)) {
        fprintf(stderr, "%s\n", error);
        return EXIT_USAGE;
    }
    if (o.meter[0] == 0) {
        fprintf(stderr, "%s: no meter; set meter = serial:/dev/ttyUSB0 in section [meter]\n", path);
        return EXIT_USAGE;
    }
    printf("%s: good\n", path);
    return EXIT_GOOD;
}

/* The first line of a file, or what is wrong with it. */
static const char *read_password(const char *path, char password[static PASSWORD_MAX])
{
    password[0] = 0;
    if (path[0] == 0)
        return NULL;
    FILE *f = fopen(path, "re");
    if (!f)
        return strerror(errno);
    errno = 0;
    bool ok = fgets(password, PASSWORD_MAX, f) != NULL || errno == 0;
    const char *problem = ok ? NULL : strerror(errno);
    fclose(f);
    size_t length = strcspn(password, "\r\n");
    if (ok && length == 0)
        problem = "its first line is empty";
    if (length == PASSWORD_MAX - 1)
        problem = "longer than 254 characters";
    password[length] = 0;
    return problem;
}

/* --- opening the doors ------------------------------------------------------------------------ */

static bool open_meter(struct gateway *g)
{
    const struct options *o = &g->options;
    const struct meter_settings settings = {.kind = (enum meter_kind)o->meter_kind,
                                            .stale_after_ms = o->stale_after_s * 1000,
                                            .winter_offset_s = o->meter_utc_offset_h * 3600,
                                            .derive = {.current = (enum derive_current)o->current,
                                                       .grid = (enum derive_grid)o->grid,
                                                       .estimate_u31 = o->estimate_u31}};
    char error[INPUT_ERROR_MAX] =
        "no meter given; use --meter serial:/dev/ttyUSB0 or --meter sim:dsmr50";
    if (o->meter[0])
        g->meter = meter_open(&g->loop, o->meter, &settings, error);
    if (!g->meter)
        (void)command_usage_error("run", "%s", error);
    return g->meter != NULL;
}

static struct modbus_tcp *open_modbus_at(struct gateway *g, const char *listen,
                                         char error[static 200])
{
    const struct options *o = &g->options;
    const struct modbus_tcp_settings settings = {
        .listen = listen,
        .map = register_map_find(o->map),
        .framing = (enum modbus_framing)o->modbus_framing,
        .word_order = (enum word_order)o->word_order,
        .unknown = (enum unknown_policy)o->unknown,
        .stale = (enum stale_policy)o->stale,
        .stale_current_a = o->stale_current_a,
        .max_clients = o->modbus_clients,
        .idle_timeout_s = o->modbus_idle_timeout_s,
        .identity = {.serial = g->identity.serial, .firmware = FIRMWARE_VERSION}};
    return modbus_tcp_open(&g->loop, g->meter, &settings, error);
}

/* Without a privilege and without a wish, the port people know from such cases is taken. */
static bool open_modbus(struct gateway *g)
{
    char error[200], port[8];
    if (strcmp(g->options.modbus, "off") == 0)
        return true;
    g->modbus = open_modbus_at(g, g->options.modbus, error);
    if (!g->modbus && errno == EACCES && !options_was_set(&g->options, "modbus")) {
        snprintf(port, sizeof port, "%d", UNPRIVILEGED_PORT);
        log_warning("modbus", "port 502 needs a privilege; listening on %s instead", port);
        g->modbus = open_modbus_at(g, port, error);
    }
    if (!g->modbus)
        (void)command_usage_error("run", "%s", error);
    return g->modbus != NULL;
}

static bool open_mqtt(struct gateway *g)
{
    const struct options *o = &g->options;
    char error[MQTT_ERROR_MAX];
    if (o->mqtt[0] == 0)
        return true;
    const char *problem = read_password(o->mqtt_password_file, g->password);
    if (!problem && o->mqtt_password_file[0] && !o->mqtt_username[0])
        problem = "of no use without --mqtt-username";
    if (problem) {
        (void)command_usage_error("run", "--mqtt-password-file %s: %s", o->mqtt_password_file,
                                  problem);
        return false;
    }
    const struct mqtt_settings settings = {.broker = o->mqtt,
                                           .site = o->mqtt_site,
                                           .serial = g->identity.serial,
                                           .username = o->mqtt_username,
                                           .password = g->password,
                                           .keepalive_s = o->mqtt_keepalive_s};
    g->mqtt = mqtt_open(&g->loop, g->meter, &settings, error);
    if (!g->mqtt)
        (void)command_usage_error("run", "%s", error);
    return g->mqtt != NULL;
}

static void use_given_serial(struct gateway *g)
{
    for (size_t i = 0; i < sizeof g->identity.serial; i++)
        g->identity.serial[i] = (char)toupper((unsigned char)g->options.serial[i]);
}

/* The usual folder may be one we cannot write, one that was asked for may not. */
static bool accept_unkept_serial(const struct gateway *g, int problem)
{
    const char *folder = g->options.state;
    if (options_was_set(&g->options, "state")) {
        (void)command_usage_error("run", "--state %s: %s; use a folder that can be written", folder,
                                  strerror(problem));
        return false;
    }
    log_info("run", "%s: %s; the serial number %s is not kept", folder, strerror(problem),
             g->identity.serial);
    return true;
}

static bool find_identity(struct gateway *g)
{
    bool kept = false;
    if (g->options.serial[0]) {
        use_given_serial(g);
        return true;
    }
    if (identity_load(g->options.state, &g->identity, &kept))
        return kept || g->options.state[0] == 0 || accept_unkept_serial(g, errno);
    (void)command_usage_error(
        "run", "no serial number: no network card and no machine id; use --serial HEX");
    return false;
}

/* --- running ---------------------------------------------------------------------------------- */

/* systemd: what to show, and that the loop is turning. */
static void on_notify(struct loop_timer *timer)
{
    struct gateway *g = CONTAINER_OF(timer, struct gateway, notify);
    struct meter_counters c = meter_get_counters(g->meter);
    unsigned long long good = c.telegrams_pass, damaged = c.telegrams_fail,
                       cut = c.telegrams_frame_fail;
    sd_notifyf(0,
               "WATCHDOG=1\nSTATUS=meter: %s; %llu telegrams, %llu bad; %d Modbus clients; MQTT %s",
               meter_state_text(meter_get_state(g->meter)), good, damaged + cut,
               g->modbus ? modbus_tcp_clients(g->modbus) : 0,
               !g->mqtt                     ? "off"
               : mqtt_is_connected(g->mqtt) ? "connected"
                                            : "not connected");
    int64_t delay_ms =
        g->watchdog_ms && g->watchdog_ms / 2 < NOTIFY_MS ? g->watchdog_ms / 2 : NOTIFY_MS;
    loop_set_timer(&g->loop, &g->notify, delay_ms);
}

static void start_notifying(struct gateway *g)
{
    uint64_t watchdog_us = 0;
    if (!getenv("NOTIFY_SOCKET"))
        return;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        g->watchdog_ms = (int64_t)(watchdog_us / 1000);
    g->notify.expired = on_notify;
    sd_notify(0, "READY=1");
    on_notify(&g->notify);
}

static void announce_ready(struct gateway *g)
{
    char modbus[ADDRESS_TEXT_MAX] = "off";
    if (g->modbus)
        modbus_tcp_address(g->modbus, modbus);
    printf("ready serial=%s modbus=%s map=%s mqtt=%s\n", g->identity.serial, modbus,
           register_map_find(g->options.map)->name, g->options.mqtt[0] ? g->options.mqtt : "off");
    fflush(stdout);
    log_info("run", "serving, serial %s, Modbus %s%s", g->identity.serial, g->modbus ? "on " : "",
             modbus);
}

static void start_live(struct gateway *g)
{
    g->live =
        (struct live){.loop = &g->loop, .meter = g->meter, .modbus = g->modbus, .mqtt = g->mqtt};
    g->is_live = true;
    live_start(&g->live);
}

static void close_all(struct gateway *g)
{
    sd_notify(0, "STOPPING=1");
    if (g->is_live)
        live_stop(&g->live);
    mqtt_close(g->mqtt);
    modbus_tcp_close(g->modbus);
    meter_close(g->meter);
    loop_close(&g->loop);
    explicit_bzero(g->password, sizeof g->password);
}

int command_run(int argc, char **argv)
{
    static struct gateway g;
    bool help = false;
    int result = read_options(argc, argv, &g.options, &help);
    if (result != EXIT_GOOD)
        return result;
    if (help) {
        print_run_help();
        return EXIT_GOOD;
    }
    log_set_level((enum log_level)g.options.log_level);
    if (loop_init(&g.loop) < 0 || loop_stop_on_signals(&g.loop) < 0)
        return command_usage_error("run", "%s", strerror(errno));
    if (!find_identity(&g) || !open_meter(&g) || !open_modbus(&g) || !open_mqtt(&g)) {
        close_all(&g);
        return EXIT_USAGE;
    }
    announce_ready(&g);
    start_notifying(&g);
    if (g.options.live)
        start_live(&g);
    loop_run(&g.loop);
    log_info("run", "%s: stopping", strsignal(loop_stop_signal(&g.loop)));
    close_all(&g);
    return EXIT_GOOD;
}
