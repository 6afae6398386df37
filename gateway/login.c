#include "login.h"

#include "heap.h"

#include <crypt.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KIND "$y$" /* yescrypt */

/* Of libxcrypt's 1 to 11.  Measured with libxcrypt 4.4.33 on one core of a Xeon:
 * 3: 3.6 ms, 4 MiB; 4: 7 ms, 8 MiB; 5: 16 ms, 16 MiB; 6: 32 ms, 32 MiB.
 * Small boards are several times slower and short of memory. */
enum { COST = 4, HASH_LEN = 43 /* 32 bytes in base64 */ };

static bool fill_randomly(void *bytes, size_t length)
{
    ssize_t n;
    do
        n = getrandom(bytes, length, 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)length; /* up to 256 bytes come whole or not at all */
}

bool login_make_key(char key[static LOGIN_KEY_LEN + 1])
{
    static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t random[LOGIN_KEY_LEN];
    if (!fill_randomly(random, sizeof random))
        return false;
    for (int i = 0; i < LOGIN_KEY_LEN; i++)
        key[i] = base32[random[i] & 31]; /* 256 is a multiple of 32: each as likely as the others */
    key[LOGIN_KEY_LEN] = 0;
    explicit_bzero(random, sizeof random);
    return true;
}

/* crypt(3) of `length` bytes with the salt and cost of `setting`, which may be a whole hash.  What crypt
 * keeps of the password is wiped.  Its data has 32 KiB: too much for the stack of a small thread. */
static bool hash_with(const char *password, size_t length, const char *setting,
                      char hash[static LOGIN_HASH_MAX])
{
    char phrase[LOGIN_PASSWORD_MAX + 1];
    bool ok = false;
    struct crypt_data *data = heap_new(sizeof *data);
    if (!data)
        return false;
    memcpy(phrase, password, length);
    phrase[length] = 0;
    const char *made = crypt_rn(phrase, setting, data, sizeof *data);
    if (made && strlen(made) < LOGIN_HASH_MAX) {
        memcpy(hash, made, strlen(made) + 1);
        ok = true;
    }
    explicit_bzero(phrase, sizeof phrase);
    explicit_bzero(data, sizeof *data);
    free(data);
    return ok;
}

/* crypt(3) ends at a NUL: all that begins like the password would be the password.  And an empty one is
 * none. */
static bool is_usable(const char *password, size_t length)
{
    return length > 0 && length <= LOGIN_PASSWORD_MAX && !memchr(password, 0, length);
}

/* $y$PARAMETERS$SALT$HASH, see crypt(5): a hash that was cut must not pass, for it would open to nobody. */
bool login_is_hash(const char *text)
{
    static const char base64[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (strncmp(text, KIND, strlen(KIND)) != 0)
        return false;
    text += strlen(KIND);
    for (int part = 0; part < 2; part++) {
        size_t n = strspn(text, base64);
        if (n == 0 || text[n] != '$')
            return false;
        text += n + 1;
    }
    return strspn(text, base64) == HASH_LEN && text[HASH_LEN] == 0;
}

bool login_hash(const char *password, char hash[static LOGIN_HASH_MAX])
{
    size_t length = strnlen(password, LOGIN_PASSWORD_MAX + 1);
    if (!is_usable(password, length))
        return false;
    char *setting = crypt_gensalt_ra(KIND, COST, NULL, 0); /* NULL: random bytes of the kernel */
    bool ok = setting && hash_with(password, length, setting, hash);
    free(setting);
    return ok;
}

/* As slow for a difference in the first character as for one in the last. */
static bool same_text(const char *a, const char *b)
{
    size_t length = strlen(a);
    volatile unsigned char difference = 0;
    if (strlen(b) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

bool login_check(const char *password, size_t length, const char *hash)
{
    char made[LOGIN_HASH_MAX];
    /* crypt(3) knows weak kinds as well; we never made one */
    if (!login_is_hash(hash) || !is_usable(password, length))
        return false;
    bool ok = hash_with(password, length, hash, made) && same_text(made, hash);
    explicit_bzero(made, sizeof made);
    return ok;
}
