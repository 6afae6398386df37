/* options.h - the settings of `run`: one table for flags, the device file, help and the manual page. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "log.h"
#include "meter.h"
#include "modbus_tcp.h"

enum network_backend { NETWORK_HOST, NETWORK_MANAGER };
enum { OPTION_TEXT_MAX = 256, OPTION_ERROR_MAX = 500, OPTION_LIST_MAX = 8 };

/* Of an option that may be given several times: flags add to what the file says. */
struct option_list {
    int count;
    char text[OPTION_LIST_MAX][OPTION_TEXT_MAX];
};

struct options {
    /* [meter] */
    char meter[OPTION_TEXT_MAX];
    int meter_kind; /* enum meter_kind */
    int stale_after_s;
    int meter_utc_offset_h;
    int grid;    /* enum derive_grid */
    int current; /* enum derive_current */
    int estimate_u31;
    /* [modbus] */
    char modbus[OPTION_TEXT_MAX];
    struct option_list map_files;
    char map[OPTION_TEXT_MAX];
    int modbus_clients;
    int modbus_idle_timeout_s;
    int modbus_framing; /* enum modbus_framing */
    int modbus_writes;
    struct option_list modbus_also; /* see modbus_listeners.h */
    int word_order;                 /* enum served_order */
    int unknown;                    /* enum unknown_policy */
    int stale;                      /* enum stale_policy */
    int stale_current_a;
    int nominal_hz;
    /* [mqtt] */
    char mqtt[OPTION_TEXT_MAX];
    char mqtt_site[OPTION_TEXT_MAX];
    char mqtt_username[OPTION_TEXT_MAX];
    char mqtt_password_file[OPTION_TEXT_MAX];
    char mqtt_ca[OPTION_TEXT_MAX];
    int mqtt_keepalive_s;
    int mqtt_profile; /* enum mqtt_profile */
    int mqtt_interval_s;
    int mqtt_keep_days;
    int mqtt_home_assistant;
    /* [http] */
    char http[OPTION_TEXT_MAX];
    char https[OPTION_TEXT_MAX];
    char http_names[OPTION_TEXT_MAX];
    char https_cert[OPTION_TEXT_MAX];
    char https_key[OPTION_TEXT_MAX];
    /* [rtu] */
    char rtu[OPTION_TEXT_MAX];
    char rtu_map[OPTION_TEXT_MAX];
    int rtu_address;
    char rtu_line[OPTION_TEXT_MAX];
    int rtu_termination;
    int rtu_stale;     /* enum stale_policy */
    int rtu_direction; /* enum rs485_direction */
    int rtu_turnaround_ms;
    /* [p1] */
    struct option_list p1_out; /* see p1_out.h */
    int p1_out_format;         /* enum p1_out_format */
    /* [network] */
    int network; /* enum network_backend */
    char ethernet[OPTION_TEXT_MAX];
    char wifi[OPTION_TEXT_MAX];
    /* [panel] */
    char led[OPTION_TEXT_MAX];
    char button[OPTION_TEXT_MAX];
    /* [update] */
    int update; /* enum update_manager */
    char update_folder[OPTION_TEXT_MAX];
    char update_fetch[OPTION_TEXT_MAX];
    char update_release[OPTION_TEXT_MAX];
    char update_floor[OPTION_TEXT_MAX];
    int update_trial_s;
    /* [device] */
    char state[OPTION_TEXT_MAX];
    char serial[OPTION_TEXT_MAX];
    int log_level; /* enum log_level */
    int mdns;
    int live;
    /* private: a bit for each row that was set by flag or file */
    uint64_t was_set;
};

enum option_type {
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_CHOICE,
    OPTION_SWITCH,
    OPTION_LIST /* texts; each time it is given adds one */
};

struct option_row {
    const char *section;    /* of the device file */
    const char *name;       /* key of the device file, and "--name" */
    const char *value_name; /* for help texts; NULL: the flag may stand alone */
    const char *fallback;   /* the default, as it would be typed */
    const char *help;
    size_t offset; /* in struct options: char[OPTION_TEXT_MAX], struct option_list, else int */
    enum option_type type;
    const char *const *choices; /* OPTION_CHOICE: names by value, NULL at the end */
    int min, max;               /* OPTION_NUMBER */
    /* A further check of a text, or of each of a list; false: error (OPTION_ERROR_MAX bytes) is filled. */
    bool (*check)(const char *text, char *error);
    bool early; /* to be set before the others, wherever it stands: their checks go by it */
};

/* The table; option_rows[option_row_count - 1] is the last. */
extern const struct option_row option_rows[];
extern const size_t option_row_count;

/* Sets every option to its default. */
void options_defaults(struct options *o);

/* Sets one option by name; a list gets one text more.  False: `error` says what is wrong and what would be right. */
bool options_set(struct options *o, const char *name, const char *value,
                 char error[static OPTION_ERROR_MAX]);

/* Reads a device file (INI), the early options first.  False: `error` begins with "PATH:LINE: ". */
bool options_read_file(struct options *o, const char *path, char error[static OPTION_ERROR_MAX]);

/* Puts the paths of systemd's files in place of credential:NAME (credential.h).  False: `error` says which option names
 * one that cannot be read, and what to do. */
bool options_find_credentials(struct options *o, char error[static OPTION_ERROR_MAX]);

/* True if the option was set by a flag or a file, whatever to. */
bool options_was_set(const struct options *o, const char *name);

/* Prints the table as help text. */
void options_print_help(void);

#endif
