#include "session.h"

#include "address.h"

int64_t session_left_ms(const struct session *s, int64_t now_ms)
{
    if (!s->held)
        return 0;
    if (s->streams > 0)
        return SESSION_MS;
    int64_t left_ms = s->used_ms + SESSION_MS - now_ms;
    return left_ms > 0 ? left_ms : 0;
}

bool session_is_held(const struct session *s, int64_t now_ms)
{
    return session_left_ms(s, now_ms) > 0;
}

bool session_admit(struct session *s, const struct sockaddr_storage *address, int64_t now_ms)
{
    if (session_is_held(s, now_ms) && !address_same_host(&s->address, address))
        return false;
    s->address = *address;
    s->used_ms = now_ms;
    s->held = true;
    return true;
}

void session_begin_stream(struct session *s)
{
    s->streams++;
}

void session_end_stream(struct session *s, int64_t now_ms)
{
    if (s->streams == 0) /* the session was ended under it */
        return;
    s->streams--;
    s->used_ms = now_ms;
}

void session_end(struct session *s)
{
    *s = (struct session){0};
}
