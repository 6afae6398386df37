/* main.c - the subcommand named on the command line. */
#include "commands.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    command *run;
    const char *help;
} commands[] = {
    {"run", command_run, "the gateway: a meter's telegrams to Modbus TCP, MQTT and a web page"},
    {"decode", command_decode, "telegrams in, readings out"},
    {"simulate", command_simulate, "a simulated meter on a pseudo-terminal, a TCP port or a file"},
    {"registers", command_registers, "the Modbus register map, with the values of a telegram"},
    {"label", command_label, "serial number, login and access point of this box, for its sticker"},
    {"openapi", command_openapi, "print the OpenAPI document of the HTTPS interface"},
    {"check-config", command_check_config, "check a device file and exit"},
    {"version", command_version, "print the version"},
};

static void print_help(void)
{
    printf("usage: smart-connect COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        printf("  %-13s %s\n", commands[i].name, commands[i].help);
    printf("\nsmart-connect COMMAND --help tells the options of a command.\n"
           "Try: smart-connect run --meter sim:dsmr50 --modbus 1502 --live\n");
}

int command_usage_error(const char *name, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    for (char *p = message; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    fprintf(stderr, "smart-connect %s: %s (see smart-connect %s --help)\n", name, message, name);
    return EXIT_USAGE;
}

int command_option_error(const char *name, int refusal, char **argv)
{
    /* inside a cluster of letters getopt stays at the cluster; else it is past what it refused */
    const char *at = argv[optind];
    bool inside = at && at[0] == '-' && at[1] != '-' && optopt && strchr(at, optopt);
    if (inside)
        return command_usage_error(name, "unknown option -%c", optopt);
    at = argv[optind - 1];
    return refusal == ':' ? command_usage_error(name, "%.60s needs a value", at)
                          : command_usage_error(name, "unknown option %.60s", at);
}

int command_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") != 0)
        return command_usage_error("version", "\"%.60s\": takes no options", argv[1]);
    printf("smart-connect %s\n", SMART_CONNECT_VERSION);
    return EXIT_GOOD;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return argc > 1 ? EXIT_GOOD : EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "smart-connect: \"%.40s\" is no command; smart-connect --help lists them\n",
            name);
    return EXIT_USAGE;
}
