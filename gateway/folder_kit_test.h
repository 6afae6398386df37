/* folder_kit_test.h - a folder of the test's own: made, looked into, emptied. */
#ifndef FOLDER_KIT_TEST_H
#define FOLDER_KIT_TEST_H

#include "atomic_file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

/* Valid until the next call. */
static inline const char *path_of(const char *name)
{
    static char path[ATOMIC_FILE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Makes the folder: in memory for tests that wait for the disk thousands of times, where there is such a place. */
static inline bool make_folder_for(const char *test, bool in_memory)
{
    bool shm = in_memory && access("/dev/shm", W_OK) == 0;
    snprintf(folder, sizeof folder, "%s/%s.XXXXXX", shm ? "/dev/shm" : "/tmp", test);
    return mkdtemp(folder) != NULL;
}

/* Counts the files of an open folder, and with `empty` removes them and counts those that went.  Closes it. */
static inline int walk_folder(DIR *dir, bool empty)
{
    const struct dirent *entry;
    int n = 0;
    while (dir && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            n += !empty || remove(path_of(entry->d_name)) == 0;
    if (dir)
        closedir(dir);
    return n;
}

/* Removes what is in the folder, if it is there; returns how many files that were. */
static inline int empty_folder(void)
{
    return walk_folder(opendir(folder), true);
}

/* Of the folder, which must be there. */
static inline int count_files(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    return walk_folder(dir, false);
}

#endif
