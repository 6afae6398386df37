/* feed_meter.c - a meter behind TCP that sends numbered telegrams to whoever connects, for ever.
 *
 *   feed_meter PACE_US      one each so many microseconds; 0: as fast as they are taken
 *
 * Prints "ready PORT".  Numbers go from 0 to MARKED_POWERS - 1 and begin again.
 */
#include "loopback.h"
#include "marked.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void feed(int fd, unsigned *n, uint64_t pace_ns)
{
    char telegram[MARKED_MAX];
    uint64_t due_ns = clock_ns();
    for (;; *n = (*n + 1) % MARKED_POWERS) {
        size_t length = marked_write(telegram, *n, (int64_t)time(NULL));
        if (send(fd, telegram, length, MSG_NOSIGNAL) != (ssize_t)length)
            return;
        due_ns += pace_ns;
        if (pace_ns)
            sleep_until_ns(due_ns);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    unsigned n = 0;
    if (argc != 2)
        fail("usage: feed_meter PACE_US");
    uint64_t pace_ns =
        (uint64_t)number_argument(argv[1], "pace: 0 to 10000000 us", 0, 10000000) * 1000;
    int listener = loopback_listen(0);
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        die("getsockname");
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int fd = loopback_accept(listener);
        feed(fd, &n, pace_ns);
        close(fd);
    }
}
