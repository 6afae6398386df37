/* input_sim.c - the built-in simulated meter, at real pace. */
#include "choices.h"
#include "input.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct input_sim {
    struct input base;
    struct loop_timer tick;
    const struct sim_profile *profile;
    struct sim meter;
    int64_t next_ms; /* when the next telegram is due */
    uint64_t seed;
};

static struct input_sim *sim(struct input *in)
{
    return CONTAINER_OF(in, struct input_sim, base);
}

static bool sim_configure(struct input *in, const char *rest, char error[static INPUT_ERROR_MAX])
{
    struct input_sim *s = sim(in);
    char name[40], choices[CHOICES_MAX];
    size_t length, name_length = strcspn(rest, "?");
    snprintf(name, sizeof name, "%.*s", (int)name_length, rest);
    s->profile = sim_profile_find(name);
    if (!s->profile) {
        choices_of_profiles(choices);
        snprintf(error, INPUT_ERROR_MAX, "\"%s\" is no simulated meter; there are%.180s", name,
                 choices);
        return false;
    }
    if (!input_only_parameter(rest, "seed", error))
        return false;
    const char *seed = input_parameter(rest, "seed", &length);
    char *end = NULL;
    s->seed = seed ? strtoull(seed, &end, 10) : 1;
    if (seed && (end != seed + length || length == 0 || *seed == '-')) {
        snprintf(error, INPUT_ERROR_MAX, "\"%.60s\": the seed must be a number", rest);
        return false;
    }
    return true;
}

static void on_tick(struct loop_timer *timer)
{
    struct input_sim *s = CONTAINER_OF(timer, struct input_sim, tick);
    uint8_t telegram[SIM_TELEGRAM_MAX];
    size_t n = sim_telegram(&s->meter, telegram, sizeof telegram);
    if (s->profile->seven_bit_even)
        sim_add_even_parity(telegram, n);
    sim_advance(&s->meter, s->profile->interval_ms);
    /* against a drift of the pace; after a pause the meter does not hurry */
    s->next_ms += s->profile->interval_ms;
    if (s->next_ms < s->base.loop->now_ms)
        s->next_ms = s->base.loop->now_ms + s->profile->interval_ms;
    loop_set_timer(s->base.loop, &s->tick, s->next_ms - s->base.loop->now_ms);
    input_bytes(&s->base, telegram, n);
}

static void sim_open(struct input *in)
{
    struct input_sim *s = sim(in);
    sim_init(&s->meter, s->profile, s->seed, (int64_t)time(NULL));
    s->tick.expired = on_tick;
    s->next_ms = in->loop->now_ms;
    input_opened(in, s->profile->title);
    loop_set_timer(in->loop, &s->tick, 0);
}

static void sim_close(struct input *in)
{
    loop_cancel_timer(in->loop, &sim(in)->tick);
}

const struct input_kind input_kind_sim = {
    .scheme = "sim:",
    .size = sizeof(struct input_sim),
    .configure = sim_configure,
    .open = sim_open,
    .close = sim_close,
};
