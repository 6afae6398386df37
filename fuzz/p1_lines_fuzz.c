/* p1_lines_fuzz.c - any bytes in any chunks (p1_run.h): the small build's stream must say the same as for the bytes at
 * once, and nothing that its telegram does not contain.
 */
#include "p1_model.h"
#include "p1_run.h"

enum { TELEGRAM_MIN = 7, CRC_DIGITS = 4 };

/* The stream keeps no telegram.  It is what begins with the first '/' and three letters, behind what was said before,
 * but a '/' that begins a line begins anew. */
static const uint8_t *find_telegram(const uint8_t *p, const uint8_t *end)
{
    for (const uint8_t *line = end; --line > p;)
        if (line[0] == '/' && line[-1] == '\n') {
            p = line;
            break;
        }
    for (; end - p >= TELEGRAM_MIN; p++)
        if (p[0] == '/' && isalpha(p[1]) && isalpha(p[2]) && isalpha(p[3]))
            return p;
    abort();
}

static void demand_contained(const struct run *r)
{
    static struct model_telegram t;
    const uint8_t *telegram = find_telegram(r->fed, r->at);
    size_t n = (size_t)(r->at - telegram);
    demand(r->at[-CRC_DIGITS - 1] == '!');
    model_scan(&t, (const char *)telegram, n);
    demand_whole(&t, telegram, n);
    demand_quantities(&t, &r->reading);
    demand(r->reading.meter_time_s == READING_NO_TIME);
    demand(r->reading.peak_time_s == READING_NO_TIME ||
           reading_has(&r->reading, Q_DEMAND_MONTH_PEAK));
}

void note(struct run *r, enum p1_event event)
{
    if (event == P1_MORE)
        return;
    r->digest = digest(r->digest, &event, sizeof event);
    r->digest = digest(r->digest, &r->reading, sizeof r->reading);
    if (event == P1_TELEGRAM)
        demand_contained(r);
    r->fed = r->at - 1; /* a '/' ends what it cuts, and begins */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2)
        run_both(data, size - 2, data[size - 2] + 1u, data[size - 1]);
    return 0;
}
