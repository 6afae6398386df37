#include "report.h"

#include "field.h"

#include "core/text_out.h"

#include <stdio.h>

enum { JSON_MAX = PORTS_MAX * 2048 };

/* --- JSON: all texts are printable ASCII ------------------------------------------------------ */

static void put_key(struct text_out *t, const char *key)
{
    char last = t->length ? t->buffer[t->length - 1] : '{';
    if (last != '{' && last != '[')
        text_put(t, ",");
    if (!key)
        return;
    text_json_string(t, key);
    text_put(t, ":");
}

static void put_string(struct text_out *t, const char *key, const char *value)
{
    put_key(t, key);
    text_json_string(t, value);
}

static void put_known(struct text_out *t, const char *key, const char *value)
{
    if (value[0])
        put_string(t, key, value);
}

static void put_setup(struct text_out *t, const char *key, const struct device *d,
                      const struct p1mb_setup *setup)
{
    put_key(t, key);
    text_put(t, "{");
    for (size_t i = 0; i < FIELDS; i++) {
        char value[FIELD_NAME_MAX];
        field_show(&fields[i], &d->facts, setup, value);
        put_key(t, fields[i].flag);
        if (fields[i].kind == FIELD_TEXT)
            text_json_string(t, value);
        else if (fields[i].kind == FIELD_SWITCH)
            text_put(t, fields[i].get(setup) ? "true" : "false");
        else
            text_put(t, value);
    }
    text_put(t, "}");
}

static void device_json(const struct device *d, struct text_out *t)
{
    char version[FACTS_VERSION_MAX];
    facts_version(&d->facts, version);
    text_put(t, "{");
    put_string(t, "port", d->path);
    put_string(t, "product", facts_text(&d->facts, FACTS_PRODUCT));
    put_string(t, "board", facts_text(&d->facts, FACTS_BOARD));
    put_string(t, "serial", facts_text(&d->facts, FACTS_SERIAL));
    put_string(t, "firmware", version);
    put_key(t, "maps");
    text_put(t, "[");
    for (unsigned i = 0; i < d->facts.maps; i++)
        put_string(t, NULL, facts_text(&d->facts, FACTS_MAP + i));
    text_put(t, "]");
    put_setup(t, "active", d, &d->active);
    put_setup(t, "next", d, &d->next);
    text_put(t, "}");
}

static void ports_json(const struct port *ports, size_t count, struct text_out *t)
{
    text_put(t, "{");
    put_key(t, "ports");
    text_put(t, "[");
    for (const struct port *p = ports; p < ports + count; p++) {
        put_key(t, NULL);
        text_put(t, "{");
        put_string(t, "port", p->path);
        put_known(t, "product", p->product);
        put_known(t, "maker", p->maker);
        put_known(t, "serial", p->serial);
        put_known(t, "problem", p->problem);
        text_put(t, "}");
    }
    text_put(t, "]}");
}

/* --- text ------------------------------------------------------------------------------------- */

static void device_text(const struct device *d)
{
    char version[FACTS_VERSION_MAX], active[FIELD_NAME_MAX], next[FIELD_NAME_MAX];
    facts_version(&d->facts, version);
    printf("%-22s %s\n", "port", d->path);
    printf("%-22s %s\n", "product", facts_text(&d->facts, FACTS_PRODUCT));
    printf("%-22s %s\n", "board", facts_text(&d->facts, FACTS_BOARD));
    printf("%-22s %s\n", "serial number", facts_text(&d->facts, FACTS_SERIAL));
    printf("%-22s %s\n", "firmware", version);
    printf("%-22s", "maps");
    for (unsigned i = 0; i < d->facts.maps; i++)
        printf(" %s", facts_text(&d->facts, FACTS_MAP + i));
    printf("\n\n%-22s %-20s %s\n", "", "active", "after a reboot");
    for (size_t i = 0; i < FIELDS; i++) {
        field_show(&fields[i], &d->facts, &d->active, active);
        field_show(&fields[i], &d->facts, &d->next, next);
        printf("%-22s %-20s %s\n", fields[i].title, active, next);
    }
}

static void ports_text(const struct port *ports, size_t count)
{
    for (const struct port *p = ports; p < ports + count; p++) {
        printf("%-16s", p->path);
        if (p->maker[0] || p->product[0])
            printf(" %s %s", p->maker, p->product);
        if (p->serial[0])
            printf(", serial number %s", p->serial);
        printf("\n");
        if (p->problem[0])
            printf("%-16s %s\n", "", p->problem);
    }
    if (count == 0)
        printf("no serial port found: plug the configurator cable into this computer\n");
}

void report_device(const struct device *d, bool json)
{
    char buffer[JSON_MAX];
    struct text_out t;
    text_init(&t, buffer, sizeof buffer);
    if (!json) {
        device_text(d);
        return;
    }
    device_json(d, &t);
    printf("%s\n", buffer);
}

void report_ports(const struct port *ports, size_t count, bool json)
{
    char buffer[JSON_MAX];
    struct text_out t;
    text_init(&t, buffer, sizeof buffer);
    if (!json) {
        ports_text(ports, count);
        return;
    }
    ports_json(ports, count, &t);
    printf("%s\n", buffer);
}
