/* cmd_simulate.c - `smart-connect simulate`: a meter to try things with. */
#include "address.h"
#include "choices.h"
#include "commands.h"
#include "loop.h"
#include "sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS_MAX = 8 };

struct simulate;

/* Where telegrams go. */
struct sink {
    const char *name; /* what --to says; a prefix of it where takes_rest */
    bool (*open)(struct simulate *s, const char *rest);
    bool (*send)(struct simulate *s, const uint8_t *bytes, size_t n);
    bool takes_rest;
    bool paced;     /* at the meter's own pace unless --interval says otherwise */
    bool is_a_line; /* seven-bit senders show their parity */
};

struct simulate {
    struct loop loop;
    struct loop_timer tick;
    struct loop_fd listening;
    const struct sink *sink;
    const struct sim_profile *profile;
    struct sim meter;
    uint64_t seed, count, sent;            /* count 0: without end */
    int64_t start_s, interval_ms, next_ms; /* interval -1: the meter's own */
    int fd, slave_fd;
    int clients[LISTENERS_MAX]; /* -1: free */
    bool failed;
};

/* --- sinks ------------------------------------------------------------------------------------ */

static bool open_pty(struct simulate *s, const char *rest)
{
    struct termios t;
    (void)rest;
    s->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0 || grantpt(s->fd) < 0 || unlockpt(s->fd) < 0)
        return false;
    /* kept open, so that readers may come and go */
    s->slave_fd = open(ptsname(s->fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s->slave_fd < 0 || tcgetattr(s->slave_fd, &t) < 0)
        return false;
    cfmakeraw(&t);
    tcsetattr(s->slave_fd, TCSANOW, &t);
    printf("%s\n", ptsname(s->fd));
    fflush(stdout);
    return true;
}

/* A meter does not wait for its reader: what does not fit is lost. */
static bool send_pty(struct simulate *s, const uint8_t *bytes, size_t n)
{
    return write(s->fd, bytes, n) >= 0 || errno == EAGAIN;
}

static bool open_file(struct simulate *s, const char *rest)
{
    s->fd = strcmp(rest, "-") == 0 ? STDOUT_FILENO
                                   : open(rest, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return s->fd >= 0;
}

static bool send_file(struct simulate *s, const uint8_t *bytes, size_t n)
{
    while (n) {
        ssize_t written = write(s->fd, bytes, n);
        if (written < 0)
            return false;
        bytes += written;
        n -= (size_t)written;
    }
    return true;
}

static void on_connection(struct loop_fd *watch, uint32_t events)
{
    struct simulate *s = CONTAINER_OF(watch, struct simulate, listening);
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)events;
    for (int i = 0; i < LISTENERS_MAX && fd >= 0; i++)
        if (s->clients[i] < 0) {
            s->clients[i] = fd;
            return;
        }
    if (fd >= 0)
        close(fd);
}

static bool open_tcp(struct simulate *s, const char *rest)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char text[ADDRESS_TEXT_MAX];
    if (!address_parse(rest, &address, &length)) {
        errno = EINVAL;
        return false;
    }
    int fd = address_listen(&address, length, LISTENERS_MAX);
    s->listening = (struct loop_fd){.ready = on_connection, .fd = fd};
    if (fd < 0 || loop_watch(&s->loop, &s->listening, EPOLLIN) < 0)
        return false;
    length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &length);
    address_format(&address, text);
    printf("%s\n", text);
    fflush(stdout);
    return true;
}

/* A reader that does not keep up is dropped. */
static bool send_tcp(struct simulate *s, const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < LISTENERS_MAX; i++) {
        if (s->clients[i] < 0 || send(s->clients[i], bytes, n, MSG_NOSIGNAL) == (ssize_t)n)
            continue;
        close(s->clients[i]);
        s->clients[i] = -1;
    }
    return true;
}

static const struct sink sinks[] = {
    {"pty", open_pty, send_pty, .paced = true, .is_a_line = true},
    {"tcp:", open_tcp, send_tcp, .takes_rest = true, .paced = true},
    {"-", open_file, send_file, .paced = true},
    {"", open_file, send_file, .takes_rest = true}, /* any other text is a file's path */
};

/* --- the meter -------------------------------------------------------------------------------- */

static void on_telegram_due(struct loop_timer *timer)
{
    struct simulate *s = CONTAINER_OF(timer, struct simulate, tick);
    uint8_t telegram[SIM_TELEGRAM_MAX];
    size_t n = sim_telegram(&s->meter, telegram, sizeof telegram);
    if (s->profile->seven_bit_even && s->sink->is_a_line)
        sim_add_even_parity(telegram, n);
    if (!s->sink->send(s, telegram, n)) {
        s->failed = true;
        loop_stop(&s->loop);
        return;
    }
    if (++s->sent == s->count) {
        loop_stop(&s->loop);
        return;
    }
    sim_advance(&s->meter, s->interval_ms > 0 ? (uint32_t)s->interval_ms : s->profile->interval_ms);
    bool paced = s->interval_ms > 0 || (s->interval_ms < 0 && s->sink->paced);
    s->next_ms += s->interval_ms > 0 ? s->interval_ms : s->profile->interval_ms;
    loop_set_timer(&s->loop, &s->tick, paced ? s->next_ms - s->loop.now_ms : 0);
}

/* --- options ---------------------------------------------------------------------------------- */

