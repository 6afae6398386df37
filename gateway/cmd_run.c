/* cmd_run.c - `smart-connect run` and `check-config`: options to modules, and their life. */
#include "commands.h"
#include "gateway.h"
#include "heap.h"
#include "log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define DEVICE_FILE "/etc/smart-connect/smart-connect.conf"

enum { NOTIFY_MS = 5000, TRIM_MS = 60000 };

/* A gateway, what systemd wants to hear of it, and what it gives back. */
struct running {
    struct gateway gateway;
    struct loop_timer notify, trim;
    int64_t watchdog_ms; /* 0: systemd does not watch */
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

/* The value of the flag that getopt found just now.  A switch may stand alone, or before on or off. */
static const char *value_of(const struct option_row *row, int argc, char **argv)
{
    if (optarg)
        return optarg;
    bool follows = row->type == OPTION_SWITCH && optind < argc &&
                   (strcmp(argv[optind], "on") == 0 || strcmp(argv[optind], "off") == 0);
    return follows ? argv[optind++] : "on";
}

/* Goes through the flags and sets the early options in `o`, or all others. */
static int walk_flags(int argc, char **argv, const struct option *flags, struct options *o,
                      bool early, const char **config_path, bool *help)
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
        else {
            const char *value = value_of(&option_rows[index], argc, argv);
            if (option_rows[index].early == early &&
                !options_set(o, flags[index].name, value, error))
                result = command_usage_error("run", "--%s", error);
        }
    }
    if (result == EXIT_GOOD && optind < argc)
        result = command_usage_error("run", "\"%.60s\" is no option", argv[optind]);
    return result;
}

/* Reads device file and flags, in this order, but for early flags: the file may go by them.  EXIT_GOOD, or what to exit
 * with; *help: asked for it. */
