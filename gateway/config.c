#include "config.h"

#include "choices.h"
#include "core/text_out.h"
#include "json_text.h"
#include "map_list.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(const struct config_row *row, const struct config *c)
{
    return (char *)(uintptr_t)c + row->offset;
}

static int *number_of(const struct config_row *row, const struct config *c)
{
    return (int *)(void *)text_of(row, c);
}

static uint64_t bit_of(const struct config_row *row)
{
    return UINT64_C(1) << (row - config_rows);
}

static void complain(struct config_errors *errors, const char *pointer, const char *detail)
{
    if (errors->count == CONFIG_ERRORS_MAX)
        return;
    struct config_error *e = &errors->list[errors->count++];
    text_copy(e->pointer, sizeof e->pointer, pointer);
    text_copy(e->detail, sizeof e->detail, detail);
}

bool config_is_set(const struct config *c, const char *pointer)
{
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++)
        if (strcmp(row->pointer, pointer) == 0)
            return (c->was_set & bit_of(row)) != 0;
    return false;
}

/* --- defaults --------------------------------------------------------------------------------- */

static void set_fallback(const struct config_row *row, struct config *c)
{
    if (row->type == CONFIG_TEXT)
        snprintf(text_of(row, c), row->size, "%s", row->fallback);
    else if (row->type == CONFIG_NUMBER)
        *number_of(row, c) = (int)strtol(row->fallback, NULL, 10);
    else if (row->type == CONFIG_CHOICE)
        *number_of(row, c) = choices_find(row->choices, row->fallback);
    else
        *number_of(row, c) = strcmp(row->fallback, "true") == 0;
}

/* Both sides hold the same: a text of the same size, or an int with the same meaning. */
static void copy_option(const struct config_row *row, struct config *c, const struct options *o)
{
    const char *from = (const char *)o + row->option - 1;
    memcpy(text_of(row, c), from, row->size);
}

void config_defaults(struct config *c, const struct options *o)
{
    char unused[CONFIG_DETAIL_MAX];
    memset(c, 0, sizeof *c);
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        set_fallback(row, c);
        if (row->option)
            copy_option(row, c, o);
        if (row->check && row->option && text_of(row, c)[0])
            (void)row->check(text_of(row, c), unused); /* the usual spelling */
    }
}

/* --- one value -------------------------------------------------------------------------------- */

static bool has_control_characters(const char *text, size_t length, const char *but)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < ' ' && !(text[i] && strchr(but, text[i]))) || text[i] == 0x7F)
            return true;
    return false;
}

static bool set_text(const struct config_row *row, struct config *c, const json_t *value,
                     char detail[static CONFIG_DETAIL_MAX])
{
    char text[CONFIG_LONG_TEXT_MAX] = {0};
    if (!json_is_string(value)) {
        snprintf(detail, CONFIG_DETAIL_MAX, "must be a text in quotes");
        return false;
    }
    size_t n = json_string_length(value);
    if (row->secret && strcmp(json_string_value(value), CONFIG_MASK) == 0)
        return true;
    bool may_be_empty = row->fallback[0] == 0;
    if (n > (size_t)row->max || (n < (size_t)row->min && !(n == 0 && may_be_empty))) {
        snprintf(detail, CONFIG_DETAIL_MAX, "must have %d to %d bytes%s, not %zu", row->min,
                 row->max, may_be_empty ? ", or be empty" : "", n);
        return false;
    }
    memcpy(text, json_string_value(value), n + 1);
    bool good = !has_control_characters(text, n, row->lines ? "\r\n" : "");
    if (!good)
        snprintf(detail, CONFIG_DETAIL_MAX, "must not hold control characters");
    else if (n && row->check)
        good = row->check(text, detail);
    if (good) {
        memcpy(text_of(row, c), text, row->size);
        c->was_set |= bit_of(row);
    }
    explicit_bzero(text, sizeof text); /* it may be a secret */
    return good;
}

static bool set_number(const struct config_row *row, struct config *c, const json_t *value,
                       char detail[static CONFIG_DETAIL_MAX])
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < row->min || number > row->max) {
        snprintf(detail, CONFIG_DETAIL_MAX, "must be a whole number from %d to %d", row->min,
                 row->max);
        return false;
    }
    *number_of(row, c) = (int)number;
    c->was_set |= bit_of(row);
    return true;
}

