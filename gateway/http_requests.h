/* http_requests.h - between http.c and libmicrohttpd: the library's callbacks for the life of a request. */
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

#endif
