/* home_assistant.c - the discovery message, from tables: a row is an entity, or three of a kind.
 *
 * Home Assistant (components/mqtt/schemas.py) refuses the whole message for one unknown key beside "cmps", so there are
 * none but those it names, and topics are written out: "~" is known inside of components only.  Unknown keys of a
 * component are dropped, but a wrong class, unit or topic costs that entity.
 */
#include "home_assistant.h"

#include <ctype.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { PART_MAX = 512, EXPIRE_PACES = 5, EXPIRE_MIN_S = 30, PATH_KEYS = 3 };

/* --- what kinds of values there are ----------------------------------------------------------- */

/* Around the place of a value in its message: a template.  Unknown must come out as None. */
enum form { PLAIN, PER_1000, TIMES_1000, MOMENT, WORDS, SWITCH };
static const struct {
    const char *before, *after;
} forms[] = {
    [PLAIN] = {"{{ ", "|default(none) }}"},
    [PER_1000] = {"{% set v=", "|default(none) %}{{ v/1000 if v is number else none }}"},
    [TIMES_1000] = {"{% set v=", "|default(none) %}{{ v*1000 if v is number else none }}"},
    [MOMENT] = {"{% set v=", "|default(none) %}{{ as_datetime(v) if v is number else none }}"},
    /* a state has at most 255 characters */
    [WORDS] = {"{% set v=", "|default(none) %}{{ v[:255] if v is string else none }}"},
    [SWITCH] = {"{{ {0:'off',1:'on',2:'ready'}.get(", "|default(none)) }}"},
};

enum kind {
    POWER,
    REACTIVE_POWER,
    APPARENT_POWER,
    CONTRACT_POWER,
    VOLTAGE,
    CURRENT,
    FREQUENCY,
    POWER_FACTOR,
    ENERGY,
    REACTIVE_ENERGY,
    MBUS_ENERGY_KWH,
    MBUS_ENERGY_GJ,
    GAS,
    WATER,
    VOLUME,
    EVENTS,
    DURATION,
    TIMESTAMP,
    STATE,
    CODE,
    TEXT
};

enum { NO_PRECISION = -1 }; /* with one, Home Assistant takes the state for a number */

static const char measurement[] = "measurement", total_increasing[] = "total_increasing";

/* clang-format off */
/* Units as Home Assistant spells them: others are refused for these classes (components/sensor/const.py). */
static const struct {
    const char *device_class, *unit, *state_class; /* NULL: none */
    int8_t precision;
    uint8_t form;
} kinds[] = {
    [POWER] =           {"power",           "W",    measurement,      0, PLAIN},
    [REACTIVE_POWER] =  {"reactive_power",  "var",  measurement,      0, PLAIN},
    [APPARENT_POWER] =  {"apparent_power",  "VA",   measurement,      0, PLAIN},
    [CONTRACT_POWER] =  {"apparent_power",  "VA",   measurement,      0, TIMES_1000}, /* older releases refuse kVA */
    [VOLTAGE] =         {"voltage",         "V",    measurement,      1, PLAIN},
    [CURRENT] =         {"current",         "A",    measurement,      2, PLAIN},
    [FREQUENCY] =       {"frequency",       "Hz",   measurement,      2, PLAIN},
    [POWER_FACTOR] =    {"power_factor",    NULL,   measurement,      2, PLAIN},
    [ENERGY] =          {"energy",          "kWh",  total_increasing, 3, PER_1000},
    [REACTIVE_ENERGY] = {"reactive_energy", "varh", total_increasing, 0, PLAIN},
    [MBUS_ENERGY_KWH] = {"energy",          "kWh",  total_increasing, 3, PLAIN},
    [MBUS_ENERGY_GJ] =  {"energy",          "GJ",   total_increasing, 3, PLAIN},
    [GAS] =             {"gas",             "m³",   total_increasing, 3, PLAIN},
    [WATER] =           {"water",           "m³",   total_increasing, 3, PLAIN},
    [VOLUME] =          {"volume",          "m³",   total_increasing, 3, PLAIN},
    [EVENTS] =          {NULL,              NULL,   total_increasing, 0, PLAIN},
    [DURATION] =        {"duration",        "s",    measurement,      0, PLAIN},
    [TIMESTAMP] =       {"timestamp",       NULL,   NULL, NO_PRECISION,  MOMENT},
    [STATE] =           {"enum",            NULL,   NULL, NO_PRECISION,  SWITCH},
    [CODE] =            {NULL,              NULL,   NULL, NO_PRECISION,  PLAIN},
    [TEXT] =            {NULL,              NULL,   NULL, NO_PRECISION,  WORDS},
};

