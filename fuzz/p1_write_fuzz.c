/* p1_write_fuzz.c - whatever a reading says, a telegram made of it can be read again, and has no second begin or end.
 *
 * The input is the reading itself, and then the telegram that its texts lie in.
 */
#include "core/p1.h"
#include "core/p1_write.h"

#include "fuzz.h"

#include <string.h>

/* Takes out what no parser and no clock would make.  An identification begins as p1.c demands. */
static void tame(struct reading *r)
{
    r->text[TEXT_IDENTIFICATION].offset = 1;
    r->text[TEXT_IDENTIFICATION].length %= 200;
    if (r->text[TEXT_IDENTIFICATION].length < 4)
        r->text[TEXT_IDENTIFICATION].length = 0;
    r->standard = (uint8_t)(r->standard % 2 ? STANDARD_P1 : STANDARD_TIC);
    r->meter_time_s &= INT64_MAX >> 1;
    r->received_s &= INT64_MAX >> 1;
    for (int i = 0; i < READING_MBUS_N; i++) {
        r->mbus[i].unit %= MBUS_UNIT_WH + 1;
        r->mbus[i].uncorrected = false;
    }
    r->meter_time_degraded = r->export_unmeasured = false;
    for (int q = 0; q < Q_N; q++)
        r->value[q] = r->value[q] == INT64_MIN ? 0 : r->value[q];
}

static unsigned count(const char *text, char c)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading given, read;
    static struct p1_stream stream;
    static uint8_t buffer[P1_TELEGRAM_MAX];
    static char written[P1_WRITE_MAX], telegram[1 << 15] = "/FUZ5";
    enum p1_event event;
    size_t taken = size < sizeof given ? size : sizeof given, texts = size - taken;
    texts = texts < sizeof telegram - 5 ? texts : sizeof telegram - 5;
    reading_clear(&given);
    memcpy(&given, data, taken);
    tame(&given);
    memcpy(telegram + 5, data + taken, texts);
    size_t n = p1_write(&given, 3600, (const uint8_t *)telegram, texts + 5, written);
    demand(n < P1_WRITE_MAX - 1 && strlen(written) == n);
    demand(count(written, '/') == 1 && count(written, '!') == 1);
    memset(&stream, 0, sizeof stream);
    p1_init(&stream, &read, buffer, sizeof buffer);
    demand(p1_feed(&stream, (const uint8_t *)written, n, &event) <= n && event == P1_TELEGRAM);
    return 0;
}
