/* p1mb_on_pty - the configuration port of a P1MB at a pseudo-terminal: the firmware's own code (core/p1mb_port.h) with
 * settings in memory, and faults to choose.  The first line it prints names the port, the others say what happens:
 *
 *   open | closed         the session
 *   write SETUP           was kept; 16 hex digits, as it travels
 *   reboot                active is what was kept last
 */
#include "core/crc16.h"
#include "core/p1mb_port.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* What can be wrong with it.  Numbers are 0 unless they are given. */
enum fault {
    FAULT_MUTE,      /* never answers */
    FAULT_LOSE,      /* so many answers are lost */
    FAULT_NOISE,     /* so many bytes of noise come before each answer */
    FAULT_GARBLED,   /* one byte of each answer is changed */
    FAULT_TELEGRAM,  /* a meter's telegram comes in place of each answer */
    FAULT_VERSION,   /* it speaks this version of the protocol */
    FAULT_STATUS,    /* what it answers to a write */
    FAULT_BAD_FACTS, /* what it says of itself, or of its settings, is too short */
    FAULT_BAD_SETUPS,
    FAULT_FORGETS, /* it says it kept the settings, and did not */
    FAULT_MEMORY,  /* it says that it could not keep them */
    FAULT_LOST,    /* it does not come back from the reboot */
    FAULT_STUCK,   /* it does, with the old settings */
    FAULT_PRODUCT,
    FAULT_BOARD,
    FAULT_SERIAL,
    FAULT_MAPS,
    FAULT_BOOT_MS, /* how long the reboot takes */
    FAULTS
};

static const struct option flags[] = {
    [FAULT_MUTE] = {"mute", no_argument, NULL, FAULT_MUTE},
    [FAULT_LOSE] = {"lose", required_argument, NULL, FAULT_LOSE},
    [FAULT_NOISE] = {"noise", required_argument, NULL, FAULT_NOISE},
    [FAULT_GARBLED] = {"garbled", no_argument, NULL, FAULT_GARBLED},
    [FAULT_TELEGRAM] = {"telegram", no_argument, NULL, FAULT_TELEGRAM},
    [FAULT_VERSION] = {"protocol", required_argument, NULL, FAULT_VERSION},
    [FAULT_STATUS] = {"status", required_argument, NULL, FAULT_STATUS},
    [FAULT_BAD_FACTS] = {"bad-facts", no_argument, NULL, FAULT_BAD_FACTS},
    [FAULT_BAD_SETUPS] = {"bad-setups", no_argument, NULL, FAULT_BAD_SETUPS},
    [FAULT_FORGETS] = {"forgets", no_argument, NULL, FAULT_FORGETS},
    [FAULT_MEMORY] = {"memory-fails", no_argument, NULL, FAULT_MEMORY},
    [FAULT_LOST] = {"lost", no_argument, NULL, FAULT_LOST},
    [FAULT_STUCK] = {"stuck", no_argument, NULL, FAULT_STUCK},
    [FAULT_PRODUCT] = {"product", required_argument, NULL, FAULT_PRODUCT},
    [FAULT_BOARD] = {"board", required_argument, NULL, FAULT_BOARD},
    [FAULT_SERIAL] = {"serial", required_argument, NULL, FAULT_SERIAL},
    [FAULT_MAPS] = {"maps", required_argument, NULL, FAULT_MAPS},
    [FAULT_BOOT_MS] = {"boot-ms", required_argument, NULL, FAULT_BOOT_MS},
    [FAULTS] = {0},
};

/* One device; the list of its maps is asked for without it. */
static struct device {
    struct p1mb_port_owner owner;
    struct p1mb_port port;
    struct p1mb_setup active, kept;
    const char *fault[FAULTS]; /* NULL: it has not */
    bool reboots, was_open;
    long lost;
    int64_t boots_until_ms;
    int master;
} device;

static char map_names[8][64] = {"Inepro-PRO380", "Acrel-ACR10RH", "Eastron-SDM630", "Xemex"};

