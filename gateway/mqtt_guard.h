/* mqtt_guard.h - reading by libmosquitto, in which a failed assertion of it costs the connection and not the process.
 *
 * The library of Debian 12 (2.0.11) wants to log a property of MQTT 5 that it does not know, for no client at all, and
 * asserts that there is one: seven bytes of any broker, before anything is trusted, would end this process.  Newer ones
 * do not.  Here such an assertion comes back as an error.  What the library had allocated for the packet is lost, some
 * hundred bytes; the client is to be destroyed next, as after every error.
 */
#ifndef MQTT_GUARD_H
#define MQTT_GUARD_H

struct mosquitto;

/* As mosquitto_loop() and mosquitto_loop_read(), for one packet; MOSQ_ERR_MALFORMED_PACKET: also for an assertion. */
int mqtt_guard_loop(struct mosquitto *client, int timeout_ms);
int mqtt_guard_read(struct mosquitto *client);

#endif
