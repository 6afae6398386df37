/* bus_kit_test.h - a system bus played by a test, in the same thread; the test itself plays the services on it.
 *
 * One client at a time, which finds it by the environment.  Names have the owners the test says; what is called on them
 * is given to the test.  Needs loop_kit_test.h.
 */
#ifndef BUS_KIT_TEST_H
#define BUS_KIT_TEST_H

#include "loop.h"

#include <stdbool.h>
#include <systemd/sd-bus.h>

/* Around the tests of a group: the place where the bus listens. */
int bus_kit_make_place(void **unused);
int bus_kit_remove_place(void **unused);

/* Around each test: `serve` answers calls to services.  No name has an owner.  At the end nobody may be connected. */
void bus_kit_begin(struct loop *l, void (*serve)(sd_bus_message *call));
void bus_kit_end(void);

/* Whether the bus can be found; at first it can. */
void bus_kit_listen(bool on);

/* Whether there is a client. */
bool bus_kit_is_connected(void);

/* The bus ends the connection; it can be found again. */
void bus_kit_hang_up(void);

/* Both ends say what they have to say, and timers that are due run. */
void bus_kit_settle(void);

/* Time passes, then all is settled. */
void bus_kit_pass(int64_t ms);

/* The name is this owner's from now on, as a real bus would tell it; "": nobody's. */
void bus_kit_own(const char *name, const char *owner);

/* The name that is asked for next gets this owner just before the answer. */
void bus_kit_own_when_asked(const char *owner);

/* The match rules that the client has asked for, and not taken back. */
int bus_kit_matches(void);

/* Answers by whom the call was meant for, arguments as for sd_bus_message_append(); types "": without any. */
void bus_kit_answer(sd_bus_message *call, const char *types, ...);
void bus_kit_answer_error(sd_bus_message *call, const char *name, const char *text);

/* For contents of more than one line: a message, and its sending, which takes it over. */
sd_bus_message *bus_kit_new_answer(sd_bus_message *call);
sd_bus_message *bus_kit_new_signal(const char *path, const char *interface, const char *member);
void bus_kit_send(const char *sender, sd_bus_message *m);

#endif
