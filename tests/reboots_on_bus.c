/* reboots_on_bus - logind as far as a restart is concerned: owns org.freedesktop.login1 on the system bus, and writes a
 * line "reboot" whenever somebody asks for one.  It restarts nothing: that is for whoever reads this.
 */
#include <stdio.h>
#include <systemd/sd-bus.h>

static int on_reboot(sd_bus_message *call, void *unused, sd_bus_error *error)
{
    (void)unused;
    (void)error;
    puts("reboot");
    fflush(stdout);
    return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Reboot", "b", "", on_reboot, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int main(void)
{
    sd_bus *bus;
    int problem = sd_bus_open_system(&bus);
    if (problem >= 0)
        problem = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/login1",
                                           "org.freedesktop.login1.Manager", manager, NULL);
    if (problem >= 0)
        problem = sd_bus_request_name(bus, "org.freedesktop.login1", 0);
    while (problem >= 0)
        if ((problem = sd_bus_process(bus, NULL)) == 0)
            problem = sd_bus_wait(bus, UINT64_MAX);
    fprintf(stderr, "reboots_on_bus: %d\n", problem);
    return 1;
}
