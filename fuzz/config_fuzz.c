/* config_fuzz.c - any bytes as a patch and as the stored file: what is refused changes nothing, what is taken can be
 * stored, read again and shown, and is the same then.
 */
#include "gateway/config.h"

#include "fuzz.h"

#include <string.h>

static const struct config *defaults(void)
{
    static struct options options;
    static struct config config;
    if (!config.meter_type[0]) {
        options_defaults(&options);
        config_defaults(&config, &options);
    }
    return &config;
}

static bool is_same(const struct config *a, const struct config *b)
{
    return config_changed_doors(a, b) == 0 && a->was_set == b->was_set;
}

/* Taking over all that differs makes it the same, and its names can be told. */
static void demand_taken_over(const struct config *c)
{
    static struct config again;
    char names[1024];
    again = *defaults();
    config_changed_names(&again, c, names, sizeof names);
    demand((names[0] != 0) == (config_changed_doors(&again, c) != 0) &&
           memchr(names, 0, sizeof names));
    config_take(&again, c, 1);
    config_take(&again, c, ~1u);
    demand(is_same(c, &again));
    demand(!config_is_set(c, "/Nothing") &&
           config_is_set(c, "/MQTT/Site") == config_is_set(&again, "/MQTT/Site"));
}

/* What the stored file says is what was stored. */
static void demand_round_trip(const struct config *c)
{
    static struct config again;
    struct config_errors errors;
    char *text = config_file_text(c);
    again = *defaults();
    demand(text && config_read_file(&again, text, strlen(text), &errors) == CONFIG_FILE_GOOD);
    demand(is_same(c, &again));
    free(text);
}

/* What is shown can be sent back, and changes nothing but what counts as set. */
static void demand_shown_can_be_sent(const struct config *c)
{
    static struct config again;
    struct config_errors errors;
    json_t *shown = config_json(c);
    again = *c;
    demand(shown && config_patch(&again, shown, &errors) && config_changed_doors(c, &again) == 0);
    json_decref(shown);
}

static void demand_json(const char *text)
{
    json_t *json = json_string(text);
    demand(json != NULL);
    json_decref(json);
}

/* What was wrong goes into an answer. */
static void demand_told(const struct config_errors *errors)
{
    demand(errors->count <= CONFIG_ERRORS_MAX);
    for (size_t i = 0; i < errors->count; i++) {
        demand_json(errors->list[i].pointer);
        demand_json(errors->list[i].detail);
    }
}

static void try_patch(const char *text, size_t length)
{
    static struct config config;
    struct config_errors errors;
    json_t *patch = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (!patch)
        return;
    config = *defaults();
    if (config_patch(&config, patch, &errors)) {
        demand_taken_over(&config);
        demand_round_trip(&config);
        demand_shown_can_be_sent(&config);
    } else {
        demand(errors.count > 0 && is_same(&config, defaults()));
        demand_told(&errors);
    }
    json_decref(patch);
}

static void try_file(const char *text, size_t length)
{
    static struct config config;
    struct config_errors errors;
    config = *defaults();
    if (config_read_file(&config, text, length, &errors) == CONFIG_FILE_DAMAGED)
        demand(is_same(&config, defaults()));
    else
        demand_round_trip(&config);
    demand_told(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_patch((const char *)data, size);
    try_file((const char *)data, size);
    return 0;
}