static long number(enum fault fault)
{
    return device.fault[fault] ? strtol(device.fault[fault], NULL, 10) : 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tell(const char *what)
{
    printf("%s\n", what);
    fflush(stdout);
}

/* --- what the device does ---------------------------------------------------------------------- */

static const char *map_name(uint8_t i)
{
    return map_names[i];
}

static void owner_read(struct p1mb_port_owner *owner, struct p1mb_setup out[static 2])
{
    (void)owner;
    out[0] = device.active;
    out[1] = device.kept;
}

static bool owner_write(struct p1mb_port_owner *owner, const struct p1mb_setup *setup)
{
    uint8_t bytes[P1MB_SETUP_BYTES];
    char text[8 + 2 * sizeof bytes] = "write ";
    (void)owner;
    if (device.fault[FAULT_MEMORY])
        return false;
    p1mb_setup_put(setup, bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 6 + 2 * i, 3, "%02X", bytes[i]);
    tell(text);
    if (!device.fault[FAULT_FORGETS])
        device.kept = *setup;
    return true;
}

static void owner_reboot(struct p1mb_port_owner *owner)
{
    (void)owner;
    device.reboots = true;
}

static void reboot(void)
{
    tell("reboot");
    device.reboots = false;
    if (!device.fault[FAULT_STUCK])
        device.active = device.kept;
    device.boots_until_ms = device.fault[FAULT_LOST] ? INT64_MAX : now_ms() + number(FAULT_BOOT_MS);
    p1mb_port_init(&device.port, &device.owner);
}

/* --- what leaves it ---------------------------------------------------------------------------- */

static void send_bytes(const void *bytes, size_t n)
{
    if (write(device.master, bytes, n) != (ssize_t)n)
        exit(1);
}

/* Puts another payload, version or command's answer into a frame; returns its length. */
static size_t tamper(uint8_t *frame, size_t n)
{
    uint8_t command = frame[2] & (uint8_t)~P1MB_ANSWER;
    if ((command == P1MB_IDENTIFY && device.fault[FAULT_BAD_FACTS]) ||
        (command == P1MB_READ && device.fault[FAULT_BAD_SETUPS])) {
        frame[3]--;
        n--;
    }
    if (device.fault[FAULT_VERSION]) {
        frame[1] = (uint8_t)number(FAULT_VERSION);
        frame[4] = P1MB_BAD_VERSION;
    }
    if (command == P1MB_WRITE && device.fault[FAULT_STATUS])
        frame[4] = (uint8_t)number(FAULT_STATUS);
    uint16_t crc = crc16_update(CRC16_MODBUS_INIT, frame + 1, n - 3);
    frame[n - 2] = (uint8_t)crc;
    frame[n - 1] = (uint8_t)(crc >> 8);
    frame[n / 2] ^= device.fault[FAULT_GARBLED] != NULL;
    return n;
}

static void answer(void)
{
    static const char telegram[] = "/XXX5TEST\r\n\r\n1-0:1.7.0(00.412*kW)\r\n!ABCD\r\n";
    uint8_t frame[P1MB_FRAME_MAX];
    size_t n;
    const uint8_t *bytes = p1mb_port_answer(&device.port, &n);
    if (!bytes || device.fault[FAULT_MUTE] || device.lost < number(FAULT_LOSE)) {
        device.lost += bytes != NULL;
        return;
    }
    for (long i = 0; i < number(FAULT_NOISE); i++)
        send_bytes(&(uint8_t){(uint8_t)(0xF0 + i % 8)}, 1);
    memcpy(frame, bytes, n);
    n = tamper(frame, n);
    if (device.fault[FAULT_TELEGRAM])
        send_bytes(telegram, sizeof telegram - 1);
    else
        send_bytes(frame, n);
}

/* --- running ----------------------------------------------------------------------------------- */

static void tell_session(void)
{
    if (device.port.open != device.was_open)
        tell(device.port.open ? "open" : "closed");
    device.was_open = device.port.open;
}

static void take(const uint8_t *bytes, size_t n)
{
    if (now_ms() < device.boots_until_ms)
        return;
    (void)p1mb_port_take(&device.port, bytes, n, now_ms());
    tell_session();
    answer();
    if (device.reboots)
        reboot();
    tell_session();
}

static void read_options(int argc, char **argv)
{
    int fault;
    while ((fault = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (fault < 0 || fault >= FAULTS)
            exit(2);
        device.fault[fault] = optarg ? optarg : "";
    }
}

static void make_device(void)
{
    device.owner = (struct p1mb_port_owner){.product = "P1MB",
                                            .board = "pty",
                                            .serial = "00112233AABB",
                                            .firmware = 0x000100,
                                            .map_name = map_name,
                                            .maps = 4,
                                            .read = owner_read,
                                            .write = owner_write,
                                            .reboot = owner_reboot};
    if (device.fault[FAULT_PRODUCT])
        device.owner.product = device.fault[FAULT_PRODUCT];
    if (device.fault[FAULT_BOARD])
        device.owner.board = device.fault[FAULT_BOARD];
    if (device.fault[FAULT_SERIAL])
        device.owner.serial = device.fault[FAULT_SERIAL];
    if (device.fault[FAULT_MAPS])
        device.owner.maps =
            (uint8_t)sscanf(device.fault[FAULT_MAPS], "%63[^,],%63[^,],%63[^,],%63[^,]",
                            map_names[0], map_names[1], map_names[2], map_names[3]);
    device.active = device.kept = (struct p1mb_setup){.bus = p1mb_defaults(), .map = 2};
    p1mb_port_init(&device.port, &device.owner);
}

/* Opens a pseudo-terminal, and keeps its other end, so that it outlives those who open it. */
static bool open_terminal(void)
{
    struct termios t;
    device.master = posix_openpt(O_RDWR | O_NOCTTY);
    if (device.master < 0 || grantpt(device.master) < 0 || unlockpt(device.master) < 0)
        return false;
    int other = open(ptsname(device.master), O_RDWR | O_NOCTTY);
    if (other < 0 || tcgetattr(other, &t) < 0)
        return false;
    cfmakeraw(&t);
    return tcsetattr(other, TCSANOW, &t) == 0;
}

int main(int argc, char **argv)
{
    enum { POLL_MS = 1000 };
    read_options(argc, argv);
    make_device();
    if (!open_terminal()) {
        perror("p1mb_on_pty");
        return 1;
    }
    tell(ptsname(device.master));
    for (;;) {
        uint8_t bytes[256];
        struct pollfd wait = {.fd = device.master, .events = POLLIN};
        if (poll(&wait, 1, POLL_MS) <= 0)
            continue;
        ssize_t n = read(device.master, bytes, sizeof bytes);
        if (n <= 0)
            return 1;
        take(bytes, (size_t)n);
    }
}
