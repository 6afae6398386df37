#include "led.h"

enum { CHANGING_MS = 250, HALF_PERIOD_MS = 500 };

#define DARK \
    { \
        0, 0, 0 \
    }
#define RED \
    { \
        255, 0, 0 \
    }
#define ORANGE \
    { \
        255, 128, 0 \
    }
#define YELLOW \
    { \
        255, 255, 0 \
    }
#define GREEN \
    { \
        0, 255, 0 \
    }
#define CYAN \
    { \
        0, 255, 255 \
    }
#define BLUE \
    { \
        0, 0, 255 \
    }
#define MAGENTA \
    { \
        255, 0, 255 \
    }

/* clang-format off */
const struct led_pattern led_patterns[LED_STATES] = {
    [LED_BOOTING] = {"booting", "red", 1, {RED}, 0},
    [LED_INITIALISING] = {"initialising", "changing", 6, {RED, YELLOW, GREEN, CYAN, BLUE, MAGENTA}, CHANGING_MS},
    [LED_NORMAL] = {"normal", "green", 1, {GREEN}, 0},
    [LED_NO_METER_DATA] = {"no-meter-data", "red/green", 2, {RED, GREEN}, HALF_PERIOD_MS},
    [LED_NO_IP] = {"no-ip-address", "green/orange", 2, {GREEN, ORANGE}, HALF_PERIOD_MS},
    [LED_NO_DATA_NO_IP] = {"no-data-and-no-ip", "red/orange", 2, {RED, ORANGE}, HALF_PERIOD_MS},
    [LED_ACCESS_POINT] = {"access-point", "blue/off", 2, {BLUE, DARK}, HALF_PERIOD_MS},
    [LED_ACCESS_POINT_DARK] = {"access-point-no-data", "blue/red", 2, {BLUE, RED}, HALF_PERIOD_MS},
};
/* clang-format on */

enum led_state led_state_of(const struct led_facts *f)
{
    static const enum led_state by_data_and_address[2][2] = {
        {LED_NO_DATA_NO_IP, LED_NO_METER_DATA},
        {LED_NO_IP, LED_NORMAL},
    };
    if (f->booting)
        return LED_BOOTING;
    if (f->initialising)
        return LED_INITIALISING;
    if (f->access_point)
        return f->data ? LED_ACCESS_POINT : LED_ACCESS_POINT_DARK;
    return by_data_and_address[f->data][f->address];
}

struct led_color led_color_at(enum led_state state, int64_t since_ms)
{
    const struct led_pattern *p = &led_patterns[state];
    return p->step[p->step_ms ? since_ms / p->step_ms % p->steps : 0];
}

int64_t led_change_ms(enum led_state state, int64_t since_ms)
{
    const struct led_pattern *p = &led_patterns[state];
    return p->step_ms ? p->step_ms - since_ms % p->step_ms : -1;
}
