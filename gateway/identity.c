#include "identity.h"

#include "log.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#define SERIAL_FILE "serial"
/* Made once at random for this product; see sd_id128_get_machine_app_specific(3). */
#define APPLICATION_ID SD_ID128_MAKE(4b, 6e, 1d, 0c, 91, 5f, 4a, 7d, a8, 36, 2f, c7, 0e, 58, b3, 19)

bool identity_is_serial(const char *text)
{
    size_t n = strspn(text, "0123456789ABCDEFabcdef");
    return n == IDENTITY_SERIAL_LEN && text[n] == 0;
}

/* The first line of a small file, without its end. */
static bool read_line(const char *path, char *line, int cap)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool ok = fgets(line, cap, f) != NULL;
    fclose(f);
    if (ok)
        line[strcspn(line, "\r\n")] = 0;
    return ok;
}

static bool load_kept(const char *state_dir, struct identity *id)
{
    char path[512], line[64];
    snprintf(path, sizeof path, "%s/" SERIAL_FILE, state_dir);
    if (!read_line(path, line, sizeof line))
        return false;
    if (!identity_is_serial(line)) {
        log_warning("identity", "%s holds no serial number; making one anew", path);
        return false;
    }
    memcpy(id->serial, line, sizeof id->serial);
    return true;
}

/* The address of an Ethernet card that is really one: not all zeros, not made up by software. */
static bool mac_of(const char *card, char mac[static IDENTITY_SERIAL_LEN + 1])
{
    char path[300], line[64], device[300];
    struct stat st;
    size_t n = 0;
    snprintf(device, sizeof device, "/sys/class/net/%.200s/device", card);
    snprintf(path, sizeof path, "/sys/class/net/%.200s/address", card);
    if (stat(device, &st) < 0 || !read_line(path, line, sizeof line))
        return false;
    for (const char *p = line; *p && n < IDENTITY_SERIAL_LEN; p++)
        if (*p != ':')
            mac[n++] = (char)toupper((unsigned char)*p);
    mac[n] = 0;
    return identity_is_serial(mac) && strcmp(mac, "000000000000") != 0;
}

/* The lowest address of all cards, so that their order does not matter. */
static bool from_network_card(struct identity *id)
{
    char mac[IDENTITY_SERIAL_LEN + 1];
    const struct dirent *entry;
    DIR *cards = opendir("/sys/class/net");
    id->serial[0] = 0;
    while (cards && (entry = readdir(cards)) != NULL)
        if (entry->d_name[0] != '.' && mac_of(entry->d_name, mac) &&
            (id->serial[0] == 0 || strcmp(mac, id->serial) < 0))
            memcpy(id->serial, mac, sizeof mac);
    if (cards)
        closedir(cards);
    return id->serial[0] != 0;
}

static bool from_machine_id(struct identity *id)
{
    sd_id128_t made;
    if (sd_id128_get_machine_app_specific(APPLICATION_ID, &made) < 0)
        return false;
    for (int i = 0; i < IDENTITY_SERIAL_LEN / 2; i++)
        snprintf(id->serial + 2 * i, 3, "%02X", made.bytes[i]);
    return true;
}

/* Temporary file, fsync, rename: a power cut leaves the old state or the new one. */
static bool keep(const char *state_dir, const struct identity *id)
{
    char path[512], temporary[520];
    if (mkdir(state_dir, 0700) < 0 && errno != EEXIST)
        return false;
    snprintf(path, sizeof path, "%s/" SERIAL_FILE, state_dir);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = dprintf(fd, "%s\n", id->serial) > 0 && fsync(fd) == 0;
    close(fd);
    return ok && rename(temporary, path) == 0;
}

bool identity_load(const char *state_dir, struct identity *id, bool *kept)
{
    *kept = state_dir[0] && load_kept(state_dir, id);
    if (*kept)
        return true;
    if (!from_network_card(id) && !from_machine_id(id))
        return false;
    *kept = state_dir[0] && keep(state_dir, id);
    return true;
}
