#include "update_lines.h"

#include "update_url.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Digits alone: no sign, no leading zero.  Returns what follows; NULL: it is no such number, or does not fit. */
static const char *read_bytes(const char *text, int64_t *bytes)
{
    const char *p = text;
    int64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *p - '0', &value))
            return NULL;
    if (p == text || (text[0] == '0' && p - text > 1))
        return NULL;
    *bytes = value;
    return p;
}

/* What follows `word` and a blank; NULL: the line begins otherwise. */
static const char *behind(const char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static const char *request_fault(const char *line, size_t length, struct update_request *r)
{
    const char *at = strlen(line) == length ? behind(line, "get") : NULL;
    if (!at)
        return "a request is \"get MAXBYTES URL\", a line of text";
    at = read_bytes(at, &r->max_bytes);
    if (!at || *at != ' ' || r->max_bytes == 0)
        return "MAXBYTES must be a whole number from 1: how many bytes may be written";
    r->url = at + 1;
    return NULL;
}

bool update_request_parse(const char *line, size_t length, struct update_request *request,
                          char error[static UPDATE_REASON_MAX])
{
    const char *fault = request_fault(line, length, request);
    const char *url_fault = fault ? NULL : update_url_fault(request->url);
    if (fault)
        snprintf(error, UPDATE_REASON_MAX, "%s", fault);
    else if (url_fault)
        snprintf(error, UPDATE_REASON_MAX,
                 "the URL cannot be used: %s; use https://NAME[:PORT]/PATH", url_fault);
    return !fault && !url_fault;
}

static const struct {
    const char *text;
    bool counts; /* bytes follow, else a reason */
} words[] = {
    [UPDATE_SIZE] = {"size", true},
    [UPDATE_GOT] = {"got", true},
    [UPDATE_DONE] = {"done", true},
    [UPDATE_FAILED] = {"failed", false},
};

static bool read_reason(const char *text, const char **reason)
{
    size_t n = 0;
    while (text[n] >= ' ' && text[n] <= '~')
        n++;
    *reason = text;
    return n > 0 && n < UPDATE_REASON_MAX && text[n] == 0;
}

bool update_answer_parse(const char *line, size_t length, struct update_answer *answer)
{
    *answer = (struct update_answer){0};
    if (strlen(line) != length)
        return false;
    for (size_t i = 0; i < COUNT(words); i++) {
        const char *at = behind(line, words[i].text);
        answer->word = (enum update_word)i;
        if (at && !words[i].counts)
            return read_reason(at, &answer->reason);
        if (at)
            return (at = read_bytes(at, &answer->bytes)) != NULL && *at == 0;
    }
    return false;
}
