/* forwarding_test.c - what the kernel says by netlink is what it says in /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forwarding.h"

#include <stdio.h>

static void it_says_what_the_kernels_switch_says(void **unused)
{
    (void)unused;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_forward", "re");
    if (!f)
        skip();
    int value = fgetc(f);
    fclose(f);
    assert_int_equal(forwarding_is_on(), value != '0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_says_what_the_kernels_switch_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
