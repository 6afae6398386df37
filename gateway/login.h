/* login.h - the password of the web page and the API: made, hashed, checked.
 *
 * Hashes are crypt(3) strings of the kind yescrypt.  Hashing is slow by design (some ten milliseconds) and
 * needs 8 MiB for that time: call it from a worker, one at a time.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include <stdbool.h>
#include <stddef.h>

enum {
    LOGIN_KEY_LEN = 12,       /* characters of a made password: 60 bits */
    LOGIN_PASSWORD_MAX = 128, /* bytes of a password, without NUL */
    LOGIN_HASH_MAX = 160      /* with the terminating NUL */
};

/* Makes a password of base32 characters (A-Z, 2-7) from the kernel's random source.  Waits until that is
 * ready, which only matters in the first seconds of a machine's life.  False with errno. */
bool login_make_key(char key[static LOGIN_KEY_LEN + 1]);

/* Hashes a password with a fresh salt.  False: it is empty or too long, or the library failed. */
bool login_hash(const char *password, char hash[static LOGIN_HASH_MAX]);

/* True if the text is a hash of this kind: one that login_check() can use. */
bool login_is_hash(const char *text);

/* True if `password` (length bytes, which may hold anything, NULs too) is the one that was hashed.  Compares
 * in constant time; a hash that cannot be used, "" for example, takes no password. */
bool login_check(const char *password, size_t length, const char *hash);

#endif
