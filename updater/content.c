#include "content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const always[] = {"manifest.raucm", "release"};
enum { ALWAYS = sizeof always / sizeof always[0] };

__attribute__((format(printf, 2, 3))) static bool refuse(char error[static CONTENT_ERROR_MAX],
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, CONTENT_ERROR_MAX, format, arguments);
    va_end(arguments);
    return false;
}

static const char *environment(const char *prefix, const char *number)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, number);
    return getenv(name);
}

bool content_find_target(struct content_target *target, char error[static CONTENT_ERROR_MAX])
{
    const char *slots = getenv("RAUC_TARGET_SLOTS");
    if (!slots || !slots[0] || strspn(slots, "0123456789") != strlen(slots))
        return refuse(error, "not just one slot is to be written: RAUC_TARGET_SLOTS");
    target->image = environment("RAUC_IMAGE_NAME_", slots);
    target->device = environment("RAUC_SLOT_DEVICE_", slots);
    return (target->image && target->device) ||
           refuse(error,
                  "RAUC does not tell the image and its slot: RAUC_IMAGE_NAME_%.9s, "
                  "RAUC_SLOT_DEVICE_%.9s",
                  slots, slots);
}

static bool is_expected(const char *name, const struct content_target *target)
{
    for (size_t i = 0; i < ALWAYS; i++)
        if (strcmp(name, always[i]) == 0)
            return true;
    return strcmp(name, target->image) == 0;
}

/* Its names are those of strangers, so no message holds one. */
static bool holds_nothing_else(DIR *folder, const struct content_target *target,
                               char error[static CONTENT_ERROR_MAX])
{
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !is_expected(name, target))
            return refuse(error,
                          "the bundle holds more than its manifest, its release and one image");
    }
    return errno == 0 || refuse(error, "the bundle cannot be read: %s", strerror(errno));
}

/* `what`: what to call it. */
static bool is_regular(int folder, const char *name, const char *what, off_t *size,
                       char error[static CONTENT_ERROR_MAX])
{
    struct stat s;
    if (fstatat(folder, name, &s, AT_SYMLINK_NOFOLLOW) < 0)
        return refuse(error, "the bundle's %s cannot be found: %s", what, strerror(errno));
    *size = s.st_size;
    return S_ISREG(s.st_mode) || refuse(error, "the bundle's %s is no regular file", what);
}

static bool has_room(const char *device, off_t size, char error[static CONTENT_ERROR_MAX])
{
    int fd = open(device, O_RDONLY | O_CLOEXEC);
    off_t room = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    int problem = errno;
    if (fd >= 0)
        close(fd);
    if (room < 0)
        return refuse(error, "the slot %.80s cannot be read: %s", device, strerror(problem));
    return size <= room || refuse(error, "the bundle's image has %jd bytes, its slot only %jd",
                                  (intmax_t)size, (intmax_t)room);
}

static bool are_files_right(DIR *folder, const struct content_target *target,
                            char error[static CONTENT_ERROR_MAX])
{
    int at = dirfd(folder);
    off_t size = 0;
    for (size_t i = 0; i < ALWAYS; i++)
        if (!is_regular(at, always[i], always[i], &size, error))
            return false;
    return is_regular(at, target->image, "image", &size, error) &&
           has_room(target->device, size, error) && holds_nothing_else(folder, target, error);
}

bool content_is_right(const char *folder, const struct content_target *target,
                      char error[static CONTENT_ERROR_MAX])
{
    if (strchr(target->image, '/'))
        return refuse(error, "the bundle's image is said to lie elsewhere");
    DIR *opened = opendir(folder);
    if (!opened)
        return refuse(error, "the bundle cannot be read: %s", strerror(errno));
    bool right = are_files_right(opened, target, error);
    closedir(opened);
    return right;
}
