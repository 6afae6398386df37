#include "json_text.h"

#include <errno.h>
#include <stdlib.h>

/* jansson 2.14 does not look whether there was room for a member's name. */
char *json_text(const json_t *json, size_t flags)
{
    errno = 0;
    char *text = json ? json_dumps(json, flags) : NULL;
    if (errno != ENOMEM)
        return text;
    free(text);
    return NULL;
}

json_t *json_whole(json_t *json)
{
    if (errno != ENOMEM)
        return json;
    json_decref(json);
    return NULL;
}
