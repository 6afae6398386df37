/* main.c - p1mb-config: the command named on the command line, or the window. */
#include "device.h"
#include "field.h"
#include "report.h"
#include "window.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_code { EXIT_DONE, EXIT_FAILED, EXIT_WRONG_USAGE };

/* Options behind those of the settings, which come first in the order of `fields`. */
enum option_id {
    OPTION_PORT = FIELDS,
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_NO_REBOOT,
    OPTION_HELP,
    OPTION_VERSION,
    OPTIONS
};

/* What was given; NULL: was not. */
struct arguments {
    const char *given[OPTIONS];
    int timeout_ms;
};

/* Commands, as bits of who takes an option. */
enum { WINDOW = 1, READ = 2, WRITE = 4, REBOOT = 8, PORTS = 16, ANY = 31 };

/* clang-format off */
static const struct {
    const char *flag, *value, *help;
    int taken_by;
} options[OPTIONS - FIELDS] = {
    {"port", "PATH", "the serial port; not needed where there is one only", ANY & ~PORTS},
    {"timeout-ms", "N", "how long to wait for an answer, three times [1000]", ANY & ~PORTS},
    {"json", NULL, "print one JSON object", READ | PORTS},
    {"no-reboot", NULL, "leave it to the next reboot to make the settings active", WRITE},
    {"help", NULL, "print this text", ANY},
    {"version", NULL, "print the version", ANY},
};
/* clang-format on */

static enum exit_code complain(enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum exit_code complain(enum exit_code code, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    for (char *p = message; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    fprintf(stderr, "p1mb-config: %s%s\n", message,
            code == EXIT_WRONG_USAGE ? " (see p1mb-config --help)" : "");
    return code;
}

/* --- commands --------------------------------------------------------------------------------- */

static enum exit_code choose_port(const char *given, char path[static PORT_PATH_MAX])
{
    static struct port ports[PORTS_MAX];
    char names[512] = "";
    size_t count = given ? 0 : port_list("", ports, PORTS_MAX);
    for (size_t i = 0, n = 0; i < count && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, " %s", ports[i].path);
    if (!given && count == 0)
        return complain(EXIT_FAILED, "no serial port found: plug the configurator cable into this "
                                     "computer, or name its port with --port");
    if (!given && count > 1)
        return complain(EXIT_WRONG_USAGE,
                        "there are several serial ports; choose one with --port:%s", names);
    if (snprintf(path, PORT_PATH_MAX, "%s", given ? given : ports[0].path) >= PORT_PATH_MAX)
        return complain(EXIT_WRONG_USAGE, "--port: the name is too long");
    return EXIT_DONE;
}

static enum exit_code read_device(const struct arguments *a, struct device *d)
{
    report_device(d, a->given[OPTION_JSON]);
    return EXIT_DONE;
}

/* Puts what was given into a setup; what was not stays as the device has it. */
static enum exit_code make_setup(const struct arguments *a, const struct facts *facts,
                                 struct p1mb_setup *setup)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (!a->given[i])
            continue;
        int value = field_find(&fields[i], facts, a->given[i]);
        if (value < 0) { /* a map: the rest was looked at before */
            char names[P1MB_PAYLOAD_MAX * 2] = "";
            for (unsigned m = 0, n = 0; m < facts->maps && n < sizeof names; m++)
                n += (unsigned)snprintf(names + n, sizeof names - n, " %s",
                                        facts_text(facts, FACTS_MAP + m));
            return complain(EXIT_WRONG_USAGE,
                            "--%s \"%.60s\": this device has%s; nothing was changed",
                            fields[i].flag, a->given[i], names);
        }
        fields[i].set(setup, (unsigned)value);
    }
    return EXIT_DONE;
}

