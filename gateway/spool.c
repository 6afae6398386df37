#include "spool.h"

#include "atomic_file.h"
#include "core/reading.h"
#include "heap.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>

#define LOG_FILE SPOOL_FILE "-wal"
#define INDEX_FILE SPOOL_FILE "-shm"       /* of another program that looked into it */
#define JOURNAL_FILE SPOOL_FILE "-journal" /* of a beginning that a power cut ended */
#define DAMAGED_FILE SPOOL_FILE ".damaged" /* between spool_close() and the next spool_open() */
#define BAD_FILE SPOOL_FILE ".bad"
#define ID_MAX (INT64_MAX / 2) /* more is damage: there would be no end of ids to come */

enum {
    APPLICATION = 0x53435350, /* "SCSP", for file(1) and against a stranger's file */
    FORMAT = 1,               /* grows with SCHEMA and with what is in a row */
    BUSY_MS = 200,
    UNREAD_MAX = 10,      /* errors of the disk: tried each half a minute, five minutes of them */
    VALUE_MAX = 1 << 20,  /* bytes of any value that SQLite may handle */
    SMALL_FILE = 1 << 18, /* so much is kept when the spool is empty: the next append needs it */
    WINDOW_BITS =
        12, /* deflate looks back 4 KiB: a message is like the one before it, hundreds of bytes ago */
    MEMORY_LEVEL = 5,
    PATH_LENGTH = ATOMIC_FILE_PATH_MAX + ATOMIC_FILE_NAME_MAX,
    URI_MAX = 3 * PATH_LENGTH + 32,
    PACKED_MAX = SPOOL_BYTES_MAX + SPOOL_BYTES_MAX / 8 + 64 /* of what does not get smaller */
};

/* A row is one batch.  `sum` is over all the others, so that no damaged byte gets out.  `removed` remembers the newest
 * id when its row goes: an id never comes again.  AUTOINCREMENT would note it at every append: 40 % more to write. */
#define SCHEMA \
    "CREATE TABLE batch(id INTEGER PRIMARY KEY, kept_s INTEGER, count INTEGER, length INTEGER, " \
    "sum INTEGER, packed BLOB);" \
    "CREATE TABLE removed(one INTEGER PRIMARY KEY, through INTEGER)"

/* Of a row.  A damaged count may be any number, or none at all. */
#define READINGS "max(0, min(CAST(count AS INTEGER), 16))"
_Static_assert(SPOOL_TEXTS_MAX == 16, "READINGS knows it");

/* Exclusive: a second process is refused, and the log's index is in memory instead of a file of its own. */
static const char before_reading[] =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
    "PRAGMA temp_store=MEMORY; PRAGMA page_size=4096; PRAGMA cache_size=-64;"
    "PRAGMA secure_delete=OFF";

/* The log goes into the file when it has 64 pages, 256 KiB. */
static const char before_writing[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "PRAGMA wal_autocheckpoint=64; PRAGMA journal_size_limit=524288";

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    NEWEST,
    SIZE,
    COUNT,
    APPEND,
    READ,
    REMOVE,
    NOTE_REMOVED,
    STATEMENTS
};

static const char *const statement_texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [NEWEST] = "SELECT max((SELECT coalesce(max(id), 0) FROM batch),"
               " (SELECT coalesce(max(through), 0) FROM removed))",
    [SIZE] = "SELECT (page_count - freelist_count) * page_size"
             " FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    [COUNT] = "SELECT coalesce(sum(" READINGS "), 0) FROM batch WHERE id BETWEEN ? AND ?",
    [APPEND] = "INSERT INTO batch VALUES(?, ?, ?, ?, ?, ?)",
    [READ] = "SELECT * FROM batch WHERE id > ? ORDER BY id LIMIT 1",
    [REMOVE] = "DELETE FROM batch WHERE id BETWEEN ? AND ?",
    [NOTE_REMOVED] = "REPLACE INTO removed VALUES(1, ?)",
};

