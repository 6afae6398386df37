/* floor.c - smart-connect-floor, RAUC's pre-install handler: no system below the floor is installed, and none from a
 * bundle that holds anything unusual (content.h).
 *
 * Runs as root between the check of a bundle's signature and the first byte that is written.  The gateway looks at the
 * same floor earlier, to say no in time; this is the place where it cannot be avoided.
 */
#include "atomic_file.h"
#include "content.h"
#include "update_version.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "smart-connect-floor"
#define DEFAULT_RUNNING "/usr/lib/smart-connect/release"
#define DEFAULT_FLOOR "/var/lib/smart-connect-update/floor"
#define BUNDLE_FILE "release"

enum { MAY_INSTALL, MAY_NOT, WRONG_USAGE };
enum release_state { RELEASE_READ, RELEASE_MISSING, RELEASE_BROKEN };

/* A path in two, as atomic_file wants it. */
struct place {
    char folder[ATOMIC_FILE_PATH_MAX];
    const char *name;
};

struct floor_options {
    const char *running, *floor, *bundle;
    bool help;
};

/* RAUC 1.8 hands over an argument that is the bundle's to choose, so nothing is read from there. */
static bool is_called_by_rauc(const struct floor_options *o)
{
    return o->bundle != NULL;
}

/* A line that says why; MAY_NOT. */
__attribute__((format(printf, 1, 2))) static int refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs(PROGRAM ": ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return MAY_NOT;
}

/* What is too long for the folder is cut, and then not found. */
static struct place place_of(const char *path)
{
    struct place p;
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) + 1 : 0;
    snprintf(p.folder, sizeof p.folder, "%.*s", length ? length : 1, length ? path : ".");
    p.name = path + length;
    return p;
}

/* Whatever cannot be read is broken, but for what is not there. */
static enum release_state read_release(const char *folder, const char *name,
                                       struct update_version *release)
{
    size_t length;
    char *text = atomic_file_read(folder, name, UPDATE_RELEASE_MAX, &length);
    if (!text)
        return errno == ENOENT ? RELEASE_MISSING : RELEASE_BROKEN;
    bool ok = strlen(text) == length && update_version_read(text, release);
    free(text);
    return ok ? RELEASE_READ : RELEASE_BROKEN;
}

/* The floor from now on: that of before, or the running release, and durably. */
static bool raise_floor(const struct place *at, const struct update_version *running,
                        struct update_version *floor)
{
    char before[UPDATE_RELEASE_MAX] = "", now[UPDATE_RELEASE_MAX], line[UPDATE_RELEASE_MAX + 1];
    struct update_version stored;
    enum release_state state = read_release(at->folder, at->name, &stored);
    *floor = *running;
    if (state == RELEASE_BROKEN)
        fprintf(stderr,
                PROGRAM
                ": the floor in %s%s cannot be read: from now on it is the running release\n",
                at->folder, at->name);
    if (state == RELEASE_READ) {
        *floor = update_version_higher(&stored, running);
        update_version_text(&stored, before);
    }
    update_version_text(floor, now);
    if (strcmp(before, now) == 0)
        return true;
    int length = snprintf(line, sizeof line, "%s\n", now);
    return atomic_file_publish(at->folder, at->name, line, (size_t)length);
}

static int judge(const struct floor_options *o)
{
    struct place running_at = place_of(o->running), floor_at = place_of(o->floor);
    struct update_version running, floor, bundle;
    struct content_target target;
    char error[UPDATE_VERSION_ERROR_MAX], strange[CONTENT_ERROR_MAX];
    if (read_release(running_at.folder, running_at.name, &running) != RELEASE_READ)
        return refuse("the running release cannot be read from %s", o->running);
    if (!raise_floor(&floor_at, &running, &floor))
        return refuse("the floor cannot be kept in %s: %s", o->floor, strerror(errno));
    if (!content_find_target(&target, strange) || !content_is_right(o->bundle, &target, strange))
        return refuse("%s", strange);
    if (read_release(o->bundle, BUNDLE_FILE, &bundle) != RELEASE_READ)
        return refuse(
            "the bundle does not tell its release: there is none in its file '" BUNDLE_FILE "'");
    return update_version_allowed(&bundle, &floor, error) ? MAY_INSTALL : refuse("%s", error);
}

static void print_help(void)
{
    printf("usage: " PROGRAM " --bundle FOLDER [--running FILE] [--floor FILE]\n\n"
           "Says whether a bundle may be installed: neither its version nor its security counter\n"
           "may be below those of the floor, which is first raised to the running release; and it\n"
           "holds its manifest, its release and one image for one slot, as regular files.\n\n"
           "RAUC calls it (pre-install in its system.conf), and tells the folder by\n"
           "RAUC_UPDATE_SOURCE, in which case no options are read; image and slot always by\n"
           "RAUC_TARGET_SLOTS, RAUC_IMAGE_NAME_N and RAUC_SLOT_DEVICE_N.\n\n"
           "  --bundle FOLDER  the bundle's content, with a file '" BUNDLE_FILE "'\n"
           "  --running FILE   holds the release that runs [" DEFAULT_RUNNING "]\n"
           "  --floor FILE     holds the floor, for everybody to read [" DEFAULT_FLOOR "]\n\n"
           "Exit status: 0 it may be installed; 1 it may not, and a line on standard error says\n"
           "why; 2 wrong usage.\n");
}

/* WRONG_USAGE, or 0. */
static int read_options(int argc, char **argv, struct floor_options *o)
{
    static const struct option flags[] = {{"running", required_argument, NULL, 'r'},
                                          {"floor", required_argument, NULL, 'f'},
                                          {"bundle", required_argument, NULL, 'b'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int flag;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == '?')
            return WRONG_USAGE; /* getopt said why */
        o->help |= flag == 'h';
        if (flag != 'h')
            *(flag == 'r' ? &o->running : flag == 'f' ? &o->floor : &o->bundle) = optarg;
    }
    if (optind == argc && (o->help || o->bundle))
        return 0;
    if (optind < argc)
        refuse("'%s' means nothing here; see --help", argv[optind]);
    else
        refuse("which bundle? RAUC says so in RAUC_UPDATE_SOURCE; see --help");
    return WRONG_USAGE;
}

int main(int argc, char **argv)
{
    struct floor_options o = {DEFAULT_RUNNING, DEFAULT_FLOOR, getenv("RAUC_UPDATE_SOURCE"), false};
    int status = is_called_by_rauc(&o) ? 0 : read_options(argc, argv, &o);
    if (status)
        return status;
    if (o.help) {
        print_help();
        return 0;
    }
    return judge(&o);
}
