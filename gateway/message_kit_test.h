/* message_kit_test.h - messages of D-Bus that never leave this process: sealed, they can be read. */
#ifndef MESSAGE_KIT_TEST_H
#define MESSAGE_KIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

static sd_bus *message_bus; /* nobody is at its other end */

/* Around the tests of a group. */
static inline int message_kit_begin(void **unused)
{
    int ends[2];
    (void)unused;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(sd_bus_new(&message_bus) >= 0 &&
                sd_bus_set_fd(message_bus, ends[0], ends[0]) >= 0 && sd_bus_start(message_bus) >= 0);
    return close(ends[1]);
}

static inline int message_kit_end(void **unused)
{
    (void)unused;
    message_bus = sd_bus_close_unref(message_bus);
    return 0;
}

static inline sd_bus_message *new_message(void)
{
    sd_bus_message *m = NULL;
    assert_true(sd_bus_message_new_signal(message_bus, &m, "/", "org.example", "Example") >= 0);
    return m;
}

/* To be read from its begin. */
static inline void seal(sd_bus_message *m)
{
    assert_true(sd_bus_message_seal(m, 1, 0) >= 0 && sd_bus_message_rewind(m, true) >= 0);
}

/* Sealed; as for sd_bus_message_append(). */
static inline sd_bus_message *message(const char *types, ...)
{
    sd_bus_message *m = new_message();
    va_list arguments;
    va_start(arguments, types);
    assert_true(sd_bus_message_appendv(m, types, arguments) >= 0);
    va_end(arguments);
    seal(m);
    return m;
}

/* The own bytes of a message that begins with a dictionary, "{sv}" or the like; writable: we made it.  They begin with
 * the length of the array, and its padding. */
static inline unsigned char *body_of(sd_bus_message *m, const char *entry)
{
    char contents[64];
    const char *first_key;
    snprintf(contents, sizeof contents, "%.*s", (int)strlen(entry) - 2, entry + 1);
    assert_true(sd_bus_message_enter_container(m, 'a', entry) > 0 &&
                sd_bus_message_enter_container(m, 'e', contents) > 0 &&
                sd_bus_message_read_basic(m, entry[1], &first_key) > 0);
    return (unsigned char *)(uintptr_t)first_key - 12;
}

/* How many bits it has; the array is all of it. */
static inline size_t body_bits(sd_bus_message *m, const char *entry)
{
    uint32_t length;
    memcpy(&length, body_of(m, entry), sizeof length);
    return (8 + (size_t)length) * 8;
}

/* Has it say something else in one bit; to be read from its begin. */
static inline void flip(sd_bus_message *m, const char *entry, size_t bit)
{
    body_of(m, entry)[bit / 8] ^= (unsigned char)(1u << bit % 8);
    assert_true(sd_bus_message_rewind(m, true) >= 0);
}

#endif
