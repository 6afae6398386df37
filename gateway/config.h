/* config.h - the user configuration: one table from which parsing, checks, masks, defaults, the stored file,
 * the OpenAPI schema and the documents are made.
 *
 * The keys are those of the Smart Connect manual V1.8, section 5.2; ours are added in the same style.  A row
 * is found by its JSON pointer ("/MQTT/Broker").  Pure: no files, no clock.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "broker_tls.h"
#include "options.h"

#include <jansson.h>

enum {
    CONFIG_TEXT_MAX = OPTION_TEXT_MAX,        /* of most texts, with their NUL */
    CONFIG_LONG_TEXT_MAX = BROKER_TLS_CA_MAX, /* of those that hold certificates */
    CONFIG_POINTER_MAX = 80,
    CONFIG_DETAIL_MAX = 360,
    CONFIG_ERRORS_MAX = 12,
    CONFIG_VERSION = 1,         /* of the stored file */
    CONFIG_FILE_MAX = 64 * 1024 /* bytes of the stored file */
};

#define CONFIG_MASK "********" /* shown for a secret that is set; sent back, it keeps the secret */

enum config_interface { INTERFACE_ETHERNET, INTERFACE_WIFI };
enum config_ip_mode { IP_DHCP, IP_STATIC };

struct config_ip {
    int mode; /* enum config_ip_mode */
    char address[CONFIG_TEXT_MAX], netmask[CONFIG_TEXT_MAX], gateway[CONFIG_TEXT_MAX],
        dns[CONFIG_TEXT_MAX];
};

struct config {
    char meter_type[CONFIG_TEXT_MAX]; /* name of a register map */
    int default_interface;            /* enum config_interface */
    struct config_ip ethernet, wifi;
    char wifi_ssid[CONFIG_TEXT_MAX], wifi_password[CONFIG_TEXT_MAX];
    int network_rollback;
    char ping_target[CONFIG_TEXT_MAX];
    int mqtt_enabled; /* and a broker is set: MQTT is on */
    char mqtt_broker[CONFIG_TEXT_MAX], mqtt_site[CONFIG_TEXT_MAX], mqtt_username[CONFIG_TEXT_MAX],
        mqtt_password[CONFIG_TEXT_MAX];
    int mqtt_keepalive_s;
    char mqtt_ca[CONFIG_LONG_TEXT_MAX]; /* see broker_tls.h */
    int mqtt_profile;                   /* enum mqtt_profile */
    int mqtt_interval_s, mqtt_deadband_w, mqtt_counters_interval_s;
    int mqtt_keep_days, mqtt_keep_mib, mqtt_late_rate;
    int mqtt_commands;
    int mqtt_home_assistant;
    char mqtt_home_assistant_prefix[CONFIG_TEXT_MAX];
    int modbus_port, modbus_clients, modbus_idle_timeout_s;
    int word_order; /* enum served_order */
    int unknown;    /* enum unknown_policy */
    int stale;      /* enum stale_policy */
    int stale_current_a;
    int nominal_hz;
    int stale_after_s;
    int grid;    /* enum derive_grid */
    int current; /* enum derive_current */
    int estimate_u31;
    char rtu_map[CONFIG_TEXT_MAX]; /* name of a register map */
    int rtu_address;
    char rtu_line[CONFIG_TEXT_MAX]; /* "9600-8E1" */
    int rtu_termination;
    int rtu_stale; /* enum stale_policy */
    char metrics_token[CONFIG_TEXT_MAX];
    /* A bit for each row that the user has set: these are stored, the others follow the defaults. */
    uint64_t was_set;
};

/* What has to take over a changed setting. */
enum config_door {
    DOOR_NETWORK = 1 << 0,
    DOOR_MQTT = 1 << 1,
    DOOR_MODBUS = 1 << 2,      /* what is served, and to how many */
    DOOR_MODBUS_PORT = 1 << 3, /* where it is served */
    DOOR_METER = 1 << 4,
    DOOR_METRICS = 1 << 5,
    DOOR_REACH = 1 << 6,
    DOOR_RTU = 1 << 7,
    DOOR_TRIAL = 1 << 8 /* what becomes of the next change of the network */
};

enum config_type { CONFIG_TEXT, CONFIG_NUMBER, CONFIG_CHOICE, CONFIG_SWITCH };

struct config_row {
    const char *pointer;  /* RFC 6901 */
    const char *fallback; /* the default: a text, number, choice, or true | false */
    const char *help;
    unsigned door;       /* a sum of enum config_door */
    size_t offset, size; /* in struct config: char[], else int */
    enum config_type type;
    const char *const *choices; /* CONFIG_CHOICE: names by value, NULL at the end */
    int min, max;               /* CONFIG_NUMBER: its range; CONFIG_TEXT: bytes, unless empty */
    bool secret;                /* never shown */
    bool lines;                 /* CONFIG_TEXT: may have several */
    bool map;                   /* CONFIG_TEXT: the name of a register map */
    /* A further check of a text that is not empty; may write it in its usual form. */
    bool (*check)(char *text, char detail[static CONFIG_DETAIL_MAX]);
    size_t option; /* 1 + offset in struct options of the same value, which is the default; 0: none */
};

extern const struct config_row config_rows[];
extern const size_t config_row_count;

/* What is wrong with a configuration: each fault names its field.  More than CONFIG_ERRORS_MAX are not kept. */
struct config_errors {
    size_t count;
    struct config_error {
        char pointer[CONFIG_POINTER_MAX]; /* both whole characters of UTF-8, whatever was sent */
        char detail[CONFIG_DETAIL_MAX];
    } list[CONFIG_ERRORS_MAX];
};

/* Sets everything to its default: that of the table, or what the device file or a flag says instead. */
void config_defaults(struct config *c, const struct options *o);

/* True if the user has set the setting at this pointer; else it follows its default. */
bool config_is_set(const struct config *c, const char *pointer);

/* Applies a merge patch (RFC 7396, but null is refused: every key stays).  False: errors is filled and *c
 * is unchanged.  The patch stays the caller's. */
bool config_patch(struct config *c, json_t *patch, struct config_errors *errors);

/* The whole configuration as an object, secrets masked.  NULL: out of memory. */
json_t *config_json(const struct config *c);

/* The doors whose settings differ: a sum of enum config_door. */
unsigned config_changed_doors(const struct config *before, const struct config *now);

/* Takes the settings of these doors over as they are in `from`, set or not. */
void config_take(struct config *c, const struct config *from, unsigned doors);

/* The pointers of the settings that differ, in one line behind blanks, for the log. */
void config_changed_names(const struct config *before, const struct config *now, char *text,
                          size_t capacity);

/* JSON Schema (2020-12) of what config_json() makes, and, with `patch`, of what config_patch() takes. */
json_t *config_schema(bool patch);

/* The names that MeterType may have, as an array. */
json_t *config_map_names(void);

/* The stored form: {"Version":1,"Settings":{...}} with what the user has set, in clear.  Memory of the
 * caller (free), NULL: out of memory. */
char *config_file_text(const struct config *c);

enum config_file_result {
    CONFIG_FILE_GOOD,
    CONFIG_FILE_PARTLY, /* single settings could not be used: they keep their defaults */
    CONFIG_FILE_NEWER,  /* of a later version: what is known was taken */
    CONFIG_FILE_DAMAGED /* nothing was taken */
};

/* Reads the stored form, of this version and of all before, over the defaults in *c.  `errors` says what was
 * left out. */
enum config_file_result config_read_file(struct config *c, const char *text, size_t length,
                                         struct config_errors *errors);

#endif
