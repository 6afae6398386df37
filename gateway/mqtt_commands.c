#include "mqtt_commands.h"

#include "log.h"
#include "update.h"
#include "wall_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RESPONSE_LIFE_S = 300, /* who asked is gone by then */
    RESET_AFTER_MS = 1000  /* the answer goes first */
};

/* --- coming in -------------------------------------------------------------------------------- */

/* The name behind BASE/cmd/; NULL: it is no command. */
static const char *command_in(const struct mqtt_commands *c, const char *topic)
{
    size_t n = strlen(c->base);
    return strncmp(topic, c->base, n) == 0 && strncmp(topic + n, "/cmd/", 5) == 0 ? topic + n + 5
                                                                                  : NULL;
}

void mqtt_commands_subscribe(struct mqtt_commands *c)
{
    char filter[MQTT_TOPIC_MAX];
    snprintf(filter, sizeof filter, "%s/cmd/+", c->base);
    (void)mqtt_link_subscribe(c->link, filter);
}

/* A name that an answer's topic may be made of. */
static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && name[n] == 0 && n < sizeof((struct mqtt_judged *)NULL)->name;
}

/* Nobody waits for an answer, or too many would be given. */
static bool is_silent(enum command_verdict verdict)
{
    return verdict == COMMAND_RETAINED || verdict == COMMAND_FOREIGN || verdict == COMMAND_TOO_MANY;
}

static void note_refusal(struct mqtt_commands *c, const struct mqtt_judged *j)
{
    c->counters->commands_refused[j->verdict]++;
    snprintf(c->last_refusal, sizeof c->last_refusal, "%s", j->error);
    if (j->verdict != COMMAND_TOO_MANY || !c->flooded)
        log_info("mqtt", "a command was refused: %s", j->error);
    c->flooded = j->verdict == COMMAND_TOO_MANY; /* that is said once, and counted */
}

void mqtt_commands_take(struct mqtt_commands *c, const char *topic, const void *payload,
                        size_t length, bool retained)
{
    const char *name = command_in(c, topic);
    struct mqtt_judged j = {0};
    if (!name)
        return;
    const struct command_message message = {.name = name,
                                            .payload = payload,
                                            .length = length,
                                            .retained = retained,
                                            .serial = c->serial,
                                            .now_s = wall_clock_s(),
                                            .now_ms = c->loop->now_ms};
    if (c->count == COMMANDS_WAITING) {
        j.verdict = COMMAND_TOO_MANY;
        snprintf(j.error, sizeof j.error, "others are still being done; try again");
    } else {
        j.verdict = command_judge(&c->keeps->commands, &message, &j.command, j.error);
    }
    snprintf(j.name, sizeof j.name, "%s", name);
    if (j.verdict != COMMAND_GOOD)
        note_refusal(c, &j);
    if (!is_silent(j.verdict) && is_name(name))
        c->waiting[c->count++] = j;
}

/* --- being done ------------------------------------------------------------------------------- */

static char *get_status(struct mqtt_commands *c, const struct command *command)
{
    json_t *status = c->host->status(c->host);
    return command_response(command->id, status ? json_pack("{s:o}", "status", status) : NULL);
}

/* A telegram is ASCII; what a line made of it is shown as '?'. */
static json_t *telegram_json(const struct meter_snapshot *latest)
{
    char text[P1_TELEGRAM_MAX + 1];
    size_t n = latest->telegram_len;
    for (size_t i = 0; i < n; i++)
        text[i] =
            latest->telegram[i] && latest->telegram[i] < 0x80 ? (char)latest->telegram[i] : '?';
    return json_stringn(text, n);
}

static char *get_telegram(struct mqtt_commands *c, const struct command *command)
{
    const struct meter_snapshot *latest = meter_latest(c->meter);
    if (!latest)
        return command_refusal(command->id, meter_state_text(meter_get_state(c->meter)));
    return command_response(command->id,
                            json_pack("{s:o, s:I}", "telegram", telegram_json(latest), "age_ms",
                                      (json_int_t)(c->loop->now_ms - latest->reading.received_ms)));
}

