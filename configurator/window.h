/* window.h - all settings at a glance on a terminal, to read, change and write. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>

/* Shows the window until the user leaves it.  `path` is the only port to choose; NULL: those of the machine are.
 * False: the terminal cannot show it. */
bool window_run(const char *path, int timeout_ms);

#endif
