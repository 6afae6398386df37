/* network_trial.h - a changed network is on trial: the settings of before are kept until it has proved itself.
 *
 * They lie in the state folder meanwhile, so that a power cut does not make the change hold: at start the trial begins
 * anew.  The file is written before the changed settings are, by those who save them (settings_write_first()).
 */
#ifndef NETWORK_TRIAL_H
#define NETWORK_TRIAL_H

#include "config.h"
#include "worker.h"

#define NETWORK_TRIAL_FILE "network.before"

struct network_trial {
    /* On the loop: nobody came in time. `before` is to hold again; then network_trial_end(). */
    void (*expired)(struct network_trial *t);
    /* On the loop: the file is being written or removed, and what others write there meanwhile could be lost.  Told
     * when that begins, maybe more than once, and when it is done. */
    void (*busy)(struct network_trial *t, bool on);
    struct loop *loop;
    const char *state_dir;      /* "": nothing is kept */
    const struct config *usual; /* the defaults, for what is not set */
    struct config before;       /* while it runs */
    bool running;               /* read-only */
    /* private */
    struct loop_timer timer;
    struct worker_job job;
    char *text,
        *writing; /* what the file shall say, and what it is made to say; NULL: nothing, it goes */
    bool again;
};

/* Takes up the trial that was running when the box went down.  The fields above were filled in.
 * False: there is too little memory to read it, and its file stays. */
bool network_trial_open(struct network_trial *t, int64_t limit_ms);

/* Begins, or begins anew: `before` is what is known to work, so it stays the one of the first change.  The file
 * is there; it is written once more, as an earlier trial may have ended since and removed it. */
void network_trial_begin(struct network_trial *t, const struct config *before, int64_t limit_ms);

/* It is over: the change holds, or was taken back, or was never saved.  The file goes. */
void network_trial_end(struct network_trial *t);

/* Milliseconds left; -1: it does not run. */
int64_t network_trial_left_ms(const struct network_trial *t);

/* Waits for the disk.  What runs is taken up at the next start. */
void network_trial_close(struct network_trial *t);

#endif
