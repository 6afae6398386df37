#include "bus_fields.h"

#include "core/text_out.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

static int read_bool(sd_bus_message *m, char type, const struct bus_field *f, void *place)
{
    int value = 0;
    int result = sd_bus_message_read_basic(m, type, &value);
    (void)f;
    if (result > 0)
        *(bool *)place = value;
    return result;
}

static int read_number(sd_bus_message *m, char type, const struct bus_field *f, void *place)
{
    (void)f;
    return sd_bus_message_read_basic(m, type, place);
}

static int read_text(sd_bus_message *m, char type, const struct bus_field *f, void *place)
{
    const char *text;
    int result = sd_bus_message_read_basic(m, type, &text);
    if (result > 0)
        text_copy(place, f->size, text);
    return result;
}

static int read_bytes(sd_bus_message *m, char type, const struct bus_field *f, void *place)
{
    struct bus_bytes bytes = {0};
    const void *first;
    size_t size;
    int result = sd_bus_message_read_array(m, 'y', &first, &size);
    (void)type, (void)f;
    if (result < 0)
        return result;
    bytes.length = size < sizeof bytes.byte ? (uint8_t)size : sizeof bytes.byte;
    if (bytes.length)
        memcpy(bytes.byte, first, bytes.length);
    memcpy(place, &bytes, sizeof bytes);
    return result;
}

static const struct {
    const char *signature, *also;
    int (*read)(sd_bus_message *m, char type, const struct bus_field *f, void *place);
} kinds[] = {
    [BUS_BOOL] = {"b", "", read_bool},  [BUS_BYTE] = {"y", "", read_number},
    [BUS_U32] = {"u", "", read_number}, [BUS_I64] = {"x", "", read_number},
    [BUS_TEXT] = {"s", "o", read_text}, [BUS_BYTES] = {"ay", "", read_bytes},
};

static bool has_type(const struct bus_field *f, const char *signature)
{
    return strcmp(signature, kinds[f->type].signature) == 0 ||
           strcmp(signature, kinds[f->type].also) == 0;
}

/* --- dictionaries ----------------------------------------------------------------------------- */

static const struct bus_field *find(const struct bus_field *fields, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static int read_value(sd_bus_message *m, const struct bus_field *f, void *target)
{
    const char *signature;
    int result = sd_bus_message_peek_type(m, NULL, &signature);
    if (result < 0)
        return result;
    if (!f || !has_type(f, signature))
        return sd_bus_message_skip(m, "v");
    result = sd_bus_message_enter_container(m, 'v', signature);
    if (result > 0)
        result = kinds[f->type].read(m, signature[0], f, (char *)target + f->offset);
    return result < 0 ? result : sd_bus_message_exit_container(m);
}

static int read_entry(sd_bus_message *m, const struct bus_field *fields, size_t count, void *target)
{
    const char *key;
    int result = sd_bus_message_read_basic(m, 's', &key);
    if (result > 0)
        result = read_value(m, find(fields, count, key), target);
    return result < 0 ? result : sd_bus_message_exit_container(m);
}

/* At the end of a message there is nothing to enter, which is no error to sd-bus. */
static int enter_array(sd_bus_message *m, const char *of)
{
    int result = sd_bus_message_enter_container(m, 'a', of);
    return result == 0 ? -EBADMSG : result;
}

int bus_read_fields(sd_bus_message *m, const struct bus_field *fields, size_t count, void *target)
{
    int result = enter_array(m, "{sv}");
    while (result >= 0 && (result = sd_bus_message_enter_container(m, 'e', "sv")) > 0)
        result = read_entry(m, fields, count, target);
    if (result >= 0)
        result = sd_bus_message_exit_container(m);
    return result < 0 ? result : 0;
}

int bus_read_list(sd_bus_message *m, const struct bus_field *fields, size_t count, void *first,
                  size_t size, size_t max, size_t *n)
{
    int result = enter_array(m, "a{sv}");
    *n = 0;
    while (result >= 0 && (result = sd_bus_message_at_end(m, false)) == 0) {
        if (*n == max) {
            result = sd_bus_message_skip(m, "a{sv}");
            continue;
        }
        result = bus_read_fields(m, fields, count, (char *)first + *n * size);
        *n += result >= 0;
    }
    if (result >= 0)
        result = sd_bus_message_exit_container(m);
    return result < 0 ? result : 0;
}
