/* http_head_fuzz.c - any bytes as the head of a request, split as forgivingly as libmicrohttpd does: what http_head
 * takes must be, byte for byte, a head written plainly from what it saw, that says one length.  What the library has
 * overwritten it cannot see: another mixture of NUL, CR and LF at the end of a line, as long as the right one.
 */
#include "gateway/http_head.h"

#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 12 * 1024, FILE_MAX = 1 << 20 };

/* The head as it should have been sent. */
struct plain {
    char text[HEAD_MAX + 64];
    size_t length;
};

static void write_plain(struct plain *p, const char *bytes, size_t n)
{
    if (p->length + n <= sizeof p->text)
        memcpy(p->text + p->length, bytes, n);
    p->length += n;
}

/* The next line, its end overwritten: LF, or CR LF.  NULL: there is none. */
static char *next_line(char **at, const char *end)
{
    char *line = *at, *lf = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    if (!lf)
        return NULL;
    *at = lf + 1;
    *lf = 0;
    if (lf > line && lf[-1] == '\r')
        lf[-1] = 0;
    return line;
}

/* METHOD URI VERSION, each cut off with a NUL.  False: fewer than that. */
static bool split_request_line(char *line, char **uri, char **version)
{
    *uri = strchr(line, ' ');
    if (!*uri)
        return false;
    *(*uri)++ = 0;
    *uri += strspn(*uri, " ");
    *version = strrchr(*uri, ' ');
    if (!*version)
        return false;
    *(*version)++ = 0;
    return true;
}

static void take_field(struct http_head *h, char *line, struct plain *plain)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t blanks = (size_t)(value - colon - 1), length = strlen(value);
    *colon = 0;
    http_head_add(h, line, strlen(line), value, length);
    write_plain(plain, line, strlen(line));
    write_plain(plain, ":", 1);
    write_plain(plain, colon + 1, blanks);
    write_plain(plain, value, length);
    write_plain(plain, "\r\n", 2);
}

/* True: the head is taken; *size: its bytes, *body: those behind it. */
static bool judge(char *bytes, size_t n, struct plain *plain, size_t *size, size_t *body)
{
    static struct http_head head;
    char *at = bytes, *uri, *version, *line = next_line(&at, bytes + n);
    if (!line || !split_request_line(line, &uri, &version))
        return false;
    http_head_uri(&head, uri);
    http_head_begin(&head, line, version);
    plain->length =
        (size_t)snprintf(plain->text, sizeof plain->text, "%s %s %s\r\n", line, uri, version);
    while ((line = next_line(&at, bytes + n)) != NULL && line[0])
        take_field(&head, line, plain);
    write_plain(plain, "\r\n", 2);
    *size = (size_t)(at - bytes);
    const size_t body_max = *size % 2 ? HTTP_BODY_MAX : FILE_MAX;
    bool taken = line && http_head_end(&head, *size, body_max) == 0;
    *body = head.body_length;
    demand(!taken ||
           (head.body_length <= body_max && head.value[FIELD_HOST] && *size <= HTTP_HEAD_MAX));
    char host[64];
    if (taken && http_head_host(head.value[FIELD_HOST], host, sizeof host))
        demand(host[0] && !strpbrk(host, "[]ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    if (taken && head.value[FIELD_IF_MATCH])
        (void)http_head_etag_matches(head.value[FIELD_IF_MATCH], "\"abc-1\"", *size % 2);
    (void)http_head_same_origin(&head);
    bool is_json = http_head_is_json(&head), is_file = http_head_is_file(&head);
    demand(!is_json || !is_file);
    return taken;
}

/* A byte of a line's end, of which the library leaves NUL whatever it was. */
static bool is_end_of_line(char expected, uint8_t sent)
{
    return (expected == '\r' || expected == '\n') && (sent == 0 || sent == '\r' || sent == '\n');
}

static bool is_plain(const struct plain *p, const uint8_t *data, size_t size)
{
    if (p->length != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)p->text[i] != data[i] && !is_end_of_line(p->text[i], data[i]))
            return false;
    return true;
}

/* How many lines have this name, in any case; *value: behind the last one's colon and blanks. */
static int count_fields(const char *text, const char *name, const char **value)
{
    size_t length = strlen(name);
    int n = 0;
    while ((text = strstr(text, "\r\n")) != NULL) {
        text += 2;
        if (strncasecmp(text, name, length) != 0 || text[length] != ':')
            continue;
        *value = text + length + 1 + strspn(text + length + 1, " \t");
        n++;
    }
    return n;
}

/* The head that was taken cannot be read in another way: not its length, nor what may come once. */
static void demand_single(struct plain *p, size_t body)
{
    static const char *const once[] = {"Host",   "Authorization",  "Content-Type", "Content-Length",
                                       "Origin", "Sec-Fetch-Site", "If-Match",     "Expect"};
    const char *value = "0\r\n";
    demand(p->length < sizeof p->text && !memchr(p->text, 0, p->length));
    p->text[p->length] = 0;
    demand(count_fields(p->text, "Transfer-Encoding", &value) == 0);
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
        demand(count_fields(p->text, once[i], &value) <= 1);
    value = "0\r\n";
    (void)count_fields(p->text, "Content-Length", &value);
    size_t zeros = strspn(value, "0"), digits = strspn(value + zeros, "0123456789");
    demand(zeros + digits > 0 && digits < 19);
    demand(body == (digits ? strtoull(value + zeros, NULL, 10) : 0));
    value += zeros + digits;
    demand(value[strspn(value, " \t")] == '\r');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[HEAD_MAX + 1];
    static struct plain plain;
    size_t head_size = 0, body = 0;
    if (size > HEAD_MAX)
        return 0;
    memcpy(bytes, data, size);
    bytes[size] = 0;
    if (judge(bytes, size, &plain, &head_size, &body)) {
        demand(is_plain(&plain, data, head_size));
        demand_single(&plain, body);
    }
    return 0;
}
