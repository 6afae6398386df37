/* update_url.h - where an update may be fetched from.  Pure. */
#ifndef UPDATE_URL_H
#define UPDATE_URL_H

/* NULL if the text is https://NAME[:PORT]/PATH: NAME has a dot and is not localhost nor an address in any of its forms;
 * there is no user and no fragment.  Else what is wrong, in words that go on from "the URL cannot be used: ". */
const char *update_url_fault(const char *url);

#endif
