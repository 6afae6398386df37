/* update_fetch.h - the gateway's end of a download: asks smart-connect-fetch, on the loop, to fill a file, and believes
 * it nothing that does not fit together.  What is said is in update_lines.h.
 *
 * A peer that talks nonsense, says nothing for UPDATE_SILENCE_S, or hangs up is an error; so is a file that is in the
 * end not as long as was said.
 */
#ifndef UPDATE_FETCH_H
#define UPDATE_FETCH_H

#include "loop.h"
#include "update_lines.h"

struct update_fetch {
    /* Set by the owner, called on the loop.  Each may stop this download; `done` may start another. */
    void (*progress)(struct update_fetch *f, int64_t bytes, int64_t size); /* size: -1 not known */
    /* Once; the download has stopped.  `reason`: NULL, or a line of printable ASCII for people. */
    void (*done)(struct update_fetch *f, bool ok, const char *reason);
    /* private */
    struct loop *loop;
    struct loop_fd watch;
    struct loop_timer silence;
    bool running;
    int file;
    int64_t max_bytes, size, got;
    size_t length;
    char line[UPDATE_ANSWER_MAX];
};

/* Begins to download `url` into `file`, a descriptor of an empty regular file that is open for writing; it stays the
 * caller's, and must stay open until the end.  The callbacks were set, and no download is under way.  Does not block.
 * False: `error` says why; `done` is not called then. */
bool update_fetch_start(struct update_fetch *f, struct loop *l, const char *socket_path, int file,
                        int64_t max_bytes, const char *url, char error[static UPDATE_REASON_MAX]);

/* Cancels what is under way, if anything is; `done` is not called.  May be called for a zeroed struct. */
void update_fetch_stop(struct update_fetch *f);

#endif