/* --- the entities ----------------------------------------------------------------------------- */

enum topic { POWER_INSTANT, METER, COUNTERS };
static const char *const topics[] = {
    [POWER_INSTANT] = "/data/power_instant", [METER] = "/data/meter", [COUNTERS] = "/data/device_counters"};

/* Of a quantity, or of `count` neighbours, which `#` numbers from 1.  The ids are for ever: histories hang on them. */
static const struct measured {
    uint16_t first; /* enum quantity */
    uint8_t count, kind, topic;
    bool diagnostic;
    const char *id, *name;
    const char *path[2]; /* where the value stands in the topic; none: under its name in "values" */
} measured[] = {
    {Q_POWER,                  1, POWER, POWER_INSTANT, false, "power", "Power", {"P"}},
    {Q_POWER_IMPORT,           1, POWER, POWER_INSTANT, false, "power_import", "Power import", {"P+"}},
    {Q_POWER_EXPORT,           1, POWER, POWER_INSTANT, false, "power_export", "Power export", {"P-"}},
    {Q_POWER_L1,               3, POWER, POWER_INSTANT, false, "power_l#", "Power L#", {"l#", "P"}},
    {Q_VOLTAGE_L1,             3, VOLTAGE, POWER_INSTANT, false, "voltage_l#", "Voltage L#", {"l#", "U"}},
    {Q_VOLTAGE_L12,            1, VOLTAGE, POWER_INSTANT, false, "voltage_l12", "Voltage L1-L2", {"U12"}},
    {Q_VOLTAGE_L32,            1, VOLTAGE, POWER_INSTANT, false, "voltage_l32", "Voltage L3-L2", {"U32"}},
    {Q_VOLTAGE_L31,            1, VOLTAGE, POWER_INSTANT, false, "voltage_l31", "Voltage L3-L1", {"U31"}},
    {Q_CURRENT_L1,             3, CURRENT, POWER_INSTANT, false, "current_l#", "Current L#", {"l#", "I"}},
    {Q_CURRENT_NEUTRAL,        1, CURRENT, METER, false, "current_neutral", "Current N", {NULL}},
    {Q_APPARENT,               1, APPARENT_POWER, POWER_INSTANT, false, "apparent_power", "Apparent power", {"S"}},
    {Q_APPARENT_L1,            3, APPARENT_POWER, POWER_INSTANT, false, "apparent_power_l#", "Apparent power L#",
     {"l#", "S"}},
    {Q_REACTIVE,               1, REACTIVE_POWER, POWER_INSTANT, false, "reactive_power", "Reactive power", {"Q"}},
    {Q_REACTIVE_L1,            3, REACTIVE_POWER, POWER_INSTANT, false, "reactive_power_l#", "Reactive power L#",
     {"l#", "Q"}},
    {Q_POWER_FACTOR,           1, POWER_FACTOR, POWER_INSTANT, false, "power_factor", "Power factor", {"PF"}},
    {Q_FREQUENCY,              1, FREQUENCY, METER, false, "frequency", "Frequency", {NULL}},

    {Q_ENERGY_IMPORT,          1, ENERGY, POWER_INSTANT, false, "energy_import", "Energy import", {"E_IMPORT"}},
    {Q_ENERGY_EXPORT,          1, ENERGY, POWER_INSTANT, false, "energy_export", "Energy export", {"E_EXPORT"}},
    {Q_ENERGY_IMPORT_T1,       4, ENERGY, METER, false, "energy_import_t#", "Energy import T#", {NULL}},
    {Q_ENERGY_EXPORT_T1,       4, ENERGY, METER, false, "energy_export_t#", "Energy export T#", {NULL}},
    {Q_ENERGY_SUPPLIER_01,    10, ENERGY, METER, false, "energy_supplier_#", "Energy of supplier index #", {NULL}},
    {Q_REACTIVE_ENERGY_IMPORT, 1, REACTIVE_ENERGY, METER, false, "reactive_energy_import", "Reactive energy import",
     {NULL}},
    {Q_REACTIVE_ENERGY_EXPORT, 1, REACTIVE_ENERGY, METER, false, "reactive_energy_export", "Reactive energy export",
     {NULL}},
    {Q_REACTIVE_ENERGY_Q1,     4, REACTIVE_ENERGY, POWER_INSTANT, false, "reactive_energy_q#", "Reactive energy Q#",
     {"EQ#"}},

    {Q_TARIFF,                 1, CODE, METER, false, "tariff", "Tariff", {NULL}},
    {Q_DEMAND_QUARTER,         1, POWER, METER, false, "demand_quarter", "Demand this quarter of an hour", {NULL}},
    {Q_DEMAND_MONTH_PEAK,      1, POWER, METER, false, "demand_month_peak", "Demand peak this month", {NULL}},
    {Q_DEMAND_MONTH_PEAK,      1, TIMESTAMP, METER, false, "demand_month_peak_time", "Time of this month's demand peak",
     {"demand_month_peak_ts"}},
    {Q_BREAKER,                1, STATE, METER, false, "breaker", "Breaker", {NULL}},
    {Q_LIMITER_W,              1, POWER, METER, true, "limiter_w", "Power limit", {NULL}},
    {Q_LIMITER_VA,             1, APPARENT_POWER, METER, true, "limiter_va", "Apparent power limit", {NULL}},
    {Q_FUSE_L1,                3, CURRENT, METER, true, "fuse_l#", "Fuse L#", {NULL}},
    {Q_POWER_FAILURES,         1, EVENTS, POWER_INSTANT, true, "power_failures", "Power failures", {"PFAIL"}},
    {Q_LONG_POWER_FAILURES,    1, EVENTS, POWER_INSTANT, true, "long_power_failures", "Long power failures",
     {"LPFAIL"}},
    {Q_VOLTAGE_SAGS_L1,        3, EVENTS, POWER_INSTANT, true, "voltage_sags_l#", "Voltage sags L#",
     {"l#", "VSAGS"}},
    {Q_VOLTAGE_SWELLS_L1,      3, EVENTS, POWER_INSTANT, true, "voltage_swells_l#", "Voltage swells L#",
     {"l#", "VSWELLS"}},

    {Q_CONTRACT_POWER,         1, CONTRACT_POWER, METER, false, "contract_power", "Contract power", {NULL}},
    {Q_CUTOFF_POWER,           1, CONTRACT_POWER, METER, true, "cutoff_power", "Cut-off power", {NULL}},
    {Q_IMPORT_MAX_TODAY,       1, APPARENT_POWER, METER, false, "import_max_today", "Highest import today", {NULL}},
    {Q_IMPORT_MAX_YESTERDAY,   1, APPARENT_POWER, METER, false, "import_max_yesterday", "Highest import yesterday",
     {NULL}},
    {Q_EXPORT_MAX_TODAY,       1, APPARENT_POWER, METER, false, "export_max_today", "Highest export today", {NULL}},
    {Q_EXPORT_MAX_YESTERDAY,   1, APPARENT_POWER, METER, false, "export_max_yesterday", "Highest export yesterday",
     {NULL}},
    {Q_LOAD_CURVE_IMPORT,      1, POWER, METER, false, "load_curve_import", "Mean import of the last period", {NULL}},
    {Q_LOAD_CURVE_EXPORT,      1, POWER, METER, false, "load_curve_export", "Mean export of the last period", {NULL}},
    {Q_RELAYS,                 1, CODE, METER, true, "relays", "Relays", {NULL}},
    {Q_TARIFF_INDEX,           1, CODE, METER, false, "tariff_index", "Tariff index", {NULL}},
    {Q_DAY_PROFILE,            1, CODE, METER, true, "day_profile", "Day profile", {NULL}},
    {Q_DAY_PROFILE_NEXT,       1, CODE, METER, true, "day_profile_next", "Day profile tomorrow", {NULL}},
};

