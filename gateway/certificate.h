/* certificate.h - keys and self-signed certificates of this box: ECDSA on P-256, SHA-256 (GnuTLS).
 *
 * All calls compute and none reads or writes files: PEM texts go in and out.  Making a key or a certificate
 * takes a millisecond or a few.  Calls may run on several threads.
 */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CERTIFICATE_PEM_MAX = 8192, /* with the terminating NUL */
    CERTIFICATE_NAMES_MAX = 40,
    CERTIFICATE_NAME_MAX = 64 /* with the terminating NUL */
};

/* What a certificate is for: DNS names, and addresses as text ("192.0.2.5", "fe80::1").  The order says
 * nothing; every name stands there once. */
struct certificate_names {
    size_t count;
    char name[CERTIFICATE_NAMES_MAX][CERTIFICATE_NAME_MAX];
};

/* Adds a name that is not there yet: a host name in lower case, an address in its usual spelling.  True also
 * if it was there.  False: the list is full, or the name is longer than it may be, or neither a host name
 * (letters, digits, dots, inner hyphens) nor an address; an address with a zone ("fe80::1%eth0") is none. */
bool certificate_names_add(struct certificate_names *names, const char *name);

/* True if it is among them, whatever the case, or the spelling of an address. */
bool certificate_names_have(const struct certificate_names *names, const char *name);

/* Makes a private key, as PKCS#8 PEM: a secret, which the caller keeps and wipes.  False: the library
 * failed. */
bool certificate_make_key(char pem[static CERTIFICATE_PEM_MAX]);

/* What a certificate is to say. */
struct certificate_request {
    const char *common_name;               /* UTF-8, 1 to 64 bytes */
    const struct certificate_names *names; /* subject alternative names; NULL or empty: none */
    int64_t now_s;                         /* UTC; valid from a day before */
    int valid_days;  /* from now_s; where time_t has 32 bits, to January 2038 at the latest */
    bool for_server; /* TLS server, else TLS client */
};

/* Makes a certificate signed by its own key.  Serial number: random, positive.  Basic constraints: CA false.
 * False: the key or a name cannot be used. */
bool certificate_make(const char *key_pem, const struct certificate_request *request,
                      char pem[static CERTIFICATE_PEM_MAX]);

enum certificate_state {
    CERTIFICATE_GOOD,
    CERTIFICATE_UNUSABLE,   /* damaged, not self-signed, or for another key or purpose */
    CERTIFICATE_ENDING,     /* over, or over within `margin_days`, or valid only in the future */
    CERTIFICATE_OTHER_NAMES /* the common name is another, or a wanted name is missing */
};

/* Judges a certificate (the first one of the text) against what is wanted of it now; valid_days says
 * nothing here.  Names it has beside the wanted ones are no fault: an address that comes and goes must not
 * make a new certificate each time.  Of several faults the first in the order above is told. */
enum certificate_state certificate_check(const char *key_pem, const char *pem,
                                         const struct certificate_request *wanted, int margin_days);

#endif