enum column { ID, KEPT_S, TEXTS, LENGTH, SUM, PACKED };

struct spool {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
    char folder[ATOMIC_FILE_PATH_MAX];
    struct spool_limits limits;
    struct spool_counts counts;
    int64_t newest; /* id of the last batch there ever was */
    int64_t untimed; /* up to this id no batch has a time that counts, so that none needs to be looked at again */
    int code; /* SQLite's, of what failed; 0: system_error alone says it */
    int system_error;
    int unread; /* so often the disk failed to read what is there */
    bool damaged;
    z_stream packer, unpacker;
    unsigned char packed[PACKED_MAX];
};

/* --- errors ----------------------------------------------------------------------------------- */

/* SQLite calls damage also what a statement could not read this time; errno is the statement's (see prepared()).  It is
 * damage once that has been so often. */
static bool failed(struct spool *s, int code)
{
    bool spoilt = (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB;
    bool unread = spoilt && errno == EIO && ++s->unread <= UNREAD_MAX;
    s->code = unread ? SQLITE_IOERR : code & 0xFF;
    s->system_error = unread ? EIO : s->db ? sqlite3_system_errno(s->db) : 0;
    s->damaged |= spoilt && !unread;
    return false;
}

static bool failed_with_errno(struct spool *s)
{
    s->code = 0;
    s->system_error = errno;
    return false;
}

static bool found_damage(struct spool *s)
{
    errno = 0;
    return failed(s, SQLITE_CORRUPT);
}

static const char *reason(const struct spool *s)
{
    static const struct {
        int code;
        const char *text;
    } reasons[] = {
        {SQLITE_BUSY, "another process uses it; end that, or give this one another folder"},
        {SQLITE_FULL, "the disk is full; make room"},
        {SQLITE_CORRUPT, "it is damaged"},
        {SQLITE_NOTADB, "it is damaged"},
        {SQLITE_NOMEM, "out of memory"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].code == s->code)
            return reasons[i].text;
    bool by_system = s->code == 0 || s->code == SQLITE_IOERR || s->code == SQLITE_CANTOPEN;
    return by_system && s->system_error ? strerror(s->system_error) : sqlite3_errstr(s->code);
}

static bool complain(const struct spool *s, const char *what, char error[static SPOOL_ERROR_MAX])
{
    snprintf(error, SPOOL_ERROR_MAX, "%.80s/%s: %s: %.80s", s->folder, SPOOL_FILE, what, reason(s));
    return false;
}

/* --- statements ------------------------------------------------------------------------------- */

static bool execute(struct spool *s, const char *texts)
{
    errno = 0;
    int code = sqlite3_exec(s->db, texts, NULL, NULL, NULL);
    return code == SQLITE_OK || failed(s, code);
}

/* With the numbers for the first two of its parameters; what it does not have is not bound. */
static sqlite3_stmt *prepared(struct spool *s, enum statement which, int64_t first, int64_t second)
{
    sqlite3_stmt *statement = s->statement[which];
    sqlite3_bind_int64(statement, 1, first);
    sqlite3_bind_int64(statement, 2, second);
    errno = 0;
    return statement;
}

/* Its row is not needed any more; errno stays as the step left it. */
static void rest(sqlite3_stmt *statement)
{
    int error = errno;
    sqlite3_reset(statement);
    errno = error;
}

/* A statement without an answer, to its end. */
static bool finish(struct spool *s, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    rest(statement);
    return code == SQLITE_DONE || failed(s, code);
}

static bool run(struct spool *s, enum statement which, int64_t first, int64_t second)
{
    return finish(s, prepared(s, which, first, second));
}

/* A statement whose answer is one number. */
static bool ask(struct spool *s, enum statement which, int64_t first, int64_t second,
                int64_t *number)
{
    sqlite3_stmt *statement = prepared(s, which, first, second);
    int code = sqlite3_step(statement);
    *number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    rest(statement);
    return code == SQLITE_ROW || failed(s, code);
}

/* Ends what BEGIN began; true if it is on the disk. */
static bool end(struct spool *s, bool good)
{
    if (good && run(s, COMMIT, 0, 0))
        return true;
    if (!sqlite3_get_autocommit(s->db)) { /* a full disk has rolled it back already */
        sqlite3_step(s->statement[ROLLBACK]);
        sqlite3_reset(s->statement[ROLLBACK]);
    }
    return false;
}

/* --- a batch in its row ----------------------------------------------------------------------- */

static bool is_whole(const struct spool_batch *batch)
{
    size_t ends = 0;
    if (batch->length == 0 || batch->length > SPOOL_BYTES_MAX || batch->count > SPOOL_TEXTS_MAX)
        return false;
    for (size_t i = 0; i < batch->length; i++)
        ends += batch->texts[i] == 0;
    return ends == batch->count && batch->texts[batch->length - 1] == 0;
}

static uLong add_number(uLong sum, int64_t number)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)number >> 8 * i);
    return crc32(sum, bytes, sizeof bytes);
}

