#include "update_health.h"

#include <stdio.h>

static void look_again(struct update_health *h)
{
    bool late = h->loop->now_ms >= h->deadline_ms;
    if (late)
        h->deadline_ms = h->loop->now_ms + h->limit_ms;
    loop_set_timer(h->loop, &h->timer, UPDATE_HEALTH_AGAIN_MS);
    if (late)
        h->ill(h);
}

static void note(struct update_health *h, const char *what, const char *why)
{
    snprintf(h->why, sizeof h->why, "%s%s", what, why);
    look_again(h);
}

static void find_well(struct update_health *h)
{
    h->running = false;
    h->why[0] = 0;
    h->well(h);
}

static void on_probed(struct page_probe *probe, const char *problem)
{
    struct update_health *h = CONTAINER_OF(probe, struct update_health, probe);
    if (problem)
        note(h, "the page is not served: ", problem);
    else
        find_well(h);
}

static void on_time(struct loop_timer *timer)
{
    struct update_health *h = CONTAINER_OF(timer, struct update_health, timer);
    const char *ailment = h->ailment(h);
    const struct sockaddr_storage *page = h->page(h);
    if (ailment)
        note(h, "", ailment);
    else if (page)
        page_probe_start(&h->probe, h->loop, page);
    else
        find_well(h);
}

void update_health_begin(struct update_health *h, struct loop *l, int64_t limit_ms)
{
    if (h->running)
        return;
    h->running = true;
    h->loop = l;
    h->timer.expired = on_time;
    h->probe.done = on_probed;
    h->limit_ms = limit_ms;
    h->deadline_ms = l->now_ms + limit_ms;
    loop_set_timer(l, &h->timer, UPDATE_HEALTH_FIRST_MS);
}

void update_health_stop(struct update_health *h)
{
    if (!h->running)
        return;
    h->running = false;
    loop_cancel_timer(h->loop, &h->timer);
    page_probe_close(&h->probe);
}
