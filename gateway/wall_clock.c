#include "wall_clock.h"

#include "core/reading.h"

#include <time.h>
#include <unistd.h>

int64_t wall_clock_s(void)
{
    int64_t now_s = (int64_t)time(NULL);
    return wall_clock_is_set(now_s) ? now_s : READING_NO_TIME;
}

int64_t wall_clock_build_s(void)
{
    return BUILD_DATE_S;
}

bool wall_clock_is_set(int64_t utc_s)
{
    return utc_s >= wall_clock_build_s();
}

/* systemd-timesyncd(8) keeps this file for other programs; adjtimex(2) is out of reach behind ProtectClock=. */
bool wall_clock_is_synchronised(void)
{
    return access("/run/systemd/timesync/synchronized", F_OK) == 0;
}