static const struct said {
    uint8_t text; /* enum reading_text_id */
    bool diagnostic;
    const char *name;
} said[] = {
    {TEXT_METER_ID,    true,  "Meter number"},
    {TEXT_EAN,         true,  "Connection number"},
    {TEXT_VERSION,     true,  "Meter version"},
    {TEXT_MESSAGE,     false, "Message"},
    {TEXT_MESSAGE_2,   false, "Message 2"},
    {TEXT_CALENDAR,    true,  "Tariff calendar"},
    {TEXT_TARIFF_NAME, false, "Tariff name"},
};

/* Of M-Bus channel #.  The first row that fits; MBUS_NONE fits every medium. */
static const struct medium {
    uint8_t medium, unit, kind;
    const char *id, *name;
} media[] = {
    {MBUS_GAS,            MBUS_UNIT_DM3, GAS,             "gas_#",         "Gas, channel #"},
    {MBUS_WATER,          MBUS_UNIT_DM3, WATER,           "water_#",       "Water, channel #"},
    {MBUS_WARM_WATER,     MBUS_UNIT_DM3, WATER,           "warm_water_#",  "Warm water, channel #"},
    {MBUS_HEAT,           MBUS_UNIT_MJ,  MBUS_ENERGY_GJ,  "heat_#",        "Heat, channel #"},
    {MBUS_HEAT_INLET,     MBUS_UNIT_MJ,  MBUS_ENERGY_GJ,  "heat_#",        "Heat, channel #"},
    {MBUS_COOLING_OUTLET, MBUS_UNIT_MJ,  MBUS_ENERGY_GJ,  "cooling_#",     "Cooling, channel #"},
    {MBUS_COOLING_INLET,  MBUS_UNIT_MJ,  MBUS_ENERGY_GJ,  "cooling_#",     "Cooling, channel #"},
    {MBUS_ELECTRICITY,    MBUS_UNIT_WH,  MBUS_ENERGY_KWH, "electricity_#", "Electricity, channel #"},
    {MBUS_NONE,           MBUS_UNIT_DM3, VOLUME,          "volume_#",      "Volume, channel #"},
    {MBUS_NONE,           MBUS_UNIT_MJ,  MBUS_ENERGY_GJ,  "energy_#",      "Energy, channel #"},
    {MBUS_NONE,           MBUS_UNIT_WH,  MBUS_ENERGY_KWH, "energy_#",      "Energy, channel #"},
};