static bool set_choice(const struct config_row *row, struct config *c, const json_t *value,
                       char detail[static CONFIG_DETAIL_MAX])
{
    int choice = json_is_string(value) ? choices_find(row->choices, json_string_value(value)) : -1;
    if (choice < 0) {
        int n = snprintf(detail, CONFIG_DETAIL_MAX, "must be one of");
        for (int i = 0; row->choices[i] && n < CONFIG_DETAIL_MAX; i++)
            n += snprintf(detail + n, (size_t)(CONFIG_DETAIL_MAX - n), "%s \"%s\"", i ? "," : "",
                          row->choices[i]);
        return false;
    }
    *number_of(row, c) = choice;
    c->was_set |= bit_of(row);
    return true;
}

static bool set_switch(const struct config_row *row, struct config *c, const json_t *value,
                       char detail[static CONFIG_DETAIL_MAX])
{
    if (!json_is_boolean(value)) {
        snprintf(detail, CONFIG_DETAIL_MAX, "must be true or false");
        return false;
    }
    *number_of(row, c) = json_is_true(value);
    c->was_set |= bit_of(row);
    return true;
}

static bool set_row(const struct config_row *row, struct config *c, const json_t *value,
                    char detail[static CONFIG_DETAIL_MAX])
{
    static bool (*const setters[])(const struct config_row *, struct config *, const json_t *,
                                   char *) = {
        [CONFIG_TEXT] = set_text,
        [CONFIG_NUMBER] = set_number,
        [CONFIG_CHOICE] = set_choice,
        [CONFIG_SWITCH] = set_switch,
    };
    return setters[row->type](row, c, value, detail);
}

/* --- a patch ---------------------------------------------------------------------------------- */

/* The row at this pointer; else the first row below it, with *inside; else NULL. */
static const struct config_row *find_row(const char *pointer, bool *inside)
{
    size_t n = strlen(pointer);
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (strncmp(row->pointer, pointer, n) != 0)
            continue;
        *inside = row->pointer[n] == '/';
        if (*inside || row->pointer[n] == 0)
            return row;
    }
    return NULL;
}

/* Says what the key could have been: the same in another case. */
static void complain_of_key(struct config_errors *errors, const char *pointer)
{
    size_t n = strlen(pointer);
    char detail[CONFIG_DETAIL_MAX] = "there is no such setting";
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++)
        if (strncasecmp(row->pointer, pointer, n) == 0 && strchr("/", row->pointer[n])) {
            snprintf(detail, sizeof detail, "there is no such setting; it is written %.*s", (int)n,
                     row->pointer);
            break;
        }
    complain(errors, pointer, detail);
}

/* Appends /KEY to a pointer, escaped as RFC 6901 wants; what is too long is cut: no row is that long.  With a byte more
 * than there is room for, text_copy() sees whether that is within a character. */
static void extend_pointer(char out[static CONFIG_POINTER_MAX], const char *parent, const char *key)
{
    char whole[CONFIG_POINTER_MAX + 1];
    struct text_out text;
    text_init(&text, whole, sizeof whole);
    text_put(&text, parent);
    text_char(&text, '/');
    for (const char *p = key; *p; p++) {
        if (*p == '~' || *p == '/')
            text_put(&text, *p == '~' ? "~0" : "~1");
        else
            text_char(&text, *p);
    }
    text_copy(out, CONFIG_POINTER_MAX, whole);
}

static void patch_object(struct config *c, const char *parent, json_t *object,
                         struct config_errors *errors);

static void patch_member(struct config *c, const char *pointer, json_t *value,
                         struct config_errors *errors)
{
    char detail[CONFIG_DETAIL_MAX];
    bool inside = false;
    const struct config_row *row = find_row(pointer, &inside);
    if (!row)
        complain_of_key(errors, pointer);
    else if (json_is_null(value))
        complain(errors, pointer, "must not be null: a setting can be changed, not removed");
    else if (!inside && !set_row(row, c, value, detail))
        complain(errors, pointer, detail);
    else if (inside && !json_is_object(value))
        complain(errors, pointer, "must be an object with the settings in it");
    else if (inside)
        patch_object(c, pointer, value, errors);
}