static int read_options(int argc, char **argv, struct options *o, bool *help)
{
    char error[OPTION_ERROR_MAX] = "out of memory";
    const char *path = NULL;
    struct option *flags = make_flags();
    options_defaults(o);
    int result = flags ? walk_flags(argc, argv, flags, o, true, &path, help)
                       : command_usage_error("run", "%s", error);
    if (result == EXIT_GOOD && !*help && !read_device_file(o, path, error))
        result = command_usage_error("run", "%s", error);
    if (result == EXIT_GOOD && !*help)
        result = walk_flags(argc, argv, flags, o, false, &path, help);
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
static const char *read_password(const char *path, char password[static CONFIG_TEXT_MAX])
{
    password[0] = 0;
    if (path[0] == 0)
        return NULL;
    FILE *f = fopen(path, "re");
    if (!f)
        return strerror(errno);
    errno = 0;
    bool ok = fgets(password, CONFIG_TEXT_MAX, f) != NULL || errno == 0;
    const char *problem = ok ? NULL : strerror(errno);
    fclose(f);
    size_t length = strcspn(password, "\r\n");
    if (ok && length == 0)
        problem = "its first line is empty";
    if (length == CONFIG_TEXT_MAX - 1)
        problem = "longer than 254 characters";
    password[length] = 0;
    return problem;
}

/* --mqtt-ca: a pin, or a file of certificates.  NULL: `ca` has it in its usual form. */
static const char *read_ca(const char *option, char ca[static CONFIG_LONG_TEXT_MAX],
                           char error[static BROKER_TLS_ERROR_MAX])
{
    static const char pin[] = "sha256:";
    FILE *f = NULL;
    snprintf(ca, CONFIG_LONG_TEXT_MAX, "%s", option);
    if (option[0] && strncmp(option, pin, strlen(pin)) != 0) {
        f = fopen(option, "re");
        if (!f)
            return strerror(errno);
        size_t n = fread(ca, 1, CONFIG_LONG_TEXT_MAX - 1, f);
        bool all = n < CONFIG_LONG_TEXT_MAX - 1;
        ca[n] = 0;
        fclose(f);
        if (!all || strlen(ca) != n)
            return "no file of certificates: too long, or not text";
    }
    return ca[0] == 0 || broker_tls_check_ca(ca, error) ? NULL : error;
}

static bool refuse_file(const char *option, const char *path, const char *problem)
{
    if (problem)
        (void)command_usage_error("run", "--%s %s: %s", option, path, problem);
    return !problem;
}

/* What flags and device file say becomes the default of the user configuration. */
static bool make_defaults(struct gateway *g)
{
    const struct options *o = &g->options;
    char error[OPTION_ERROR_MAX];
    if (!options_find_credentials(&g->options, error)) {
        (void)command_usage_error("run", "%s", error);
        return false;
    }
    config_defaults(&g->defaults, o);
    const char *problem = read_password(o->mqtt_password_file, g->defaults.mqtt_password);
    if (!problem && o->mqtt_password_file[0] && !o->mqtt_username[0])
        problem = "of no use without --mqtt-username";
    char why[BROKER_TLS_ERROR_MAX];
    return refuse_file("mqtt-password-file", o->mqtt_password_file, problem) &&
           refuse_file("mqtt-ca", o->mqtt_ca, read_ca(o->mqtt_ca, g->defaults.mqtt_ca, why));
}

/* --- running ---------------------------------------------------------------------------------- */

/* systemd: what to show, and that the loop is turning. */
static void on_notify(struct loop_timer *timer)
{
    struct running *r = CONTAINER_OF(timer, struct running, notify);
    struct gateway *g = &r->gateway;
    struct meter_counters c = meter_get_counters(g->meter);
    unsigned long long good = c.telegrams_pass, damaged = c.telegrams_fail,
                       cut = c.telegrams_frame_fail;
    sd_notifyf(0,
               "WATCHDOG=1\nSTATUS=meter: %s; %llu telegrams, %llu bad; %d Modbus clients; MQTT %s",
               meter_state_text(meter_get_state(g->meter)), good, damaged + cut,
               modbus_listeners_clients(&g->modbus),
               !g->mqtt                     ? "off"
               : mqtt_is_connected(g->mqtt) ? "connected"
                                            : "not connected");
    int64_t delay_ms =
        r->watchdog_ms && r->watchdog_ms / 2 < NOTIFY_MS ? r->watchdog_ms / 2 : NOTIFY_MS;
    loop_set_timer(&g->loop, &r->notify, delay_ms);
}

static void start_notifying(struct running *r)
{
    uint64_t watchdog_us = 0;
    if (!getenv("NOTIFY_SOCKET"))
        return;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        r->watchdog_ms = (int64_t)(watchdog_us / 1000);
    r->notify.expired = on_notify;
    sd_notify(0, "READY=1");
    on_notify(&r->notify);
}

/* What a crowd took is not kept for the next one. */
static void on_trim(struct loop_timer *timer)
{
    struct running *r = CONTAINER_OF(timer, struct running, trim);
    heap_trim();
    loop_set_timer(&r->gateway.loop, &r->trim, TRIM_MS);
}

static void http_addresses(const struct gateway *g, char http[static ADDRESS_TEXT_MAX],
                           char https[static ADDRESS_TEXT_MAX])
{
    if (g->http && g->http->plain)
        address_format(http_door_bound(g->http->plain), http);
    if (g->http)
        address_format(http_door_bound(g->http->secure), https);
}

/* The listeners beside the main one, if there are any. */
static void print_also(const struct modbus_listeners *l)
{
    char address[ADDRESS_TEXT_MAX];
    for (int i = 0; i < l->also_count; i++) {
        modbus_tcp_address(l->also[i].server, address);
        printf("%s%s", i ? "," : " also=", address);
    }
}

/* Where telegrams are passed on to. */
static void print_p1_out(const struct p1_out *o)
{
    struct p1_out_info info;
    for (int i = 0; p1_out_at(o, i, &info); i++)
        printf("%s%s", i ? "," : " p1=", info.to);
}

static void announce_ready(const struct gateway *g)
{
    char modbus[ADDRESS_TEXT_MAX] = "off", http[ADDRESS_TEXT_MAX] = "off",
         https[ADDRESS_TEXT_MAX] = "off";
    const struct config *c = &g->settings.now;
    if (g->modbus.main)
        modbus_tcp_address(g->modbus.main, modbus);
    http_addresses(g, http, https);
    printf("ready serial=%s modbus=%s map=%s mqtt=%s http=%s https=%s", g->identity.serial, modbus,
           c->meter_type, g->mqtt ? c->mqtt_broker : "off", http, https);
    if (g->rtu)
        printf(" rtu=%s", g->options.rtu);
    print_also(&g->modbus);
    print_p1_out(&g->p1_out);
    printf("\n");
    fflush(stdout);
    log_info("run", "serving, serial %s, Modbus %s%s, page %s%s", g->identity.serial,
             g->modbus.main ? "on " : "", modbus, g->http ? "on " : "", https);
}

static void start_live(struct gateway *g)
{
    g->live = (struct live){.loop = &g->loop,
                            .meter = g->meter,
                            .modbus = &g->modbus,
                            .mqtt = &g->mqtt,
                            .mqtt_counters = &g->mqtt_counters,
                            .outbox = g->outbox,
                            .http = g->http};
    live_start(&g->live);
}

static int serve(struct running *r)
{
    struct gateway *g = &r->gateway;
    announce_ready(g);
    start_notifying(r);
    r->trim.expired = on_trim;
    on_trim(&r->trim);
    if (g->options.live)
        start_live(g);
    loop_run(&g->loop);
    log_info("run", "%s: stopping", strsignal(loop_stop_signal(&g->loop)));
    sd_notify(0, "STOPPING=1");
    if (g->options.live)
        live_stop(&g->live);
    return EXIT_GOOD;
}

int command_run(int argc, char **argv)
{
    static struct running r;
    struct gateway *g = &r.gateway;
    char error[GATEWAY_ERROR_MAX];
    bool help = false;
    int result = read_options(argc, argv, &g->options, &help);
    if (result != EXIT_GOOD)
        return result;
    if (help) {
        print_run_help();
        return EXIT_GOOD;
    }
    log_set_level((enum log_level)g->options.log_level);
    heap_begin();
    if (loop_init(&g->loop) < 0 || loop_stop_on_signals(&g->loop) < 0)
        return command_usage_error("run", "%s", strerror(errno));
    if (!make_defaults(g))
        result = EXIT_USAGE;
    else if (gateway_open(g, error))
        result = serve(&r);
    else
        result = command_usage_error("run", "%s", error);
    gateway_close(g);
    if (g->loop.jobs) { /* a thread that a library keeps waiting must not see that library end */
        fflush(NULL);
        _exit(result);
    }
    return result;
}
