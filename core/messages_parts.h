/* messages_parts.h - what the messages are put together from.  Part of messages*.c only. */
#ifndef MESSAGES_PARTS_H
#define MESSAGES_PARTS_H

#include "reading.h"
#include "text_out.h"

/* Appends "key": and the comma before it, unless it is the first of its object. */
void message_put_key(struct text_out *out, const char *key);

/* Appends a time; null for READING_NO_TIME. */
void message_put_time(struct text_out *out, int64_t utc_s);

/* Appends a value in its unit; null if unknown. */
void message_put_value(struct text_out *out, const struct reading *r, enum quantity q);

/* Makes unknown what power_instant says. */
void message_forget_instant(struct reading *r);

#endif