static int64_t sum_of(const struct spool_batch *batch, int64_t kept_s)
{
    uLong sum = add_number(0, batch->id);
    sum = add_number(sum, kept_s);
    sum = add_number(sum, (int64_t)batch->count);
    return (int64_t)crc32(sum, (const Bytef *)batch->texts, (uInt)batch->length);
}

/* 0: it could not be compressed. */
static int pack(struct spool *s, const struct spool_batch *batch)
{
    z_stream *z = &s->packer;
    deflateReset(z);
    z->next_in = (const Bytef *)batch->texts;
    z->avail_in = (uInt)batch->length;
    z->next_out = s->packed;
    z->avail_out = sizeof s->packed;
    return deflate(z, Z_FINISH) == Z_STREAM_END ? (int)z->total_out : 0;
}

static bool unpack(struct spool *s, sqlite3_stmt *row, struct spool_batch *batch)
{
    z_stream *z = &s->unpacker;
    inflateReset(z);
    z->next_in = sqlite3_column_blob(row, PACKED);
    z->avail_in = (uInt)sqlite3_column_bytes(row, PACKED);
    z->next_out = (Bytef *)batch->texts;
    z->avail_out = sizeof batch->texts;
    return z->next_in && inflate(z, Z_FINISH) == Z_STREAM_END && z->total_out == batch->length;
}

/* False: not one byte of it can be trusted. */
static bool read_row(struct spool *s, sqlite3_stmt *row, struct spool_batch *batch)
{
    batch->id = sqlite3_column_int64(row, ID);
    batch->count = (size_t)sqlite3_column_int64(row, TEXTS);
    batch->length = (size_t)sqlite3_column_int64(row, LENGTH);
    return unpack(s, row, batch) && is_whole(batch) &&
           sum_of(batch, sqlite3_column_int64(row, KEPT_S)) == sqlite3_column_int64(row, SUM);
}

enum found { WHOLE, SPOILT, UNREADABLE };

/* The first batch above `after`, 0 or more.  WHOLE with id 0: there is none.  SPOILT: its id is all that there is. */
static enum found read_after(struct spool *s, int64_t after, struct spool_batch *batch)
{
    sqlite3_stmt *row = prepared(s, READ, after > 0 ? after : 0, 0);
    int code = sqlite3_step(row);
    bool whole = code == SQLITE_DONE;
    if (code == SQLITE_ROW) {
        errno = 0;
        whole = read_row(s, row, batch);
        if (!whole && heap_is_short())
            code = SQLITE_NOMEM;
    }
    rest(row);
    if (code == SQLITE_DONE)
        batch->id = 0;
    else if (code != SQLITE_ROW)
        failed(s, code);
    return whole ? WHOLE : code == SQLITE_ROW ? SPOILT : UNREADABLE;
}

