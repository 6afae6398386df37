/* page_probe.h - is our own page served?  Asked as a browser on this machine would: TCP, TLS, HTTP. */
#ifndef PAGE_PROBE_H
#define PAGE_PROBE_H

#include "worker.h"

#include <sys/socket.h>

enum { PAGE_PROBE_PROBLEM_MAX = 120, PAGE_PROBE_S = 10 };

struct page_probe {
    /* On the loop.  NULL: the page came. */
    void (*done)(struct page_probe *p, const char *problem);
    /* private */
    struct sockaddr_storage at;
    struct worker_job job;
    char problem[PAGE_PROBE_PROBLEM_MAX];
};

/* Asks the HTTPS server at this address, of ours or any, by a worker; `done` is told within some PAGE_PROBE_S. */
void page_probe_start(struct page_probe *p, struct loop *l, const struct sockaddr_storage *bound);

/* Waits for the worker. */
void page_probe_close(struct page_probe *p);

#endif