/* The depth is bounded by that of the table: an unknown key is not entered. */
static void patch_object(struct config *c, const char *parent, json_t *object,
                         struct config_errors *errors)
{
    const char *key;
    json_t *value;
    char pointer[CONFIG_POINTER_MAX];
    json_object_foreach(object, key, value)
    {
        extend_pointer(pointer, parent, key);
        patch_member(c, pointer, value, errors);
    }
}

/* --- settings that belong together ------------------------------------------------------------ */

static uint32_t address_bits(const char *text)
{
    struct in_addr a = {0};
    (void)inet_pton(AF_INET, text, &a);
    return ntohl(a.s_addr);
}

/* A host of its network: not the network itself, nor its broadcast address. */
static bool is_host(uint32_t address, uint32_t host_bits)
{
    return host_bits < 2 || ((address & host_bits) != 0 && (address & host_bits) != host_bits);
}

static const char *address_fault(const struct config_ip *ip, uint32_t address, uint32_t host_bits)
{
    if (ip->address[0] == 0)
        return "is needed where IpMode is Static";
    return is_host(address, host_bits)
               ? NULL
               : "is the network itself or its broadcast address; check the netmask";
}

static const char *gateway_fault(const struct config_ip *ip, uint32_t address, uint32_t host_bits)
{
    uint32_t gateway = address_bits(ip->gateway);
    if (ip->gateway[0] == 0 || ip->address[0] == 0)
        return NULL;
    if ((address | host_bits) != (gateway | host_bits))
        return "is not in the subnet of IpAddress and Netmask";
    if (gateway == address)
        return "is this box itself; use the router's or the charger's address";
    return is_host(gateway, host_bits) ? NULL : "is the network itself or its broadcast address";
}

static void check_static(const struct config_ip *ip, const char *interface,
                         struct config_errors *errors)
{
    static const struct {
        const char *key;
        const char *(*fault)(const struct config_ip *, uint32_t, uint32_t);
    } checks[] = {{"IpAddress", address_fault}, {"Gateway", gateway_fault}};
    char pointer[CONFIG_POINTER_MAX];
    uint32_t address = address_bits(ip->address);
    long bits = strtol(ip->netmask, NULL, 10);
    uint32_t host_bits = bits == 32 ? 0 : UINT32_MAX >> bits;
    for (size_t i = 0; ip->mode == IP_STATIC && i < sizeof checks / sizeof checks[0]; i++) {
        const char *fault = checks[i].fault(ip, address, host_bits);
        snprintf(pointer, sizeof pointer, "/%s/StaticIPv4/%s", interface, checks[i].key);
        if (fault)
            complain(errors, pointer, fault);
    }
}

/* False: they do not go together.  Found apart, since the list of faults may be full already. */
static bool check_whole(const struct config *c, struct config_errors *errors)
{
    struct config_errors found = {0};
    check_static(&c->ethernet, "Ethernet", &found);
    check_static(&c->wifi, "WiFi", &found);
    if (c->default_interface == INTERFACE_WIFI && c->wifi_ssid[0] == 0)
        complain(&found, "/WiFi/ConnectionData/WiFiSSID", "is needed where DefaultNetIf is WiFi");
    for (size_t i = 0; i < found.count; i++)
        complain(errors, found.list[i].pointer, found.list[i].detail);
    return found.count == 0;
}

bool config_patch(struct config *c, json_t *patch, struct config_errors *errors)
{
    struct config candidate = *c;
    errors->count = 0;
    if (json_is_object(patch))
        patch_object(&candidate, "", patch, errors);
    else
        complain(errors, "", "must be an object: {\"MQTT\":{\"Site\":\"home\"}}");
    bool good = errors->count == 0 && check_whole(&candidate, errors);
    if (good)
        *c = candidate;
    explicit_bzero(&candidate, sizeof candidate);
    return good;
}

/* --- to JSON ---------------------------------------------------------------------------------- */

/* The object a pointer's last key belongs into, made on the way; *key is that last key. */
static json_t *parent_of(json_t *root, const char *pointer, const char **key)
{
    char name[CONFIG_POINTER_MAX];
    json_t *object = root;
    const char *at = pointer + 1;
    for (const char *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(slash - at), at);
        json_t *child = json_object_get(object, name);
        if (!child) {
            child = json_object();
            if (json_object_set_new(object, name, child) < 0)
                return NULL;
        }
        object = child;
    }
    *key = at;
    return object;
}

