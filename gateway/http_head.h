/* http_head.h - what the head of a request says, read strictly: what could be read in two ways is refused.
 *
 * libmicrohttpd 0.9.75 forgives much: lines that end with LF alone, folded fields, blanks before the colon, NULs,
 * repeated lengths.  But it parses in place: method, URI, version, names and values point into one block, and what
 * it overwrote is as long as what it expected.  So the pointers are walked along: any byte too many or too few
 * shows.  Pure, but for that; RFC 9110 and 9112.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEAD_MAX = 8 * 1024, HTTP_BODY_MAX = 64 * 1024 }; /* bytes of a request */

/* Fields of interest; the values stay the library's. */
enum http_field {
    FIELD_HOST,
    FIELD_AUTHORIZATION,
    FIELD_CONTENT_LENGTH,
    FIELD_CONTENT_TYPE,
    FIELD_TRANSFER_ENCODING,
    FIELD_ORIGIN,
    FIELD_FETCH_SITE,
    FIELD_IF_MATCH,
    FIELD_IF_NONE_MATCH,
    FIELD_ACCEPT_ENCODING,
    FIELD_EXPECT,
    FIELD_N
};

struct http_head {
    const char *value[FIELD_N]; /* NULL: not there */
    size_t length[FIELD_N];
    size_t body_length;  /* what Content-Length says; 0 without one */
    const char *problem; /* the first thing that is wrong; NULL: nothing yet */
    int status;          /* that goes with it */
    /* private: where the head begins, and where its next line should */
    const char *begin, *at, *uri;
    size_t uri_length;
};

/* Begins with the request line: first the URI, as it was sent (the library overwrites parts of it soon after), then
 * the rest.  All bytes stay the library's and must live as long as *h. */
void http_head_uri(struct http_head *h, const char *uri);
void http_head_begin(struct http_head *h, const char *method, const char *version);

/* Takes the next field, in the order they were sent. */
void http_head_add(struct http_head *h, const char *name, size_t name_length, const char *value,
                   size_t value_length);

/* Ends the head, which takes `size` bytes in all, and judges it; its body may have body_max bytes.  0: good; else the
 * status to refuse with, and h->problem says why. */
int http_head_end(struct http_head *h, size_t size, size_t body_max);

/* Splits "HOST[:PORT]" or "[IPV6]:PORT": writes the host in lower case, without brackets and a final dot.
 * False: it is none of these. */
bool http_head_host(const char *value, char *host, size_t capacity);

/* May a request that changes something be believed to come from our own page or from a script: no foreign
 * Origin, no foreign Sec-Fetch-Site. */
bool http_head_same_origin(const struct http_head *h);

/* True for application/octet-stream: an uploaded file. */
bool http_head_is_file(const struct http_head *h);

/* True for application/json, with or without a charset of UTF-8, and application/merge-patch+json. */
bool http_head_is_json(const struct http_head *h);

/* True if an ETag (in quotes) stands in a list of them, or the list is "*".  weak: W/"x" is as good as "x", as for
 * If-None-Match; If-Match compares strongly (RFC 9110 8.8.3.2). */
bool http_head_etag_matches(const char *list, const char *etag, bool weak);

#endif
