/* update_lines.h - what the gateway and smart-connect-fetch say to each other over a UNIX stream socket: lines that
 * end in LF, words with one blank between them, N a whole number of bytes without leading zeros.
 *
 *   gateway     get MAXBYTES URL\n    once; with it comes one descriptor (SCM_RIGHTS): an empty regular file, open for
 *                                     writing.  The downloader writes to nothing else, and not more than MAXBYTES
 *   downloader  size N\n              at most once: as soon as it is known what will come
 *               got N\n               so much was written; at most four a second, at least one in five seconds
 *               done N\n              the end: the file is whole and N bytes long
 *               failed REASON\n       the end: why not, in printable ASCII, for people; the file is worth nothing
 *
 * Who closes the socket, or half of it, before the end cancels.  Pure.
 */
#ifndef UPDATE_LINES_H
#define UPDATE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UPDATE_REQUEST_MAX = 2048, /* bytes of a request, with its LF */
    UPDATE_ANSWER_MAX = 256,   /* bytes of an answer, with its LF */
    UPDATE_REASON_MAX = 201,   /* with its NUL */
    UPDATE_SILENCE_S = 120     /* a downloader that says nothing for so long is given up */
};

struct update_request {
    int64_t max_bytes; /* 1 or more */
    const char *url;   /* within the line; by the rule of update_url.h */
};

enum update_word { UPDATE_SIZE, UPDATE_GOT, UPDATE_DONE, UPDATE_FAILED };

struct update_answer {
    enum update_word word;
    int64_t bytes;      /* of all but UPDATE_FAILED */
    const char *reason; /* of UPDATE_FAILED; within the line */
};

/* Reads a request or an answer of `length` bytes, without its LF; line[length] is NUL.  False: it is none; of a request
 * `error` says in a line of printable ASCII what is wrong. */
bool update_request_parse(const char *line, size_t length, struct update_request *request,
                          char error[static UPDATE_REASON_MAX]);
bool update_answer_parse(const char *line, size_t length, struct update_answer *answer);

#endif