static bool insert(struct spool *s, const struct spool_batch *batch, int64_t kept_s)
{
    int n = pack(s, batch);
    if (!n)
        return failed(s, SQLITE_NOMEM);
    sqlite3_stmt *row = prepared(s, APPEND, batch->id, kept_s);
    if (kept_s == READING_NO_TIME)
        sqlite3_bind_null(row, KEPT_S + 1);
    sqlite3_bind_int64(row, TEXTS + 1, (int64_t)batch->count);
    sqlite3_bind_int64(row, LENGTH + 1, (int64_t)batch->length);
    sqlite3_bind_int64(row, SUM + 1, sum_of(batch, kept_s));
    sqlite3_bind_blob(row, PACKED + 1, s->packed, n, SQLITE_STATIC);
    return finish(s, row);
}

/* --- removing --------------------------------------------------------------------------------- */

/* Inside a transaction; adds to `readings` what went. */
static bool remove_range(struct spool *s, int64_t from, int64_t to, uint64_t *readings)
{
    int64_t count;
    if (!ask(s, COUNT, from, to, &count) || !run(s, REMOVE, from, to))
        return false;
    *readings += (uint64_t)count;
    return to < s->newest || run(s, NOTE_REMOVED, s->newest, 0);
}

/* In a transaction of its own. */
static bool remove_now(struct spool *s, int64_t from, int64_t to, uint64_t *readings)
{
    if (!run(s, BEGIN, 0, 0) || !end(s, remove_range(s, from, to, readings)))
        return false;
    s->counts.readings -= *readings;
    return true;
}

/* Finds the first batch above `after`, 0 or more; its id is 0 when there is none. */
static bool find(struct spool *s, int64_t after, int64_t *id, int64_t *kept_s)
{
    sqlite3_stmt *row = prepared(s, READ, after, 0);
    int code = sqlite3_step(row);
    *id = code == SQLITE_ROW ? sqlite3_column_int64(row, ID) : 0;
    *kept_s = code == SQLITE_ROW ? sqlite3_column_int64(row, KEPT_S) : READING_NO_TIME;
    rest(row);
    return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, code);
}

/* What goes for a bound. */
struct going {
    struct spool_safe safe;
    uint64_t readings, lost;
};

/* Inside a transaction: batch `to` goes, the oldest from `from` on. */
static bool drop(struct spool *s, int64_t from, int64_t to, struct going *g)
{
    uint64_t readings = 0;
    if (!remove_range(s, from, to, &readings))
        return false;
    g->readings += readings;
    if (to <= g->safe.sent_id)
        g->safe.sent_gone += readings;
    else if (to == g->safe.held_id)
        g->safe.held_gone += readings;
    else
        g->lost += readings;
    return true;
}

/* From the oldest on, to the first that has a time and is young enough.  Those that are in the future may not be so
 * for ever, and are passed by. */
static bool drop_aged(struct spool *s, int64_t now_s, struct going *g)
{
    int64_t id, kept_s, too_old_s = now_s - s->limits.max_age_s;
    if (now_s == READING_NO_TIME || s->limits.max_age_s <= 0)
        return true;
    for (int64_t after = s->untimed; find(s, after, &id, &kept_s); after = id) {
        if (id == 0 || (kept_s != READING_NO_TIME && kept_s >= too_old_s && kept_s <= now_s))
            return true;
        if (kept_s == READING_NO_TIME && after == s->untimed)
            s->untimed = id;
        else if (kept_s != READING_NO_TIME && kept_s < too_old_s && !drop(s, id, id, g))
            return false;
    }
    return false;
}

/* The newest stays, however little room there is. */
static bool drop_oversize(struct spool *s, struct going *g)
{
    int64_t id, unused, bytes;
    while (ask(s, SIZE, 0, 0, &bytes)) {
        if (bytes <= s->limits.max_bytes)
            return true;
        if (!find(s, 0, &id, &unused))
            return false;
        if (id == 0 || id == s->newest)
            return true;
        if (!drop(s, INT64_MIN, id, g))
            return false;
    }
    return false;
}

