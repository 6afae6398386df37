/* commands.h - the subcommands of `smart-connect`, one file each. */
#ifndef COMMANDS_H
#define COMMANDS_H

/* Exit codes of all of them. */
enum {
    EXIT_GOOD = 0,
    EXIT_NOTHING_VALID = 1, /* decode, registers: no valid telegram */
    EXIT_USAGE = 2          /* an option, a file or a port cannot be used: one line says why */
};

/* Each gets argv from its own name on, and returns the exit code. */
typedef int command(int argc, char **argv);

command command_run, command_check_config, command_decode, command_simulate, command_registers,
    command_label, command_openapi, command_version;

/* Prints "smart-connect NAME: message" and a hint at --help; returns EXIT_USAGE. */
int command_usage_error(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for the option getopt_long() has just refused with '?' or ':', named as it was typed. */
int command_option_error(const char *name, int refusal, char **argv);

#endif