static json_t *value_json(const struct config_row *row, const struct config *c)
{
    if (row->type == CONFIG_TEXT)
        return json_string(text_of(row, c));
    if (row->type == CONFIG_NUMBER)
        return json_integer(*number_of(row, c));
    if (row->type == CONFIG_CHOICE)
        return json_string(row->choices[*number_of(row, c)]);
    return json_boolean(*number_of(row, c));
}

static json_t *shown_json(const struct config_row *row, const struct config *c)
{
    return row->secret && text_of(row, c)[0] ? json_string(CONFIG_MASK) : value_json(row, c);
}

/* Puts a value (which it takes over) at the row's place. */
static bool put_at(json_t *root, const struct config_row *row, json_t *value)
{
    const char *key;
    json_t *object = parent_of(root, row->pointer, &key);
    if (object)
        return json_object_set_new(object, key, value) == 0;
    json_decref(value);
    return false;
}

json_t *config_json(const struct config *c)
{
    json_t *root = json_object();
    bool ok = root != NULL;
    for (const struct config_row *row = config_rows; ok && row < config_rows + config_row_count;
         row++)
        ok = put_at(root, row, shown_json(row, c));
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}

/* --- changes ---------------------------------------------------------------------------------- */

static bool differs(const struct config_row *row, const struct config *a, const struct config *b)
{
    if (row->type == CONFIG_TEXT)
        return strcmp(text_of(row, a), text_of(row, b)) != 0;
    return *number_of(row, a) != *number_of(row, b);
}

unsigned config_changed_doors(const struct config *before, const struct config *now)
{
    unsigned doors = 0;
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++)
        if (differs(row, before, now))
            doors |= row->door;
    return doors;
}

void config_take(struct config *c, const struct config *from, unsigned doors)
{
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (!(row->door & doors))
            continue;
        memcpy((char *)c + row->offset, (const char *)from + row->offset, row->size);
        c->was_set = (c->was_set & ~bit_of(row)) | (from->was_set & bit_of(row));
    }
}

void config_changed_names(const struct config *before, const struct config *now, char *text,
                          size_t capacity)
{
    struct text_out out;
    text_init(&out, text, capacity);
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++)
        if (differs(row, before, now)) {
            text_char(&out, ' ');
            text_put(&out, row->pointer + 1);
        }
}

/* --- schema ----------------------------------------------------------------------------------- */

json_t *config_map_names(void)
{
    json_t *names = json_array();
    const struct register_map *map;
    for (size_t i = 0; (map = map_list_at(i)) != NULL; i++)
        json_array_append_new(names, json_string(map->name));
    return names;
}

static json_t *choice_names(const struct config_row *row)
{
    json_t *names = json_array();
    for (int i = 0; row->choices[i]; i++)
        json_array_append_new(names, json_string(row->choices[i]));
    return names;
}

static json_t *fallback_json(const struct config_row *row)
{
    struct config c;
    set_fallback(row, &c);
    return value_json(row, &c);
}

static json_t *row_schema(const struct config_row *row)
{
    static const char *const types[] = {
        [CONFIG_TEXT] = "string",
        [CONFIG_NUMBER] = "integer",
        [CONFIG_CHOICE] = "string",
        [CONFIG_SWITCH] = "boolean",
    };
    json_t *schema = json_pack("{s:s, s:s, s:o}", "type", types[row->type], "description",
                               row->help, "default", fallback_json(row));
    if (row->type == CONFIG_NUMBER) {
        json_object_set_new(schema, "minimum", json_integer(row->min));
        json_object_set_new(schema, "maximum", json_integer(row->max));
    } else if (row->type == CONFIG_CHOICE) {
        json_object_set_new(schema, "enum", choice_names(row));
    } else if (row->map) {
        json_object_set_new(schema, "enum", config_map_names());
    } else if (row->type == CONFIG_TEXT) {
        json_object_set_new(schema, "maxLength", json_integer(row->max));
    }
    if (row->secret) /* never the secret itself, but the mask */
        json_object_set_new(schema, "format", json_string("password"));
    return schema;
}

static void require(json_t *object, const char *key)
{
    json_t *required = json_object_get(object, "required");
    if (!required) {
        required = json_array();
        json_object_set_new(object, "required", required);
    }
    json_array_append_new(required, json_string(key));
}

