#include "ping.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

enum { PERIOD_US = REACH_PERIOD_MS * 1000, SEQUENCE_AT = 6, TOKEN_AT = 8 };

/* --- attempts --------------------------------------------------------------------------------- */

void ping_set(struct ping *p, enum ping_target target)
{
    p->target = target;
    p->awaited = AWAIT_DUE;
    p->address_known = target == PING_ADDRESS;
    p->outdated = p->finding;
    p->failed_in_a_row = 0;
    p->state.on = target != PING_OFF;
    p->state.known = p->state.ok = false;
    p->state.rtt_us = 0;
}

/* An address that did not answer is given up; one that came too late to be asked is not. */
static void end(struct ping *p, bool ok)
{
    bool asked_in_vain = p->awaited == AWAIT_ANSWER && !ok;
    if (p->target == PING_ROUTE || (p->target == PING_NAME && asked_in_vain))
        p->address_known = false;
    p->awaited = AWAIT_DUE;
    p->failed_in_a_row = ok ? 0 : p->failed_in_a_row + 1;
    p->state.known = true;
    p->state.ok = ok;
    p->state.pass += ok;
    p->state.fail += !ok;
}

static enum ping_step find(struct ping *p)
{
    p->awaited = AWAIT_FOUND;
    if (p->finding) /* never two at once: what is found will do */
        return PING_WAIT;
    p->finding = true;
    return PING_FIND;
}

static enum ping_step ask(struct ping *p, int64_t now_us)
{
    p->awaited = AWAIT_ANSWER;
    p->sent_us = now_us;
    return PING_SEND;
}

enum ping_step ping_due(struct ping *p, int64_t now_us, const uint8_t token[static PING_TOKEN_LEN])
{
    if (p->target == PING_OFF)
        return PING_WAIT;
    if (p->awaited != AWAIT_DUE)
        end(p, false);
    p->sequence++;
    memcpy(p->token, token, PING_TOKEN_LEN);
    p->begun_us = now_us;
    return p->address_known ? ask(p, now_us) : find(p);
}

/* The loop may have been held up: what is over is ended by ping_due(), which begins the next one at the same time. */
static bool is_over(const struct ping *p, int64_t now_us)
{
    return now_us - p->begun_us >= PERIOD_US;
}

enum ping_step ping_found(struct ping *p, int64_t now_us, bool found)
{
    bool outdated = p->outdated;
    p->finding = p->outdated = false;
    if (p->awaited != AWAIT_FOUND)
        return PING_WAIT;
    if (outdated)
        return find(p);
    p->address_known = found;
    if (!found)
        end(p, false);
    return found && !is_over(p, now_us) ? ask(p, now_us) : PING_WAIT;
}

bool ping_answered(struct ping *p, int64_t now_us)
{
    if (p->awaited != AWAIT_ANSWER || is_over(p, now_us))
        return false;
    p->state.rtt_us = now_us - p->sent_us;
    end(p, true);
    return true;
}

void ping_failed(struct ping *p)
{
    if (p->awaited == AWAIT_ANSWER)
        end(p, false);
}

/* --- packets ---------------------------------------------------------------------------------- */

void ping_put_request(const struct ping *p, sa_family_t family, uint8_t packet[static PING_ECHO_LEN])
{
    memset(packet, 0, PING_ECHO_LEN);
    packet[0] = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    packet[SEQUENCE_AT] = (uint8_t)(p->sequence >> 8);
    packet[SEQUENCE_AT + 1] = (uint8_t)p->sequence;
    memcpy(packet + TOKEN_AT, p->token, PING_TOKEN_LEN);
}

bool ping_is_reply(const struct ping *p, sa_family_t family, const uint8_t *packet, size_t length)
{
    uint8_t request[PING_ECHO_LEN];
    ping_put_request(p, family, request);
    return length == PING_ECHO_LEN &&
           packet[0] == (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) && packet[1] == 0 &&
           memcmp(packet + SEQUENCE_AT, request + SEQUENCE_AT, PING_ECHO_LEN - SEQUENCE_AT) == 0;
}
