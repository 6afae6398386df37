/* identity.h - who this box is, and the secrets that belong to it and to no other.
 *
 * Made on first start, kept in the state folder, and left alone by a factory reset, except for what the owner brought
 * (password, mqtt-identity.pem), which it removes:
 *
 *   serial                    12 hex digits, from the network card's address where there is one
 *   login                     the label's password of the web page, as a slow hash
 *   password                  the hash of the owner's own, if he chose one: only this one opens then
 *   label                     login and access point key in clear, for the sticker: who may read it is root and
 *                             the gateway itself
 *   device.key, device.crt    identify the box to a broker: P-256, common name = serial
 *   mqtt-identity.pem         the owner's own key and certificate for that, if he has put one in their place
 *   web.key, web.crt          of the web page, self-signed
 *
 * Nothing secret is derived from anything: all of it comes from the kernel's random source.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "broker_tls.h"
#include "certificate.h"
#include "host_net.h"
#include "login.h"

enum {
    IDENTITY_SERIAL_LEN = 12,
    IDENTITY_SSID_MAX = 16,
    IDENTITY_ERROR_MAX = 300,
    IDENTITY_WEB_DAYS = 397,
    IDENTITY_WEB_MARGIN_DAYS = 30
};

struct identity {
    char serial[IDENTITY_SERIAL_LEN + 1]; /* twelve hex digits, upper case */
    char mac[18];                         /* of the network card; "" = none */
    char login_hash[LOGIN_HASH_MAX];      /* of the label's password */
    char password_hash[LOGIN_HASH_MAX];   /* of the owner's own; "" = the label's holds */
    char login[LOGIN_KEY_LEN + 1];        /* in clear; "" = not kept any more */
    char ap_key[LOGIN_KEY_LEN + 1];       /* of the access point (WPA2) */
    char device_key[CERTIFICATE_PEM_MAX], device_certificate[CERTIFICATE_PEM_MAX];
    char web_key[CERTIFICATE_PEM_MAX], web_certificate[CERTIFICATE_PEM_MAX];
    /* the owner's own in place of the device's, a chain may follow the certificate; "" = the device's hold */
    char mqtt_key[BROKER_TLS_IDENTITY_MAX], mqtt_certificate[BROKER_TLS_IDENTITY_MAX];
};

/* Finds the serial number: the one given (unless ""), else the one kept in `state_dir`, else one from the network
 * card's address (else from the machine id), which is then kept there, so that it stays when the card is changed.
 * An empty state_dir keeps nothing.  *kept: it is in the folder now, or was given; if not, errno says why, and the
 * number is found anew next time.  False: there is nothing to make one from, or heap_is_short():
 * then the one that may be kept stays. */
bool identity_load(const char *state_dir, const char *given, struct identity *id, bool *kept);

/* Loads the secrets, and makes what is missing or cannot be used; a first start takes some ten milliseconds.  The
 * web certificate is for `names`.  now_s: UTC; READING_NO_TIME: no date is judged, and what is made is renewed when the
 * time is known.  False: `error` says in one line what cannot be written or made, or that
 * memory is short: then nothing that is kept is touched. */
bool identity_load_secrets(const char *state_dir, struct identity *id,
                           const struct certificate_names *names, int64_t now_s,
                           char error[static IDENTITY_ERROR_MAX]);

/* The names a box goes by: smart-connect and smart-connect-<serial>, each also with .local, the host's name, localhost,
 * all its addresses, and those of `more`, with commas between them. */
void identity_names(const struct identity *id, const struct host_net *net, const char *more,
                    struct certificate_names *names);

/* Makes the web certificate anew if it ends within a month or lacks a name, with the key there is, and keeps it.
 * *renewed: there is a new one in *id.  Blocks on the disk: for a worker, on a copy of its own.  False with errno. */
bool identity_renew_web(const char *state_dir, struct identity *id,
                        const struct certificate_names *names, int64_t now_s, bool *renewed);

/* Removes the login in clear from the folder; its hash stays.  False with errno. */
bool identity_forget_login(const char *state_dir, struct identity *id);

/* The name of the box's access point: "SC-00112233AABB". */
void identity_ssid(const struct identity *id, char ssid[static IDENTITY_SSID_MAX]);

/* The hash of the password that opens now. */
const char *identity_hash(const struct identity *id);

/* Keeps the hash of the owner's own password in the folder; "": removes it, so that the label's holds again.  For a
 * worker: it blocks on the disk.  False with errno. */
bool identity_keep_password(const char *state_dir, const char *hash);

/* What identifies the box to a broker now: the owner's own, else the device's. */
const char *identity_mqtt_key(const struct identity *id);
const char *identity_mqtt_certificate(const struct identity *id);

/* Keeps the owner's own key and certificate, in their usual form (broker_tls_tidy_identity), in one file of the folder,
 * so that they cannot be torn; "" and "": removes it, and what was set aside of it, so that the device's hold again.
 * For a worker: it blocks on the disk.  False with errno. */
bool identity_keep_mqtt(const char *state_dir, const char *key, const char *certificate);

/* Overwrites what is secret. */
void identity_wipe(struct identity *id);

/* Twelve hex digits. */
bool identity_is_serial(const char *text);

#endif