static const struct counted {
    uint8_t kind;
    const char *id, *name, *key;
} counted[] = {
    {EVENTS,   "telegrams_good",       "Telegrams good",       "telegrams_pass"},
    {EVENTS,   "telegrams_bad",        "Telegrams damaged",    "telegrams_fail"},
    {EVENTS,   "telegrams_incomplete", "Telegrams incomplete", "telegrams_frame_fail"},
    {EVENTS,   "mqtt_connects",        "MQTT connects",        "mqtt_event_connect"},
    {DURATION, "uptime",               "Uptime",               "uptime"},
};
/* clang-format on */

/* --- which of them there are ------------------------------------------------------------------ */

static bool is_known(const uint32_t *words, unsigned bit)
{
    return (words[bit / 32] >> bit % 32) & 1;
}

/* True if it was not known before. */
static bool note(uint32_t *words, unsigned bit)
{
    bool before = is_known(words, bit);
    words[bit / 32] |= UINT32_C(1) << bit % 32;
    return !before;
}

/* Which row of media, from 1; 0: the channel has no value. */
static uint8_t medium_of(const struct reading_mbus *m)
{
    for (size_t i = 0; i < COUNT(media); i++)
        if (media[i].unit == m->unit &&
            (media[i].medium == m->medium || media[i].medium == MBUS_NONE))
            return (uint8_t)(i + 1);
    return 0;
}

static bool learn_mbus(struct home_assistant_set *set, const struct reading *r)
{
    bool news = false;
    for (int i = 0; i < READING_MBUS_N; i++) {
        uint8_t now = medium_of(&r->mbus[i]);
        if (now == 0 || now == set->mbus[i])
            continue;
        set->mbus[i] = now;
        news = true;
    }
    return news;
}

