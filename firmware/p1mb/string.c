/* string.c - the four functions the compiler may call, as short as they can be; built without link-time optimisation,
 * which would find loops here that look like them. */
#include <stddef.h>

void *memmove(void *to, const void *from, size_t n);
void *memcpy(void *to, const void *from, size_t n) __attribute__((alias("memmove")));
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Upwards unless that would overwrite what is still to be moved. */
void *memmove(void *to, const void *from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t > f)
        while (n--)
            t[n] = f[n];
    else
        while (n--)
            *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t n)
{
    unsigned char *t = to;
    while (n--)
        *t++ = (unsigned char)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (; n--; x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}
