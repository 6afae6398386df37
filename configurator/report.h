/* report.h - what the commands print, for people or as JSON. */
#ifndef REPORT_H
#define REPORT_H

#include "device.h"

/* Prints what a device said. */
void report_device(const struct device *d, bool json);

/* Prints the ports there are. */
void report_ports(const struct port *ports, size_t count, bool json);

#endif
