/* web_files.h - files that are compiled in: cmake/web_files.cmake makes the .c. */
#ifndef WEB_FILES_H
#define WEB_FILES_H

#include <stddef.h>

struct web_file {
    const char *path; /* "/main.js" */
    const char *type; /* media type */
    const char *etag; /* in quotes; changes with the content */
    const unsigned char *plain, *gzip;
    size_t plain_size, gzip_size;
};

/* The page, and the schemas of the OpenAPI document. */
extern const struct web_file web_files[], openapi_files[];
extern const size_t web_file_count, openapi_file_count;

#endif
