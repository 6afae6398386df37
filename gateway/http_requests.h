/* http_requests.h - inside the HTTPS server: the life of a request, from the library's callbacks to its answer. */
#ifndef HTTP_REQUESTS_H
#define HTTP_REQUESTS_H

#include "http.h"

/* MHD_OPTION_URI_LOG_CALLBACK: a request line has come. */
void *http_requests_uri(void *context, const char *uri, struct MHD_Connection *connection);

/* MHD_OPTION_NOTIFY_COMPLETED: the library is done with a request. */
void http_requests_completed(void *context, struct MHD_Connection *connection, void **request,
                             enum MHD_RequestTerminationCode how);

/* The handlers of the two doors. */
enum MHD_Result http_requests_secure(void *context, struct MHD_Connection *connection,
                                     const char *path, const char *method, const char *version,
                                     const char *upload, size_t *upload_size, void **request);
enum MHD_Result http_requests_plain(void *context, struct MHD_Connection *connection,
                                    const char *path, const char *method, const char *version,
                                    const char *upload, size_t *upload_size, void **request);

/* Wakes what sleeps, so that the library can end it.  Nothing is answered from now on. */
void http_requests_end(struct http *h);

/* Of http_dispatch: who takes the file that a request brings, NULL: there is none; what of a head can be refused before
 * the body has come; and the request, when all of it has, or before its file comes. */
const struct http_upload_route *http_upload_of(const struct http_request *r);
void http_check_secure(struct http_request *r);
void http_dispatch_secure(struct http_request *r);
void http_dispatch_plain(struct http_request *r);

/* Of http_answer: a field, the fields that every answer has, and handing an answer over (NULL: out of memory, which
 * ends the connection); if the library waits for it, it is woken.  Where there is no memory for a field `*answer` is
 * NULL then, as a page without its rules or a body without its type is worse than none. */
void http_add_field(struct MHD_Response **answer, const char *name, const char *value);
void http_add_fields(struct http_request *r, struct MHD_Response **answer, const char *type,
                     const char *cache);
void http_give(struct http_request *r, unsigned status, struct MHD_Response *answer);
void http_answer_wrong_method(struct http_request *r, unsigned methods);

/* Lets the library go on with a request that sleeps. */
void http_wake(struct http_request *r);

/* Of http_upload: the file is let come; bytes of it; all of it has come; the request is over. */
void http_upload_open(struct http_request *r);
enum MHD_Result http_upload_take(struct http_request *r, const char *bytes, size_t *length);
void http_upload_all(struct http_request *r);
void http_upload_end(struct http_request *r);

/* Of http_stream: the request is over, and so is its stream, if it has one. */
void http_stream_end(struct http_request *r);

#endif
