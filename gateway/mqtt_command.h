/* mqtt_command.h - commands over MQTT: what is asked, and whether it may be done.
 *
 *   topic     devices/<site>/smart-connect/<serial>/cmd/<name>
 *   request   {"id":"7f3c...","device":"<serial>","expires":1780396129, ...}
 *   response  .../cmd/<name>/response  {"id":"7f3c...","ok":true,...} or {"id":"7f3c...","ok":false,"error":"..."}
 *
 * `id` is the sender's, 8 to 64 letters, digits, - and _, and is good once; `device` is the serial number the command
 * is for; `expires` is when it is too late, in UTC seconds, at most ten minutes ahead.  firmware-update has a `url` as
 * well.  Pure: no clock, no network.
 */
#ifndef MQTT_COMMAND_H
#define MQTT_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COMMAND_BYTES_MAX = 4096, /* of a request */
    COMMAND_ID_MAX = 65,      /* with its NUL */
    COMMAND_URL_MAX = 1024,
    COMMAND_ERROR_MAX = 160,
    COMMAND_LIFE_MAX_S = 600, /* how far ahead `expires` may lie */
    COMMAND_REMEMBERED = 64,  /* ids that are not expired yet */
    COMMAND_BURST = 10,       /* commands at once; then one each COMMAND_PACE_MS */
    COMMAND_PACE_MS = 1000,
    COMMAND_MEMORY_TEXT_MAX = 8192
};

enum command_name {
    COMMAND_FIRMWARE_UPDATE,
    COMMAND_RESET,
    COMMAND_GET_STATUS,
    COMMAND_GET_TELEGRAM,
    COMMANDS_N
};

/* "firmware-update" ... */
const char *command_name_text(enum command_name name);

/* Why a command was not done: what is counted. */
enum command_verdict {
    COMMAND_GOOD,
    COMMAND_MALFORMED, /* no JSON object; a member missing, unknown, of the wrong kind; too long */
    COMMAND_UNKNOWN,   /* no such name */
    COMMAND_RETAINED,  /* a command that lay in the broker */
    COMMAND_FOREIGN,   /* for another device */
    COMMAND_EXPIRED,   /* too late, or no time is known here */
    COMMAND_TOO_FAR,   /* expires too far ahead */
    COMMAND_REPLAYED,  /* this id was used */
    COMMAND_TOO_MANY,  /* faster than allowed, or too many ids to remember */
    COMMAND_BAD_URL,   /* firmware-update: not an https URL of a named host */
    COMMAND_VERDICTS
};

struct command {
    enum command_name name;
    char id[COMMAND_ID_MAX]; /* "": none could be read, so no response names one */
    int64_t expires_s;
    char url[COMMAND_URL_MAX]; /* COMMAND_FIRMWARE_UPDATE */
};

/* The ids that were used, and how fast commands came.  Start it zeroed.  Private. */
struct command_memory {
    struct {
        char id[COMMAND_ID_MAX]; /* "": a free place */
        int64_t expires_s;
    } used[COMMAND_REMEMBERED];
    int64_t full_ms; /* when COMMAND_BURST commands may come at once again; past: they may now */
};

struct command_message {
    const char *name; /* last level of its topic */
    const void *payload;
    size_t length;
    bool retained;
    const char *serial; /* of this box */
    int64_t now_s;      /* UTC; READING_NO_TIME: not known */
    int64_t now_ms;     /* the loop's clock */
};

/* Judges a message.  COMMAND_GOOD: *c is to be done, and its id is used up; a refused one uses up none.  Else `error`
 * says in one line of printable ASCII what is wrong; c->id is the request's if it could be read, and of the rest of *c
 * nothing may be used.  What comes too fast, is too long, lay in the broker or has no known name is not read at all. */
enum command_verdict command_judge(struct command_memory *memory, const struct command_message *m,
                                   struct command *c, char error[static COMMAND_ERROR_MAX]);

/* The memory as a text to keep over a restart, and back: a damaged text, or one of more than COMMAND_MEMORY_TEXT_MAX
 * bytes, is an empty memory.  The text is the caller's (free); NULL: out of memory. */
char *command_memory_text(const struct command_memory *memory);
void command_memory_read(struct command_memory *memory, const char *text, size_t length);

/* https://NAME[:PORT]/PATH: what an update may be fetched from.  NAME has a dot and is not localhost nor an address in
 * any of its forms; there is no user and no fragment.  False: `error`. */
bool command_check_url(const char *url, char error[static COMMAND_ERROR_MAX]);

/* Response bodies, the caller's (free); NULL: out of memory.  `result` is an object that is taken over; its members
 * follow "ok" and cannot be "id" or "ok" themselves; NULL: none. */
char *command_response(const char *id, json_t *result);
char *command_refusal(const char *id, const char *error);

#endif