static enum exit_code write_device(const struct arguments *a, struct device *d)
{
    static const char *const said[] = {
        [UPDATE_NOTHING] = "nothing to change: the P1MB has these settings already",
        [UPDATE_WRITTEN] = "written and read back; they become active at the next reboot",
        [UPDATE_ACTIVE] = "written and read back; the P1MB has rebooted and runs with them now",
    };
    struct p1mb_setup wanted = d->next;
    enum exit_code code = make_setup(a, &d->facts, &wanted);
    if (code != EXIT_DONE)
        return code;
    enum device_update update = device_update(d, &wanted, !a->given[OPTION_NO_REBOOT]);
    if (update == UPDATE_FAILED)
        return complain(EXIT_FAILED, "%s", d->problem);
    printf("%s: %s\n", d->path, said[update]);
    return EXIT_DONE;
}

static enum exit_code reboot_device(const struct arguments *a, struct device *d)
{
    (void)a;
    if (!device_reboot(d))
        return complain(EXIT_FAILED, "%s", d->problem);
    printf("%s: the P1MB has rebooted and answers\n", d->path);
    return EXIT_DONE;
}

static enum exit_code at_device(const struct arguments *a,
                                enum exit_code (*job)(const struct arguments *a, struct device *d))
{
    static struct device d;
    char path[PORT_PATH_MAX];
    enum exit_code code = choose_port(a->given[OPTION_PORT], path);
    if (code != EXIT_DONE)
        return code;
    port_catch_interrupts();
    if (device_open(&d, path, a->timeout_ms))
        code = job(a, &d);
    else
        code = complain(EXIT_FAILED, "%s", d.problem);
    device_close(&d);
    return code;
}

static enum exit_code run_read(const struct arguments *a)
{
    return at_device(a, read_device);
}

static enum exit_code run_write(const struct arguments *a)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (a->given[i])
            return at_device(a, write_device);
    return complain(EXIT_WRONG_USAGE, "write: say what, with --baud, --line, --address, "
                                      "--termination or --map");
}

static enum exit_code run_reboot(const struct arguments *a)
{
    return at_device(a, reboot_device);
}

static enum exit_code run_ports(const struct arguments *a)
{
    static struct port ports[PORTS_MAX];
    report_ports(ports, port_list("", ports, PORTS_MAX), a->given[OPTION_JSON]);
    return EXIT_DONE;
}

static enum exit_code run_window(const struct arguments *a);

static const struct {
    const char *name;
    enum exit_code (*run)(const struct arguments *a);
    const char *help;
    int bit;
} commands[] = {
    {NULL, run_window, NULL, WINDOW}, /* no command */
    {"read", run_read, "show what the P1MB is and how it is set", READ},
    {"write", run_write, "change what is named, keep the rest, reboot, and verify", WRITE},
    {"reboot", run_reboot, "reboot it: what was written becomes active", REBOOT},
    {"ports", run_ports, "list the serial ports there are", PORTS},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_option(FILE *out, const char *flag, const char *value, const char *help)
{
    char left[40];
    snprintf(left, sizeof left, "--%s %s", flag, value ? value : "");
    fprintf(out, "  %-19s %s\n", left, help);
}

static void print_help(FILE *out)
{
    fprintf(out,
            "usage: p1mb-config [--port PATH]                       a window with all settings\n"
            "       p1mb-config [--port PATH] COMMAND [OPTION...]\n\n"
            "Reads and changes the settings of a P1MB at the configurator cable.\n\n");
    for (size_t i = 1; i < COMMANDS; i++)
        fprintf(out, "  %-19s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nwhat write changes, one at least:\n");
    for (size_t i = 0; i < FIELDS; i++)
        print_option(out, fields[i].flag, "VALUE", fields[i].range);
    fprintf(out, "\noptions:\n");
    for (size_t i = 0; i < OPTIONS - FIELDS; i++)
        print_option(out, options[i].flag, options[i].value, options[i].help);
    fprintf(out, "\nExit status: 0 done, 1 failed, 2 wrong usage.\n");
}

static enum exit_code run_window(const struct arguments *a)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        print_help(stderr);
        return EXIT_WRONG_USAGE;
    }
    port_catch_interrupts();
    if (!window_run(a->given[OPTION_PORT], a->timeout_ms))
        return complain(EXIT_FAILED, "this terminal cannot show the window; use the commands");
    return EXIT_DONE;
}

