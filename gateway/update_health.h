/* update_health.h - is this system well?  Asked after each start, until it is; only then its slot is called good.
 *
 * It is well when it has been running for a while, nothing ails it, and its page is served.
 */
#ifndef UPDATE_HEALTH_H
#define UPDATE_HEALTH_H

#include "page_probe.h"

enum {
    UPDATE_HEALTH_FIRST_MS = 20000, /* so long the loop has to turn before anything is believed */
    UPDATE_HEALTH_AGAIN_MS = 5000,
    UPDATE_HEALTH_WHY_MAX = 200
};

struct update_health {
    /* What is wrong at this moment; NULL: nothing. */
    const char *(*ailment)(struct update_health *h);
    /* Where the page is served; NULL: it is switched off. */
    const struct sockaddr_storage *(*page)(struct update_health *h);
    void (*well)(struct update_health *h); /* the last that is heard of it */
    void (*ill)(struct update_health *h);  /* its time is over; it is looked at further */
    char why[UPDATE_HEALTH_WHY_MAX]; /* read-only: what was wrong at the last look; "": nothing yet */
    /* private */
    struct loop *loop;
    struct loop_timer timer;
    struct page_probe probe;
    int64_t limit_ms, deadline_ms;
    bool running;
};

/* Begins to look; it has limit_ms, and then as long again.  The functions were set. */
void update_health_begin(struct update_health *h, struct loop *l, int64_t limit_ms);

/* Ends; waits for the probe. */
void update_health_stop(struct update_health *h);

#endif
