/* p1_lines_fuzz.c - any bytes in any chunks (p1_run.h): the small build's stream must say the same as for the bytes at
 * once, and nothing that its telegram does not contain.
 */
#include "p1_model.h"
#include "p1_run.h"

static void demand_contained(const struct run *r)
{
    static struct model_telegram t;
    const uint8_t *telegram = model_find(r->fed, r->at);
    size_t n = (size_t)(r->at - telegram);
    demand(r->at[-5] == '!');
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
