#include "mqtt_guard.h"

#undef NDEBUG /* its declaration is wanted */
#include <assert.h>
#include <mosquitto.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where this thread goes on when the library asserts; NULL: it is not in the library. */
static _Thread_local jmp_buf *way_out;

/* The one of the C library, for every part of the process.  Only the known one of libmosquitto is let pass: it is in no
 * callback and holds no lock then. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
    if (way_out && strstr(file, "logging_mosq"))
        longjmp(*way_out, 1);
    fprintf(stderr, "%s:%u: %s: assertion %s failed\n", file, line, function ? function : "?",
            assertion);
    abort();
}

/* timeout_ms < 0: reads only. */
static int guarded(struct mosquitto *client, int timeout_ms)
{
    jmp_buf here;
    if (setjmp(here)) {
        way_out = NULL;
        return MOSQ_ERR_MALFORMED_PACKET;
    }
    way_out = &here;
    int result =
        timeout_ms < 0 ? mosquitto_loop_read(client, 1) : mosquitto_loop(client, timeout_ms, 1);
    way_out = NULL;
    return result;
}

int mqtt_guard_loop(struct mosquitto *client, int timeout_ms)
{
    return guarded(client, timeout_ms);
}

int mqtt_guard_read(struct mosquitto *client)
{
    return guarded(client, -1);
}