static void print_simulate_help(void)
{
    printf(
        "usage: smart-connect simulate --profile NAME [--to pty|tcp:ADDR:PORT|FILE|-] [--count N]\n"
        "                              [--interval S] [--seed N] [--start UTC]\n\n"
        "A simulated meter in a household that lives: day curve, appliances, sun.\n\n"
        "  --to pty            a pseudo-terminal, whose name is printed\n"
        "  --to tcp:ADDR:PORT  listens there and sends to everyone who connects\n"
        "  --to -              standard output (the default), at the meter's pace\n"
        "  --to FILE           a file, at once; needs --count\n"
        "  --count N           end after N telegrams\n"
        "  --interval S        seconds between telegrams; 0 = as fast as possible\n"
        "  --seed N            another number is another household [1]\n"
        "  --start UTC         begin at this second since 1970 [now]\n\nProfiles:\n");
    const struct sim_profile *p;
    for (size_t i = 0; (p = sim_profile_at(i)) != NULL; i++)
        printf("  %-14s %s\n", p->name, p->title);
}

static bool read_unsigned(const char *text, uint64_t max, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0 && *number <= max;
}

/* Seconds with a fraction, to milliseconds. */
static bool read_interval(const char *text, int64_t *interval_ms)
{
    char *end;
    double s = strtod(text, &end);
    *interval_ms = (int64_t)(s * 1000 + 0.5);
    return end != text && *end == 0 && s >= 0 && s <= 86400;
}

static int unknown_profile(const char *name)
{
    char choices[CHOICES_MAX];
    choices_of_profiles(choices);
    return command_usage_error("simulate", "--profile \"%.40s\" is no meter; there are%s", name,
                               choices);
}

static int set_simulate_option(struct simulate *s, int flag, const char *value)
{
    uint64_t start;
    switch (flag) {
    case 'p':
        s->profile = sim_profile_find(value);
        return s->profile ? EXIT_GOOD : unknown_profile(value);
    case 'n':
        if (read_unsigned(value, UINT64_MAX, &s->count) && s->count > 0)
            return EXIT_GOOD;
        return command_usage_error("simulate", "--count \"%.40s\": use a number from 1", value);
    case 'i':
        if (read_interval(value, &s->interval_ms))
            return EXIT_GOOD;
        return command_usage_error("simulate", "--interval \"%.40s\": use seconds, 0 to 86400",
                                   value);
    case 's':
        if (read_unsigned(value, UINT64_MAX, &s->seed))
            return EXIT_GOOD;
        return command_usage_error("simulate", "--seed \"%.40s\": use a number", value);
    default:
        if (!read_unsigned(value, INT64_MAX, &start))
            return command_usage_error("simulate", "--start \"%.40s\": use seconds since 1970",
                                       value);
        s->start_s = (int64_t)start;
        return EXIT_GOOD;
    }
}

static bool sink_fits(const struct sink *sink, const char *to)
{
    return sink->takes_rest ? strncmp(to, sink->name, strlen(sink->name)) == 0
                            : strcmp(to, sink->name) == 0;
}

static const struct sink *find_sink(const char *to)
{
    const struct sink *sink = sinks;
    while (!sink_fits(sink, to))
        sink++;
    return sink;
}

static int run_simulation(struct simulate *s, const char *to)
{
    const char *rest = s->sink->takes_rest ? to + strlen(s->sink->name) : to;
    if (loop_init(&s->loop) < 0 || loop_stop_on_signals(&s->loop) < 0 || !s->sink->open(s, rest))
        return command_usage_error("simulate", "--to %s: %s", to, strerror(errno));
    sim_init(&s->meter, s->profile, s->seed, s->start_s);
    s->next_ms = s->loop.now_ms;
    s->tick.expired = on_telegram_due;
    loop_set_timer(&s->loop, &s->tick, 0);
    loop_run(&s->loop);
    loop_close(&s->loop);
    if (s->failed && errno != EPIPE)
        return command_usage_error("simulate", "--to %s: %s", to, strerror(errno));
    return EXIT_GOOD;
}

int command_simulate(int argc, char **argv)
{
    static const struct option flags[] = {
        {"profile", required_argument, NULL, 'p'}, {"to", required_argument, NULL, 't'},
        {"count", required_argument, NULL, 'n'},   {"interval", required_argument, NULL, 'i'},
        {"seed", required_argument, NULL, 's'},    {"start", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},          {0}};
    static struct simulate s;
    const char *to = "-";
    int flag;
    s.seed = 1;
    s.interval_ms = -1;
    s.start_s = (int64_t)time(NULL);
    for (int i = 0; i < LISTENERS_MAX; i++)
        s.clients[i] = -1;
    opterr = 0;
    while ((flag = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
        int result = EXIT_GOOD;
        if (flag == 'h') {
            print_simulate_help();
            return EXIT_GOOD;
        }
        if (flag == 't')
            to = optarg;
        else if (flag == '?' || flag == ':')
            result = command_option_error("simulate", flag, argv);
        else
            result = set_simulate_option(&s, flag, optarg);
        if (result != EXIT_GOOD)
            return result;
    }
    if (optind < argc)
        return command_usage_error("simulate", "\"%.60s\" is no option", argv[optind]);
    if (!s.profile)
        return command_usage_error("simulate", "which meter? use --profile NAME");
    s.sink = find_sink(to);
    if (!s.sink->paced && s.count == 0)
        return command_usage_error("simulate", "--to %s: a file needs --count N", to);
    return run_simulation(&s, to);
}
