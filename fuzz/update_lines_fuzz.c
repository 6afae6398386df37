/* update_lines_fuzz.c - any bytes as a request for a download and as an answer: what is taken says again, written anew,
 * what was read; what is refused has a reason.
 */
#include "gateway/update_lines.h"

#include "fuzz.h"

#include <stdio.h>
#include <string.h>

static void try_request(const char *line, size_t length)
{
    struct update_request request;
    char error[UPDATE_REASON_MAX] = "";
    if (update_request_parse(line, length, &request, error)) {
        size_t written =
            (size_t)snprintf(NULL, 0, "get %lld %s", (long long)request.max_bytes, request.url);
        demand(written == length && request.max_bytes > 0);
        demand(request.url + strlen(request.url) == line + length);
    } else {
        size_t n = strnlen(error, UPDATE_REASON_MAX);
        demand(n > 0 && n < UPDATE_REASON_MAX - 1);
    }
}

static void try_answer(const char *line, size_t length)
{
    static const char *const words[] = {
        [UPDATE_SIZE] = "size", [UPDATE_GOT] = "got", [UPDATE_DONE] = "done", [UPDATE_FAILED] = "failed"};
    struct update_answer answer;
    char again[UPDATE_ANSWER_MAX];
    if (!update_answer_parse(line, length, &answer))
        return;
    if (answer.word == UPDATE_FAILED)
        snprintf(again, sizeof again, "failed %s", answer.reason);
    else
        snprintf(again, sizeof again, "%s %lld", words[answer.word], (long long)answer.bytes);
    demand(strlen(again) == length && strcmp(again, line) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = text_of_input(data, size);
    try_request(line, size);
    try_answer(line, size);
    free(line);
    return 0;
}
