/* broken_disk_kit_test.h - errors of the disk below SQLite, for the tests of what keeps readings. */
#ifndef BROKEN_DISK_KIT_TEST_H
#define BROKEN_DISK_KIT_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <unistd.h>

static struct {
    int reads;       /* so many to come fail with EIO */
    int write_error; /* of all writes; 0: they succeed */
} broken_disk;

/* What SQLite asks in place of the system's. */
static ssize_t pread_or_fail(int fd, void *to, size_t n, off_t at)
{
    if (broken_disk.reads == 0)
        return pread(fd, to, n, at);
    broken_disk.reads--;
    errno = EIO;
    return -1;
}

/* The same for writing. */
static ssize_t pwrite_or_fail(int fd, const void *from, size_t n, off_t at)
{
    if (broken_disk.write_error == 0)
        return pwrite(fd, from, n, at);
    errno = broken_disk.write_error;
    return -1;
}

/* From now on SQLite asks these two.  It knows one of the names, by how it was built. */
static void break_disk(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr reads = (sqlite3_syscall_ptr)pread_or_fail,
                        writes = (sqlite3_syscall_ptr)pwrite_or_fail;
    bool knows = vfs->xGetSystemCall(vfs, "pread64") != NULL;
    assert_int_equal(vfs->xSetSystemCall(vfs, knows ? "pread64" : "pread", reads), SQLITE_OK);
    assert_int_equal(vfs->xSetSystemCall(vfs, knows ? "pwrite64" : "pwrite", writes), SQLITE_OK);
    broken_disk.reads = broken_disk.write_error = 0;
}

#endif