/* --- the command line ------------------------------------------------------------------------- */

static const char *flag_of(size_t id)
{
    return id < FIELDS ? fields[id].flag : options[id - FIELDS].flag;
}

static bool is_taken_by(size_t id, int command)
{
    return command & (id < FIELDS ? WRITE : options[id - FIELDS].taken_by);
}

static enum exit_code read_options(int argc, char **argv, struct arguments *a)
{
    struct option flags[OPTIONS + 1] = {{0}};
    int id;
    for (int i = 0; i < OPTIONS; i++) {
        bool has_value = i < FIELDS || options[i - FIELDS].value;
        flags[i] = (struct option){flag_of((size_t)i), has_value ? required_argument : no_argument,
                                   NULL, i};
    }
    opterr = 0;
    while ((id = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
        if (id == ':')
            return complain(EXIT_WRONG_USAGE, "%.60s needs a value", argv[optind - 1]);
        if (id == '?' && optopt > OPTIONS) /* a letter */
            return complain(EXIT_WRONG_USAGE, "unknown option -%c", optopt);
        if (id == '?')
            return complain(EXIT_WRONG_USAGE, "unknown option %.60s", argv[optind - 1]);
        a->given[id] = optarg ? optarg : "";
    }
    return EXIT_DONE;
}

/* Looks at the values before anything is opened; names of maps are the device's. */
static enum exit_code check_values(struct arguments *a)
{
    const char *timeout = a->given[OPTION_TIMEOUT];
    for (size_t i = 0; i < FIELDS; i++)
        if (a->given[i] && fields[i].count(NULL) && field_find(&fields[i], NULL, a->given[i]) < 0)
            return complain(EXIT_WRONG_USAGE, "--%s \"%.60s\": use %s", fields[i].flag, a->given[i],
                            fields[i].range);
    a->timeout_ms = DEVICE_TIMEOUT_MS;
    if (timeout) {
        char *end;
        long value = strtol(timeout, &end, 10);
        if (*end || end == timeout || value < DEVICE_TIMEOUT_MIN_MS || value > DEVICE_TIMEOUT_MAX_MS)
            return complain(EXIT_WRONG_USAGE, "--timeout-ms \"%.60s\": use %d to %d", timeout,
                            DEVICE_TIMEOUT_MIN_MS, DEVICE_TIMEOUT_MAX_MS);
        a->timeout_ms = (int)value;
    }
    return EXIT_DONE;
}

/* The number of the command; COMMANDS: there is none of that name. */
static size_t find_command(const char *name)
{
    size_t i = name ? 1 : 0;
    while (name && i < COMMANDS && strcmp(commands[i].name, name) != 0)
        i++;
    return i;
}

static enum exit_code run(int argc, char **argv, struct arguments *a)
{
    size_t command = find_command(argv[optind]);
    if (command == COMMANDS)
        return complain(EXIT_WRONG_USAGE, "\"%.60s\" is no command", argv[optind]);
    if (argc - optind > 1)
        return complain(EXIT_WRONG_USAGE, "\"%.60s\" is one word too many", argv[optind + 1]);
    for (size_t i = 0; i < OPTIONS; i++)
        if (a->given[i] && !is_taken_by(i, commands[command].bit))
            return complain(EXIT_WRONG_USAGE, "--%s is not for %s", flag_of(i),
                            command ? commands[command].name : "the window");
    enum exit_code code = check_values(a);
    return code == EXIT_DONE ? commands[command].run(a) : code;
}

int main(int argc, char **argv)
{
    static struct arguments a;
    enum exit_code code = read_options(argc, argv, &a);
    if (code != EXIT_DONE)
        return (int)code;
    if (a.given[OPTION_HELP])
        print_help(stdout);
    else if (a.given[OPTION_VERSION])
        printf("p1mb-config %s\n", SMART_CONNECT_VERSION);
    else
        code = run(argc, argv, &a);
    if (fflush(stdout) != 0 && code == EXIT_DONE)
        code = complain(EXIT_FAILED, "what was to be printed could not be written");
    return (int)code;
}