static int64_t size_of(const struct spool *s, const char *name)
{
    char path[PATH_LENGTH];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static int64_t size_on_disk(const struct spool *s)
{
    return size_of(s, SPOOL_FILE) + size_of(s, LOG_FILE);
}

/* Gives the disk back what an empty spool need not have.  If that fails, the next time may do. */
static void shrink(struct spool *s)
{
    if (size_on_disk(s) > SMALL_FILE)
        sqlite3_exec(s->db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* An empty file is an empty database; SQLite would give it the rights of the umask.  The log of an earlier one is no
 * business of it. */
static bool make_file(struct spool *s)
{
    static const char *const rests[] = {LOG_FILE, INDEX_FILE, JOURNAL_FILE};
    for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++)
        if (!atomic_file_remove(s->folder, rests[i]))
            return failed_with_errno(s);
    return atomic_file_write(s->folder, SPOOL_FILE, "", 0) || failed_with_errno(s);
}

static bool check_place(struct spool *s, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? make_file(s) : failed_with_errno(s);
    errno = S_ISDIR(st.st_mode) ? EISDIR : ELOOP;
    if (!S_ISREG(st.st_mode) || access(path, R_OK | W_OK) < 0)
        return failed_with_errno(s);
    return true;
}

/* psow=0: a power cut may spoil all of the sector that is being written.  So the log begins a new one after each
 * commit, and a page of the file is one.  That is 4 % more to write. */
static void make_uri(const char *path, char uri[static URI_MAX])
{
    int n = snprintf(uri, URI_MAX, "file:%s", *path == '/' ? "//" : "");
    for (; *path; path++)
        n += snprintf(uri + n, (size_t)(URI_MAX - n), strchr("%?#", *path) ? "%%%02x" : "%c",
                      (unsigned char)*path);
    snprintf(uri + n, (size_t)(URI_MAX - n), "?psow=0");
}

static bool connect_to(struct spool *s, const char *path)
{
    char uri[URI_MAX];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
    make_uri(path, uri);
    int code = sqlite3_open_v2(uri, &s->db, flags, NULL);
    if (code != SQLITE_OK)
        return failed(s, code);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    return execute(s, before_reading);
}

/* True if it is one of ours, or nothing yet: *is_new. */
static bool is_ours(sqlite3_stmt *row, bool *is_new)
{
    int application = sqlite3_column_int(row, 0), format = sqlite3_column_int(row, 1);
    const char *schema = (const char *)sqlite3_column_text(row, 2);
    *is_new = application == 0 && format == 0 && schema && !*schema;
    return *is_new || (application == APPLICATION && format == FORMAT && schema &&
                       strcmp(schema, SCHEMA) == 0);
}

/* What SQLite would not write to although we may is of a form it does not know. */
static bool identify(struct spool *s, bool *is_new)
{
    sqlite3_stmt *row = NULL;
    errno = 0;
    int code =
        sqlite3_prepare_v2(s->db,
                           "SELECT application_id, user_version, "
                           "(SELECT coalesce(group_concat(sql, ';'), '') FROM sqlite_schema) "
                           "FROM pragma_application_id, pragma_user_version",
                           -1, &row, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(row);
    bool known = code == SQLITE_ROW && is_ours(row, is_new);
    sqlite3_finalize(row);
    if (!known && heap_is_short())
        return failed(s, SQLITE_NOMEM);
    if ((code == SQLITE_ROW && !known) || sqlite3_db_readonly(s->db, "main"))
        return found_damage(s);
    return known || failed(s, code);
}

/* Every page, its place and its form; what is in the rows has their sums.  100 ms for 64 MiB in memory.  A code of
 * SQLite. */
static int look_at_pages(struct spool *s, bool *good)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &row, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(row);
    const char *found = code == SQLITE_ROW ? (const char *)sqlite3_column_text(row, 0) : NULL;
    *good = found && strcmp(found, "ok") == 0;
    sqlite3_finalize(row);
    return code;
}

/* SQLite calls damage also what it could not read this time, so it looks twice. */
static bool check_pages(struct spool *s)
{
    bool good = false;
    int code = SQLITE_ROW;
    errno = 0;
    for (int looks = 0; looks < 2 && code == SQLITE_ROW && !good; looks++)
        code = look_at_pages(s, &good);
    if (good)
        return true;
    if (heap_is_short())
        return failed(s, SQLITE_NOMEM);
    return code == SQLITE_ROW ? found_damage(s) : failed(s, code);
}

/* With the marks that make it ours, in one transaction: a power cut before leaves nothing. */
static bool make_tables(struct spool *s)
{
    char texts[sizeof SCHEMA + 128];
    snprintf(texts, sizeof texts,
             "BEGIN; %s; PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", SCHEMA,
             APPLICATION, FORMAT);
    return execute(s, texts);
}

static bool prepare_statements(struct spool *s)
{
    for (int i = 0; i < STATEMENTS; i++) {
        int code = sqlite3_prepare_v3(s->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &s->statement[i], NULL);
        if (code != SQLITE_OK)
            return failed(s, code);
    }
    return true;
}

static bool learn_what_waits(struct spool *s)
{
    int64_t readings;
    if (!ask(s, NEWEST, 0, 0, &s->newest) || !ask(s, COUNT, INT64_MIN, INT64_MAX, &readings))
        return false;
    s->counts.readings = (uint64_t)readings;
    return (s->newest >= 0 && s->newest <= ID_MAX) || found_damage(s);
}

static bool connect_database(struct spool *s)
{
    char path[PATH_LENGTH];
    bool is_new = false;
    snprintf(path, sizeof path, "%s/%s", s->folder, SPOOL_FILE);
    return check_place(s, path) && connect_to(s, path) && identify(s, &is_new) &&
           (is_new || check_pages(s)) && execute(s, before_writing) &&
           (!is_new || make_tables(s)) && prepare_statements(s) && learn_what_waits(s);
}

static void disconnect(struct spool *s)
{
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(s->statement[i]);
        s->statement[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

/* What was there may be looked into later, by hand; it is in nobody's way. */
static bool begin_anew(struct spool *s, const char *damaged, bool *set_aside)
{
    if (!atomic_file_set_aside(s->folder, damaged, BAD_FILE))
        return failed_with_errno(s);
    *set_aside = true;
    s->damaged = false;
    return true;
}

static bool open_database(struct spool *s, bool *set_aside)
{
    if (!begin_anew(s, DAMAGED_FILE, set_aside) && errno != ENOENT)
        return false;
    if (connect_database(s))
        return true;
    s->damaged |=
        s->code ==
        SQLITE_ERROR; /* not of the statements' making: of a file that none of them fits */
    disconnect(s);
    return s->damaged && begin_anew(s, SPOOL_FILE, set_aside) && connect_database(s);
}

static bool start_zlib(struct spool *s)
{
    int level = Z_DEFAULT_COMPRESSION;
    return deflateInit2(&s->packer, level, Z_DEFLATED, -WINDOW_BITS, MEMORY_LEVEL,
                        Z_DEFAULT_STRATEGY) == Z_OK &&
           inflateInit2(&s->unpacker, -WINDOW_BITS) == Z_OK;
}

static void destroy(struct spool *s)
{
    disconnect(s);
    deflateEnd(&s->packer);
    inflateEnd(&s->unpacker);
    free(s);
}

/* --- the header's ----------------------------------------------------------------------------- */

struct spool *spool_open(const char *folder, const struct spool_limits *limits, bool *set_aside,
                         char error[static SPOOL_ERROR_MAX])
{
    struct spool *s = heap_new(sizeof *s);
    *set_aside = false;
    if (!s) {
        snprintf(error, SPOOL_ERROR_MAX, "%.80s/%s: out of memory", folder, SPOOL_FILE);
        return NULL;
    }
    s->limits = *limits;
    int length = snprintf(s->folder, sizeof s->folder, "%s", folder);
    errno = ENAMETOOLONG;
    bool good = length < (int)sizeof s->folder || failed_with_errno(s);
    if (good && (start_zlib(s) || failed(s, SQLITE_NOMEM)) && open_database(s, set_aside))
        return s;
    complain(s, "readings cannot be kept", error);
    destroy(s);
    return NULL;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    disconnect(s);
    if (s->damaged) /* a check may pass what a statement stumbled over */
        atomic_file_set_aside(s->folder, SPOOL_FILE, DAMAGED_FILE);
    destroy(s);
}

void spool_set_limits(struct spool *s, const struct spool_limits *limits)
{
    s->limits = *limits;
}

void spool_forget_times(struct spool *s)
{
    s->untimed = s->newest;
}

/* Returns false as if nothing had been tried. */
static bool append(struct spool *s, const struct spool_batch *batch, int64_t now_s,
                   struct spool_safe *safe)
{
    struct going going = {.safe = safe ? *safe : (struct spool_safe){0}};
    int64_t newest = s->newest, untimed = s->untimed;
    if (!run(s, BEGIN, 0, 0))
        return false;
    s->newest = batch->id;
    if (end(s, insert(s, batch, now_s) && drop_aged(s, now_s, &going) && drop_oversize(s, &going))) {
        s->counts.dropped += going.lost;
        s->counts.readings += batch->count - going.readings;
        if (safe)
            *safe = going.safe;
        return true;
    }
    s->newest = newest;
    s->untimed = untimed;
    return false;
}

bool spool_append(struct spool *s, struct spool_batch *batch, int64_t now_s,
                  struct spool_safe *safe, char error[static SPOOL_ERROR_MAX])
{
    if (!is_whole(batch)) {
        snprintf(error, SPOOL_ERROR_MAX, "a batch of %zu readings in %zu bytes is not one",
                 batch->count, batch->length);
        return false;
    }
    int64_t before = batch->id;
    batch->id = s->newest + 1;
    if (append(s, batch, now_s, safe))
        return true;
    batch->id = before;
    return complain(s, "readings could not be kept", error);
}

bool spool_read(struct spool *s, int64_t after, struct spool_batch *batch,
                char error[static SPOOL_ERROR_MAX])
{
    enum found found;
    while ((found = read_after(s, after, batch)) == SPOILT) {
        uint64_t dropped = 0;
        if (!remove_now(s, batch->id, batch->id, &dropped))
            break;
        s->counts.dropped += dropped;
        after = batch->id;
    }
    return found == WHOLE || complain(s, "readings could not be read", error);
}

bool spool_remove_through(struct spool *s, int64_t id, char error[static SPOOL_ERROR_MAX])
{
    uint64_t removed = 0;
    if (!remove_now(s, INT64_MIN, id < s->newest ? id : s->newest, &removed))
        return complain(s, "readings could not be removed", error);
    if (s->counts.readings == 0)
        shrink(s);
    return true;
}

struct spool_counts spool_get_counts(const struct spool *s)
{
    struct spool_counts counts = s->counts;
    counts.bytes = size_on_disk(s);
    return counts;
}

bool spool_is_damaged(const struct spool *s)
{
    return s->damaged;
}

bool spool_delete(const char *folder)
{
    static const char *const names[] = {SPOOL_FILE,   LOG_FILE,     INDEX_FILE,
                                        JOURNAL_FILE, DAMAGED_FILE, BAD_FILE};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!atomic_file_remove(folder, names[i]))
            return false;
    return true;
}