/* The schema of the object `name`, made where it is not there yet. */
static json_t *schema_child(json_t *object, const char *name, bool patch)
{
    json_t *properties = json_object_get(object, "properties");
    json_t *child = json_object_get(properties, name);
    if (child)
        return child;
    child =
        json_pack("{s:s, s:b, s:{}}", "type", "object", "additionalProperties", 0, "properties");
    json_object_set_new(properties, name, child);
    if (!patch)
        require(object, name);
    return child;
}

/* The object schema in which a pointer's last key is a property, made on the way; see parent_of(). */
static json_t *schema_parent(json_t *root, const char *pointer, bool patch, const char **key)
{
    char name[CONFIG_POINTER_MAX];
    json_t *object = root;
    const char *at = pointer + 1;
    for (const char *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(slash - at), at);
        object = schema_child(object, name, patch);
    }
    *key = at;
    return object;
}

json_t *config_schema(bool patch)
{
    json_t *root =
        json_pack("{s:s, s:b, s:{}}", "type", "object", "additionalProperties", 0, "properties");
    for (const struct config_row *row = config_rows; root && row < config_rows + config_row_count;
         row++) {
        const char *key;
        json_t *object = schema_parent(root, row->pointer, patch, &key);
        json_object_set_new(json_object_get(object, "properties"), key, row_schema(row));
        if (!patch)
            require(object, key);
    }
    return root;
}

/* --- the stored form -------------------------------------------------------------------------- */

char *config_file_text(const struct config *c)
{
    json_t *settings = json_object();
    bool ok = settings != NULL;
    for (const struct config_row *row = config_rows; ok && row < config_rows + config_row_count;
         row++)
        if (c->was_set & bit_of(row))
            ok = put_at(settings, row, value_json(row, c));
    json_t *root = json_pack("{s:i, s:o}", "Version", CONFIG_VERSION, "Settings", settings);
    char *text = ok ? json_text(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    return text;
}

/* Version 0 is the bare object, as GET /api/v1/config shows it: a configuration saved from a box.  Its masks
 * stand for secrets it does not hold, and setting a mask leaves a secret as it is. */
static json_t *settings_of_version_0(json_t *root)
{
    return root;
}

static json_t *settings_of_version_1(json_t *root)
{
    return json_object_get(root, "Settings");
}

static json_t *settings_in(json_t *root, json_int_t *version)
{
    static json_t *(*const readers[])(json_t *) = {settings_of_version_0, settings_of_version_1};
    const json_t *stated = json_object_get(root, "Version");
    *version = stated ? json_integer_value(stated) : 0;
    if (stated && *version < 1)
        return NULL;
    return readers[*version > CONFIG_VERSION ? CONFIG_VERSION : *version](root);
}

/* Applies each setting alone, so that one which cannot be used costs itself only.  An empty object holds
 * none, so it is judged itself: it may stand where a value belongs. */
static void take_one_by_one(struct config *c, const char *parent, json_t *object,
                            struct config_errors *errors)
{
    const char *key;
    json_t *value;
    char pointer[CONFIG_POINTER_MAX];
    json_object_foreach(object, key, value)
    {
        extend_pointer(pointer, parent, key);
        if (json_object_size(value) > 0)
            take_one_by_one(c, pointer, value, errors);
        else
            patch_member(c, pointer, value, errors);
    }
}

/* Network settings that do not go together: none of them can be trusted. */
static void forget_network(struct config *c, const struct config *defaults)
{
    for (const struct config_row *row = config_rows; row < config_rows + config_row_count; row++) {
        if (row->door != DOOR_NETWORK)
            continue;
        memcpy(text_of(row, c), text_of(row, defaults), row->size);
        c->was_set &= ~bit_of(row);
    }
}

enum config_file_result config_read_file(struct config *c, const char *text, size_t length,
                                         struct config_errors *errors)
{
    json_int_t version = 0;
    struct config before = *c;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    json_t *settings = json_is_object(root) ? settings_in(root, &version) : NULL;
    errors->count = 0;
    if (!json_is_object(settings)) {
        json_decref(root);
        return CONFIG_FILE_DAMAGED;
    }
    take_one_by_one(c, "", settings, errors);
    if (!check_whole(c, errors))
        forget_network(c, &before);
    json_decref(root);
    explicit_bzero(&before, sizeof before);
    return version > CONFIG_VERSION ? CONFIG_FILE_NEWER
           : errors->count          ? CONFIG_FILE_PARTLY
                                    : CONFIG_FILE_GOOD;
}