static char *do_reset(struct mqtt_commands *c, const struct command *command)
{
    loop_set_timer(c->loop, &c->reset, RESET_AFTER_MS);
    return command_response(command->id, NULL);
}

static char *do_update(struct mqtt_commands *c, const struct command *command)
{
    char error[UPDATE_ERROR_MAX];
    return c->host->update(c->host, command->url, error) ? command_response(command->id, NULL)
                                                         : command_refusal(command->id, error);
}

static const struct {
    char *(*run)(struct mqtt_commands *c, const struct command *command);
    bool once; /* its id is kept on disk before it is done: never twice, not even over a restart */
} commands[COMMANDS_N] = {
    [COMMAND_FIRMWARE_UPDATE] = {do_update, true},
    [COMMAND_RESET] = {do_reset, true},
    [COMMAND_GET_STATUS] = {get_status, false},
    [COMMAND_GET_TELEGRAM] = {get_telegram, false},
};

static void on_kept(struct mqtt_keeps_waiter *waiter, bool kept)
{
    struct mqtt_commands *c = CONTAINER_OF(waiter, struct mqtt_commands, waiter);
    c->keeping = false;
    c->kept = true;
    c->kept_well = kept;
    if (!c->asking)
        mqtt_commands_pump(c);
}

/* True when it is known whether the first one's id is kept; else later. */
static bool keep_id(struct mqtt_commands *c)
{
    if (c->kept)
        return true;
    c->keeping = true;
    c->asking = true; /* the answer may come at once */
    mqtt_keeps_save_commands(c->keeps, &c->waiter);
    c->asking = false;
    return c->kept;
}

static char *do_command(struct mqtt_commands *c, const struct command *command)
{
    if (commands[command->name].once && !c->kept_well)
        return command_refusal(command->id,
                               "it cannot be noted that this was done, so it is not done: see the "
                               "gateway's log");
    log_info("mqtt", "command %s", command_name_text(command->name));
    c->counters->commands_done++;
    return commands[command->name].run(c, command);
}

/* The response to the first one that waits.  NULL: not yet. */
static char *respond(struct mqtt_commands *c)
{
    const struct mqtt_judged *j = &c->waiting[0];
    if (j->verdict != COMMAND_GOOD)
        return command_refusal(j->command.id, j->error);
    if (commands[j->command.name].once && !keep_id(c))
        return NULL;
    return do_command(c, &j->command);
}

static void finish_first(struct mqtt_commands *c)
{
    free(c->response);
    c->response = NULL;
    c->kept = false;
    c->count--;
    memmove(&c->waiting[0], &c->waiting[1], c->count * sizeof c->waiting[0]);
}

static enum mqtt_link_sent send_response(struct mqtt_commands *c)
{
    char topic[MQTT_TOPIC_MAX + 64];
    int number;
    snprintf(topic, sizeof topic, "%s/cmd/%s/response", c->base, c->waiting[0].name);
    return mqtt_link_publish(c->link, topic, c->response, strlen(c->response), false,
                             RESPONSE_LIFE_S, &number);
}

void mqtt_commands_pump(struct mqtt_commands *c)
{
    while (c->count && !c->keeping) {
        if (!c->response)
            c->response = respond(c);
        if (!c->response) {
            if (c->keeping)
                return;
            finish_first(c); /* out of memory */
        } else if (send_response(c) == LINK_BUSY) {
            return;
        } else {
            finish_first(c);
        }
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_reset(struct loop_timer *timer)
{
    struct mqtt_commands *c = CONTAINER_OF(timer, struct mqtt_commands, reset);
    c->host->reset(c->host);
}

void mqtt_commands_start(struct mqtt_commands *c)
{
    c->waiter.done = on_kept;
    c->reset.expired = on_reset;
}

void mqtt_commands_stop(struct mqtt_commands *c)
{
    loop_cancel_timer(c->loop, &c->reset);
    if (c->keeping)
        mqtt_keeps_cancel(c->keeps, &c->waiter);
    free(c->response);
    c->response = NULL;
}
