#include "port.h"

#include "core/p1mb_port.h"
#include "gateway/serial_port.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* --- which ports there are -------------------------------------------------------------------- */

/* Names of ports.  Those that are no plug are listed for chips that are not there, too. */
static const struct {
    const char *prefix;
    bool may_be_missing;
} kinds[] = {{"ttyACM", false}, {"ttyAMA", false}, {"ttyS", true}, {"ttyUSB", false}};

/* The first line of a small file, what is not printable ASCII as '?'; empty: there is none. */
static void read_line(const char *folder, const char *name, char out[static PORT_TEXT_MAX])
{
    char path[PATH_MAX];
    out[0] = 0;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return;
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (!fgets(out, PORT_TEXT_MAX, file))
        out[0] = 0;
    fclose(file);
    out[strcspn(out, "\n")] = 0;
    for (char *p = out; *p; p++)
        if (*p < 0x20 || *p > 0x7E) /* with a sign or without */
            *p = '?';
}

static bool is_port(const char *root, const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i].prefix);
        char folder[PATH_MAX], type[PORT_TEXT_MAX];
        if (strncmp(name, kinds[i].prefix, n) != 0 || name[n] < '0' || name[n] > '9')
            continue;
        if (!kinds[i].may_be_missing)
            return true;
        snprintf(folder, sizeof folder, "%s/sys/class/tty/%s", root, name);
        read_line(folder, "type", type);
        return type[0] && strcmp(type, "0") != 0;
    }
    return false;
}

/* The USB device is one of the folders above that of its port. */
static void describe(const char *root, const char *name, struct port *port)
{
    enum { STEPS = 4 };
    char path[PATH_MAX], folder[PATH_MAX], vendor[PORT_TEXT_MAX];
    snprintf(path, sizeof path, "%s/sys/class/tty/%s/device", root, name);
    if (!realpath(path, folder))
        return;
    for (unsigned i = 0; i < STEPS; i++) {
        read_line(folder, "idVendor", vendor);
        if (vendor[0]) {
            read_line(folder, "product", port->product);
            read_line(folder, "manufacturer", port->maker);
            read_line(folder, "serial", port->serial);
            return;
        }
        char *end = strrchr(folder, '/');
        if (!end || end == folder)
            return;
        *end = 0;
    }
}

/* Why we may not open it, and what helps. */
static void explain_access(const struct stat *about, char problem[static PORT_PROBLEM_MAX])
{
    const struct group *group = getgrgid(about->st_gid);
    if (group && about->st_gid != 0 && (about->st_mode & 060) == 060)
        snprintf(
            problem, PORT_PROBLEM_MAX,
            "you may not open it, but the group %s may: sudo usermod -aG %s \"$USER\", then log "
            "in again",
            group->gr_name, group->gr_name);
    else
        snprintf(problem, PORT_PROBLEM_MAX, "you may not open it; root may: use sudo");
}

/* What is wrong with a port before it is opened; empty: nothing. */
static void look_at(const char *path, char problem[static PORT_PROBLEM_MAX])
{
    struct stat about;
    problem[0] = 0;
    if (stat(path, &about) < 0)
        snprintf(problem, PORT_PROBLEM_MAX, "%s",
                 errno == ENOENT ? "there is no such port; `p1mb-config ports` lists them"
                                 : strerror(errno));
    else if (!S_ISCHR(about.st_mode))
        snprintf(problem, PORT_PROBLEM_MAX, "this is not a serial port");
    else if (access(path, R_OK | W_OK) < 0)
        explain_access(&about, problem);
}

size_t port_list(const char *root, struct port *ports, size_t max)
{
    struct dirent **names;
    char folder[PATH_MAX];
    size_t count = 0;
    snprintf(folder, sizeof folder, "%s/sys/class/tty", root);
    int found = scandir(folder, &names, NULL, versionsort);
    for (int i = 0; i < found; i++) {
        const char *name = names[i]->d_name;
        struct port port = {.path = ""};
        int length = snprintf(port.path, sizeof port.path, "%s/dev/%s", root, name);
        if (count < max && length < (int)sizeof port.path && is_port(root, name) &&
            access(port.path, F_OK) == 0) {
            describe(root, name, &port);
            look_at(port.path, port.problem);
            ports[count++] = port;
        }
        free(names[i]);
    }
    if (found >= 0)
        free(names);
    return count;
}

/* --- one of them ------------------------------------------------------------------------------ */

int port_open(const char *path, char problem[static PORT_PROBLEM_MAX])
{
    static const struct serial_line line = {.baud = P1MB_PORT_BAUD};
    const char *why = NULL;
    look_at(path, problem);
    if (problem[0])
        return -1;
    int fd = serial_port_open(path, &line, &why);
    if (fd >= 0)
        return fd;
    if (errno == EBUSY || errno == EWOULDBLOCK)
        why = "another program uses it: end that first (a gateway, a terminal, ModemManager?)";
    snprintf(problem, PORT_PROBLEM_MAX, "%s", why);
    return -1;
}

static volatile sig_atomic_t interrupted;

int port_read(int fd, uint8_t *bytes, size_t n, int64_t until_ms)
{
    enum { LOOK_MS = 100 }; /* a signal may come just before the wait */
    int64_t left_ms;
    while ((left_ms = until_ms - port_now_ms()) > 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (interrupted)
            return -1;
        int ready = poll(&wait, 1, (int)(left_ms < LOOK_MS ? left_ms : LOOK_MS));
        ssize_t got = ready > 0 ? read(fd, bytes, n) : -1;
        if (got > 0)
            return (int)got;
        if (got == 0 || (ready > 0 && errno != EAGAIN && errno != EINTR))
            return -1;
    }
    return 0;
}

bool port_ask(int fd, const uint8_t *bytes, size_t n)
{
    return tcflush(fd, TCIFLUSH) == 0 && serial_port_write(fd, bytes, n);
}

void port_close(int fd)
{
    serial_port_close(fd);
}

int64_t port_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void port_catch_interrupts(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

bool port_is_interrupted(void)
{
    return interrupted;
}

void port_go_on(void)
{
    interrupted = 0;
}
