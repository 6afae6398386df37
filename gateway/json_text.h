/* json_text.h - JSON whole, or not at all: where memory runs out, jansson leaves out a member here and there. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <jansson.h>

/* json_dumps().  NULL: `json` is NULL, or out of memory. */
char *json_text(const json_t *json, size_t flags);

/* What was built since errno was set to 0, from nothing that sets it but the library.  NULL: `json` is NULL, or it may
 * lack something, out of memory; it is released then. */
json_t *json_whole(json_t *json);

#endif