bool home_assistant_learn(struct home_assistant_set *set, const struct reading *r)
{
    bool news = learn_mbus(set, r);
    for (size_t i = 0; i < COUNT(measured); i++)
        for (unsigned n = 0; n < measured[i].count; n++)
            if (is_known(r->known, measured[i].first + n))
                news |= note(set->known, measured[i].first + n);
    for (size_t i = 0; i < COUNT(said); i++)
        if (r->text[said[i].text].length)
            news |= note(&set->texts, said[i].text);
    if (r->meter_time_s != READING_NO_TIME && !set->meter_clock)
        news = set->meter_clock = true;
    return news;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void put_key(struct text_out *out, const char *key)
{
    if (out->length && out->buffer[out->length - 1] != '{')
        text_char(out, ',');
    text_json_string(out, key);
    text_char(out, ':');
}

/* Nothing for NULL. */
static void put_text(struct text_out *out, const char *key, const char *text)
{
    if (!text)
        return;
    put_key(out, key);
    text_json_string(out, text);
}

static void put_number(struct text_out *out, const char *key, int64_t number)
{
    put_key(out, key);
    text_decimal(out, number, 0);
}

/* A string of its own from parts, to be escaped as one. */
struct part {
    char buffer[PART_MAX];
    struct text_out text;
};

static void start_part(struct part *part)
{
    text_init(&part->text, part->buffer, sizeof part->buffer);
}

static void put_part(struct text_out *out, const char *key, const struct part *part)
{
    put_text(out, key, part->buffer);
    out->overflow |= part->text.overflow;
}

static void put_joined(struct text_out *out, const char *key, const char *a, const char *b)
{
    struct part part;
    start_part(&part);
    text_put(&part.text, a);
    text_put(&part.text, b);
    put_part(out, key, &part);
}

/* The text with `#` as the number. */
static void add_numbered(struct text_out *to, const char *text, unsigned number)
{
    for (; *text; text++)
        if (*text == '#')
            text_decimal(to, number, 0);
        else
            text_char(to, *text);
}

/* The text as a part of a topic: what is no letter, digit or '-' becomes '_'. */
static void add_topic_part(struct text_out *to, const char *text)
{
    for (; *text; text++)
        text_char(to, isalnum((unsigned char)*text) || *text == '-' ? *text : '_');
}

/* The text as a part of an entity id: small letters, digits and '_'. */
static void add_slug(struct text_out *to, const char *text)
{
    for (; *text; text++)
        text_char(to, isalnum((unsigned char)*text) ? (char)tolower((unsigned char)*text) : '_');
}

/* --- entities --------------------------------------------------------------------------------- */

/* A row of one of the tables. */
struct sensor {
    const char *id, *name;       /* with `#` */
    const char *path[PATH_KEYS]; /* where the value stands, from outside in; with `#` */
    unsigned number;             /* what `#` is */
    uint8_t kind, topic;
    bool diagnostic;
};

static void put_ids(struct text_out *out, const struct home_assistant_settings *s,
                    const char *platform, const char *id, unsigned number)
{
    struct part part;
    put_text(out, "p", platform);
    start_part(&part);
    text_put(&part.text, "smart-connect_");
    text_put(&part.text, s->serial);
    text_char(&part.text, '_');
    add_numbered(&part.text, id, number);
    put_part(out, "uniq_id", &part);
    start_part(&part);
    text_put(&part.text, platform);
    text_put(&part.text, ".smart_connect_");
    add_slug(&part.text, s->serial);
    text_char(&part.text, '_');
    add_numbered(&part.text, id, number);
    put_part(out, "def_ent_id", &part);
}

/* value_json['P+'], (value_json['l1']|default({}))['U']: a key that is missing on the way is no error. */
static void add_place(struct text_out *to, const struct sensor *e)
{
    size_t n = 0;
    while (n < PATH_KEYS && e->path[n])
        n++;
    for (size_t i = 1; i < n; i++)
        text_char(to, '(');
    text_put(to, "value_json");
    for (size_t i = 0; i < n; i++) {
        text_put(to, i ? "|default({}))['" : "['");
        add_numbered(to, e->path[i], e->number);
        text_put(to, "']");
    }
}

static void put_template(struct text_out *out, const struct sensor *e)
{
    struct part part;
    start_part(&part);
    text_put(&part.text, forms[kinds[e->kind].form].before);
    add_place(&part.text, e);
    text_put(&part.text, forms[kinds[e->kind].form].after);
    put_part(out, "val_tpl", &part);
}

/* The meter's link does not matter to what the gateway says of itself. */
static void put_gateway_availability(struct text_out *out, const struct home_assistant_settings *s)
{
    put_key(out, "avty");
    text_put(out, "[{");
    put_joined(out, "t", s->base, "/status");
    text_put(out, "}]");
}

/* What is measured now must not stand for ever; counters keep their value, and so does the slow topic. */
static void put_expiry(struct text_out *out, const struct home_assistant_settings *s,
                       const struct sensor *e)
{
    int64_t expire_s = (int64_t)EXPIRE_PACES * s->pace_s;
    if (e->topic == POWER_INSTANT && kinds[e->kind].state_class == measurement)
        put_number(out, "exp_aft", expire_s > EXPIRE_MIN_S ? expire_s : EXPIRE_MIN_S);
}

static void put_class(struct text_out *out, uint8_t kind)
{
    put_text(out, "dev_cla", kinds[kind].device_class);
    put_text(out, "unit_of_meas", kinds[kind].unit);
    put_text(out, "stat_cla", kinds[kind].state_class);
    if (kinds[kind].precision != NO_PRECISION)
        put_number(out, "sug_dsp_prc", kinds[kind].precision);
    if (kinds[kind].form == SWITCH) {
        put_key(out, "ops");
        text_put(out, "[\"off\",\"on\",\"ready\"]");
    }
}

static void put_sensor(struct text_out *out, const struct home_assistant_settings *s,
                       const struct sensor *e)
{
    struct part part;
    start_part(&part);
    add_numbered(&part.text, e->id, e->number);
    put_key(out, part.buffer);
    text_char(out, '{');
    put_ids(out, s, "sensor", e->id, e->number);
    start_part(&part);
    add_numbered(&part.text, e->name, e->number);
    put_part(out, "name", &part);
    if (e->topic != POWER_INSTANT)
        put_joined(out, "stat_t", s->base, topics[e->topic]);
    put_template(out, e);
    put_class(out, e->kind);
    put_expiry(out, s, e);
    if (e->diagnostic)
        put_text(out, "ent_cat", "diagnostic");
    if (e->topic == COUNTERS)
        put_gateway_availability(out, s);
    text_char(out, '}');
}

static void put_measured(struct text_out *out, const struct home_assistant_settings *s,
                         const struct measured *m, unsigned n)
{
    struct sensor e = {.id = m->id,
                       .name = m->name,
                       .path = {m->path[0], m->path[1]},
                       .number = n + 1,
                       .kind = m->kind,
                       .topic = m->topic,
                       .diagnostic = m->diagnostic};
    if (!m->path[0]) {
        e.path[0] = "values";
        e.path[1] = quantities[m->first + n].name;
    }
    put_sensor(out, s, &e);
}

static void put_all_measured(struct text_out *out, const struct home_assistant_settings *s,
                             const struct home_assistant_set *set)
{
    for (const struct measured *m = measured; m < measured + COUNT(measured); m++)
        for (unsigned n = 0; n < m->count; n++)
            if (is_known(set->known, m->first + n))
                put_measured(out, s, m, n);
}

static void put_said(struct text_out *out, const struct home_assistant_settings *s,
                     const struct home_assistant_set *set)
{
    for (size_t i = 0; i < COUNT(said); i++) {
        const char *name = reading_text_name((enum reading_text_id)said[i].text);
        struct sensor e = {.id = name,
                           .name = said[i].name,
                           .path = {"texts", name},
                           .kind = TEXT,
                           .topic = METER,
                           .diagnostic = said[i].diagnostic};
        if (is_known(&set->texts, said[i].text))
            put_sensor(out, s, &e);
    }
}

static void put_mbus(struct text_out *out, const struct home_assistant_settings *s,
                     const struct home_assistant_set *set)
{
    for (unsigned i = 0; i < READING_MBUS_N; i++) {
        if (set->mbus[i] == 0)
            continue;
        const struct medium *m = &media[set->mbus[i] - 1];
        put_sensor(out, s,
                   &(struct sensor){.id = m->id,
                                    .name = m->name,
                                    .path = {"mbus", "#", "value"},
                                    .number = i + 1,
                                    .kind = m->kind,
                                    .topic = METER});
    }
}

static void put_gateway(struct text_out *out, const struct home_assistant_settings *s)
{
    for (size_t i = 0; i < COUNT(counted); i++)
        put_sensor(out, s,
                   &(struct sensor){.id = counted[i].id,
                                    .name = counted[i].name,
                                    .path = {counted[i].key},
                                    .kind = counted[i].kind,
                                    .topic = COUNTERS,
                                    .diagnostic = true});
}

/* A command is good for a minute and once (mqtt_command.h).  The serial number goes beside the template, not into it.
 * Home Assistant allows ranges of at most 100,000. */
static void put_restart(struct text_out *out, const struct home_assistant_settings *s)
{
    put_key(out, "restart");
    text_char(out, '{');
    put_ids(out, s, "button", "restart", 0);
    put_text(out, "name", "Restart");
    put_text(out, "dev_cla", "restart");
    put_text(out, "ent_cat", "config");
    put_joined(out, "cmd_t", s->base, "/cmd/reset");
    put_text(out, "cmd_tpl",
             "{\"id\":\"ha-{{ (now().timestamp()*1000)|int }}-{{ range(10000,100000)|random }}\","
             "\"device\":{{ value|tojson }},\"expires\":{{ now().timestamp()|int+60 }}}");
    put_text(out, "pl_prs", s->serial);
    put_gateway_availability(out, s);
    text_char(out, '}');
}

/* --- the message ------------------------------------------------------------------------------ */

static void put_device(struct text_out *out, const struct home_assistant_settings *s,
                       uint8_t standard)
{
    static const char *const models[] = {[STANDARD_UNKNOWN] = "Smart meter gateway",
                                         [STANDARD_P1] = "P1 gateway",
                                         [STANDARD_TIC] = "TIC gateway",
                                         [STANDARD_TIC_HISTORIC] = "TIC gateway"};
    put_key(out, "dev");
    text_char(out, '{');
    put_joined(out, "ids", "smart-connect_", s->serial);
    put_joined(out, "name", "Smart Connect ", s->serial);
    put_text(out, "mf", "Smart Connect");
    put_text(out, "mdl", models[standard]);
    put_text(out, "sw", SMART_CONNECT_VERSION);
    put_text(out, "sn", s->serial);
    put_text(out, "cu", s->page[0] ? s->page : NULL);
    text_char(out, '}');
}

static void put_origin(struct text_out *out)
{
    put_key(out, "o");
    text_char(out, '{');
    put_text(out, "name", "Smart Connect");
    put_text(out, "sw", SMART_CONNECT_VERSION);
    text_char(out, '}');
}

static void put_availability(struct text_out *out, const struct home_assistant_settings *s)
{
    put_key(out, "avty");
    text_put(out, "[{");
    put_joined(out, "t", s->base, "/status");
    text_put(out, "},{");
    put_joined(out, "t", s->base, "/meter-status");
    text_put(out, "}]");
    put_text(out, "avty_mode", "all");
}

void home_assistant_config(struct text_out *out, const struct home_assistant_settings *s,
                           const struct meter_snapshot *latest)
{
    struct home_assistant_set set = {0};
    if (s->learnt)
        set = *s->learnt;
    (void)home_assistant_learn(&set, &latest->reading);
    text_char(out, '{');
    put_device(out, s, latest->reading.standard);
    put_origin(out);
    put_availability(out, s);
    put_joined(out, "stat_t", s->base, topics[POWER_INSTANT]);
    put_key(out, "cmps");
    text_char(out, '{');
    put_all_measured(out, s, &set);
    put_mbus(out, s, &set);
    put_said(out, s, &set);
    if (set.meter_clock)
        put_sensor(out, s,
                   &(struct sensor){.id = "meter_time",
                                    .name = "Meter clock",
                                    .path = {"meter_ts"},
                                    .kind = TIMESTAMP,
                                    .topic = METER,
                                    .diagnostic = true});
    put_gateway(out, s);
    if (s->commands)
        put_restart(out, s);
    text_put(out, "}}");
}

void home_assistant_topic(const struct home_assistant_settings *s,
                          char topic[static HOME_ASSISTANT_TOPIC_MAX])
{
    struct text_out out;
    text_init(&out, topic, HOME_ASSISTANT_TOPIC_MAX);
    text_put(&out, s->prefix);
    text_put(&out, "/device/smart-connect-");
    add_topic_part(&out, s->serial);
    text_put(&out, "/config");
}
