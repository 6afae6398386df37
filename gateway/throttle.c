#include "throttle.h"

#include "core/cursor.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECOND_MS = 1000,
    FORGET_MS = THROTTLE_FORGET_S * SECOND_MS,
    ADDRESS_LEN = 16,
    PREFIX_LEN = 8, /* /64: what one household has */
    KNOWN_PER_SECOND = 10,
    FRESH_PER_SECOND = 10,
    FRESH_PER_SECOND_WHEN_FULL = 1,
    SUSPECTS_PER_SECOND = 1
};

void throttle_init(struct throttle *t)
{
    const struct throttle_quota unused = {.since_ms = -SECOND_MS};
    memset(t, 0, sizeof *t);
    t->known_quota = t->suspects_quota = t->fresh_quota = unused;
}

/* --- addresses -------------------------------------------------------------------------------- */

/* All neighbours have the same link-local /64, and IPv4 in IPv6 has its own bytes at the end. */
static bool counts_whole(const struct in6_addr *a)
{
    return IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_V4MAPPED(a);
}

/* Who it is; IPv4 as IPv4 in IPv6. */
static void whole_of(const struct sockaddr_storage *address, uint8_t whole[static ADDRESS_LEN])
{
    memset(whole, 0, ADDRESS_LEN);
    if (address->ss_family == AF_INET) {
        whole[10] = whole[11] = 0xFF;
        memcpy(whole + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else {
        memcpy(whole, &((const struct sockaddr_in6 *)address)->sin6_addr, ADDRESS_LEN);
    }
}

/* What the failures of somebody count by who is not known. */
static void key_of(const uint8_t whole[static ADDRESS_LEN], uint8_t key[static ADDRESS_LEN])
{
    struct in6_addr a;
    memcpy(&a, whole, sizeof a);
    memset(key, 0, ADDRESS_LEN);
    memcpy(key, whole, counts_whole(&a) ? ADDRESS_LEN : PREFIX_LEN);
}

/* True if key_of() can have made it: entries that are locked have no others. */
static bool is_key(const uint8_t key[static ADDRESS_LEN])
{
    static const uint8_t rest[ADDRESS_LEN - PREFIX_LEN];
    struct in6_addr a;
    memcpy(&a, key, sizeof a);
    return counts_whole(&a) || memcmp(key + PREFIX_LEN, rest, sizeof rest) == 0;
}

static bool same(const uint8_t a[static ADDRESS_LEN], const uint8_t b[static ADDRESS_LEN])
{
    return memcmp(a, b, ADDRESS_LEN) == 0;
}

/* --- the known -------------------------------------------------------------------------------- */

/* Its place, or -1.  A neighbour in his /64 is not him. */
static int find_known(const struct throttle *t, const uint8_t whole[static ADDRESS_LEN])
{
    for (int i = 0; i < THROTTLE_KNOWN; i++)
        if (t->known[i].used && same(t->known[i].address, whole))
            return i;
    return -1;
}

static void make_known(struct throttle *t, const uint8_t whole[static ADDRESS_LEN])
{
    if (find_known(t, whole) >= 0)
        return;
    memcpy(t->known[t->next_known].address, whole, ADDRESS_LEN);
    t->known[t->next_known].used = true;
    t->next_known = (t->next_known + 1) % THROTTLE_KNOWN;
}

static void make_unknown(struct throttle *t, const uint8_t whole[static ADDRESS_LEN])
{
    int i = find_known(t, whole);
    if (i >= 0)
        t->known[i].used = false;
}

/* Who asks, and what his failures count by: himself while he is known, so that no neighbour has him locked; else his
 * /64. */
struct visitor {
    uint8_t whole[ADDRESS_LEN], key[ADDRESS_LEN];
    bool is_known;
};

static struct visitor visitor_of(const struct throttle *t, const struct sockaddr_storage *address)
{
    struct visitor v;
    whole_of(address, v.whole);
    v.is_known = find_known(t, v.whole) >= 0;
    if (v.is_known)
        memcpy(v.key, v.whole, ADDRESS_LEN);
    else
        key_of(v.whole, v.key);
    return v;
}

/* --- the table -------------------------------------------------------------------------------- */

static bool is_live(const struct throttle_entry *e, int64_t now_ms)
{
    return e->failures > 0 && now_ms - e->last_failure_ms < FORGET_MS;
}

static int64_t locked_ms(const struct throttle_entry *e, int64_t now_ms)
{
    return e->locked_until_ms > now_ms ? e->locked_until_ms - now_ms : 0;
}

/* Its place, or -1 if it has none or is forgotten. */
static int find(const struct throttle *t, const uint8_t key[static ADDRESS_LEN], int64_t now_ms)
{
    for (int i = 0; i < THROTTLE_ADDRESSES; i++)
        if (is_live(&t->entries[i], now_ms) && same(t->entries[i].address, key))
            return i;
    return -1;
}

static bool has_room(const struct throttle *t, int64_t now_ms)
{
    for (int i = 0; i < THROTTLE_ADDRESSES; i++)
        if (!is_live(&t->entries[i], now_ms))
            return true;
    return false;
}

/* True if a is forgotten rather than b.  Who failed most stays longest: else a crowd that fails once each
 * would wash out the one that was locked, and he began anew with free failures. */
static bool goes_before(const struct throttle_entry *a, const struct throttle_entry *b,
                        int64_t now_ms)
{
    bool a_locked = locked_ms(a, now_ms) > 0, b_locked = locked_ms(b, now_ms) > 0;
    if (is_live(a, now_ms) != is_live(b, now_ms))
        return !is_live(a, now_ms);
    if (a_locked != b_locked)
        return b_locked;
    if (a_locked)
        return a->locked_until_ms < b->locked_until_ms;
    if (a->failures != b->failures)
        return a->failures < b->failures;
    return a->last_failure_ms < b->last_failure_ms;
}

static struct throttle_entry *make_room(struct throttle *t, int64_t now_ms)
{
    struct throttle_entry *first = &t->entries[0];
    for (int i = 1; i < THROTTLE_ADDRESSES; i++)
        if (goes_before(&t->entries[i], first, now_ms))
            first = &t->entries[i];
    return first;
}

/* The entry of an address; a new one has no failures yet. */
static struct throttle_entry *entry_of(struct throttle *t, const uint8_t key[static ADDRESS_LEN],
                                       int64_t now_ms)
{
    int i = find(t, key, now_ms);
    if (i >= 0)
        return &t->entries[i];
    struct throttle_entry *e = make_room(t, now_ms);
    memset(e, 0, sizeof *e);
    memcpy(e->address, key, ADDRESS_LEN);
    return e;
}

/* --- asking and telling ----------------------------------------------------------------------- */

static int64_t take(struct throttle_quota *q, int per_second, int64_t now_ms)
{
    if (now_ms - q->since_ms >= SECOND_MS)
        *q = (struct throttle_quota){.since_ms = now_ms};
    if (q->count >= per_second)
        return q->since_ms + SECOND_MS - now_ms;
    q->count++;
    return 0;
}

int64_t throttle_ask(struct throttle *t, const struct sockaddr_storage *address, int64_t now_ms)
{
    const struct visitor v = visitor_of(t, address);
    int i = find(t, v.key, now_ms);
    if (i >= 0 && locked_ms(&t->entries[i], now_ms))
        return locked_ms(&t->entries[i], now_ms);
    if (v.is_known)
        return take(&t->known_quota, KNOWN_PER_SECOND, now_ms);
    if (i >= 0)
        return take(&t->suspects_quota, SUSPECTS_PER_SECOND, now_ms);
    return take(&t->fresh_quota,
                has_room(t, now_ms) ? FRESH_PER_SECOND : FRESH_PER_SECOND_WHEN_FULL, now_ms);
}

static int64_t lock_ms(int failures)
{
    int64_t lock_s = THROTTLE_FIRST_LOCK_S;
    for (int n = THROTTLE_FREE_FAILURES; n < failures && lock_s < THROTTLE_LONGEST_LOCK_S; n++)
        lock_s *= 2;
    return (lock_s < THROTTLE_LONGEST_LOCK_S ? lock_s : THROTTLE_LONGEST_LOCK_S) * SECOND_MS;
}

static void count(struct throttle_entry *e, int64_t now_ms)
{
    e->last_failure_ms = now_ms;
    if (e->failures < THROTTLE_MOST_FAILURES)
        e->failures++;
}

/* The entry that locks an address that was known: that of its /64, else a neighbour's address were a way around the
 * lock.  His free failures are used up, as if he had never been known. */
static struct throttle_entry *hand_over(struct throttle *t, struct throttle_entry *e, int64_t now_ms)
{
    uint8_t key[ADDRESS_LEN];
    key_of(e->address, key);
    if (same(e->address, key))
        return e;
    e->failures = 0;
    e = entry_of(t, key, now_ms);
    if (e->failures < THROTTLE_FREE_FAILURES - 1)
        e->failures = THROTTLE_FREE_FAILURES - 1;
    count(e, now_ms);
    return e;
}

bool throttle_failed(struct throttle *t, const struct sockaddr_storage *address, int64_t now_ms)
{
    const struct visitor v = visitor_of(t, address);
    struct throttle_entry *e = entry_of(t, v.key, now_ms);
    t->failures++;
    count(e, now_ms);
    if (e->failures < THROTTLE_FREE_FAILURES)
        return false;
    make_unknown(t, v.whole);
    e = hand_over(t, e, now_ms);
    make_unknown(t, e->address); /* of a /64 the one that ends in zeros, which counts with it */
    e->locked_until_ms = now_ms + lock_ms(e->failures);
    return true;
}

/* The failures that counted by himself are those of when he was known before. */
void throttle_passed(struct throttle *t, const struct sockaddr_storage *address)
{
    const struct visitor v = visitor_of(t, address);
    for (int i = 0; i < THROTTLE_ADDRESSES; i++)
        if (same(t->entries[i].address, v.key) || same(t->entries[i].address, v.whole))
            t->entries[i].failures = 0;
    make_known(t, v.whole);
}

bool throttle_is_known(const struct throttle *t, const struct sockaddr_storage *address)
{
    return visitor_of(t, address).is_known;
}

int64_t throttle_locked_ms(const struct throttle *t, const struct sockaddr_storage *address,
                           int64_t now_ms)
{
    const struct visitor v = visitor_of(t, address);
    int i = find(t, v.key, now_ms);
    return i < 0 ? 0 : locked_ms(&t->entries[i], now_ms);
}

/* --- keeping ---------------------------------------------------------------------------------- */

/* A line with its NUL; returns its length. */
static size_t write_line(const struct throttle_entry *e, int64_t now_ms,
                         char line[static THROTTLE_LINE_MAX + 1])
{
    int left_s = (int)((locked_ms(e, now_ms) + SECOND_MS - 1) / SECOND_MS);
    for (int i = 0; i < ADDRESS_LEN; i++)
        snprintf(line + 2 * i, 3, "%02x", e->address[i]);
    int n = snprintf(line + 2 * ADDRESS_LEN, THROTTLE_LINE_MAX + 1 - 2 * ADDRESS_LEN, " %d %d\n",
                     e->failures, left_s);
    return 2 * ADDRESS_LEN + (size_t)n;
}

size_t throttle_write(const struct throttle *t, int64_t now_ms, char *text, size_t capacity)
{
    size_t used = 0;
    for (int i = 0; i < THROTTLE_ADDRESSES; i++) {
        const struct throttle_entry *e = &t->entries[i];
        char line[THROTTLE_LINE_MAX + 1];
        if (!is_live(e, now_ms) || e->failures < THROTTLE_FREE_FAILURES)
            continue;
        size_t length = write_line(e, now_ms, line);
        if (length >= capacity - used)
            break;
        memcpy(text + used, line, length + 1);
        used += length;
    }
    text[used] = 0;
    return used;
}

/* Reads "<number><end>"; returns what follows, or NULL. */
static const char *read_number(const char *p, char end, long min, long max, int *value)
{
    char *stop;
    long n = strtol(p, &stop, 10);
    if (*p < '0' || *p > '9' || *stop != end || n < min || n > max)
        return NULL;
    *value = (int)n;
    return stop + 1;
}

static bool read_key(const char *hex, uint8_t key[static ADDRESS_LEN])
{
    for (int i = 0; i < ADDRESS_LEN; i++) {
        int high = cursor_hex_digit((uint8_t)hex[2 * i]);
        int low = high < 0 ? -1 : cursor_hex_digit((uint8_t)hex[2 * i + 1]);
        if (low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return is_key(key);
}

/* `line` ends with a line feed. */
static bool read_line(struct throttle *t, int64_t now_ms, const char *line)
{
    uint8_t key[ADDRESS_LEN];
    int failures, left_s;
    if (!read_key(line, key) || line[2 * ADDRESS_LEN] != ' ')
        return false;
    const char *p = read_number(line + 2 * ADDRESS_LEN + 1, ' ', THROTTLE_FREE_FAILURES,
                                THROTTLE_MOST_FAILURES, &failures);
    if (!p || !read_number(p, '\n', 0, THROTTLE_LONGEST_LOCK_S, &left_s))
        return false;
    struct throttle_entry *e = entry_of(t, key, now_ms);
    e->failures = failures;
    e->last_failure_ms = now_ms;
    e->locked_until_ms = now_ms + (int64_t)left_s * SECOND_MS;
    return true;
}

size_t throttle_read(struct throttle *t, int64_t now_ms, const char *text)
{
    size_t taken = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1)
        taken += read_line(t, now_ms, text);
    return taken;
}
