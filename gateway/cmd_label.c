/* cmd_label.c - `smart-connect label`: what stands on the box's sticker; and `openapi`. */
#include "api.h"
#include "commands.h"
#include "identity.h"
#include "json_text.h"
#include "wall_clock.h"

#include <errno.h>
#include <getopt.h>
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_STATE "/var/lib/smart-connect"

struct label_options {
    const char *state, *serial;
    bool json, qr, forget, help;
};

static void print_label_help(void)
{
    printf(
        "usage: smart-connect label [--state DIR] [--serial HEX] [--json] [--qr] [--forget]\n\n"
        "Prints serial number, MAC address, access point name and key, and the login of the page:\n"
        "name and value, a line each.  Makes them if the box has none yet.  Who may read the "
        "state\n"
        "folder is root and the gateway's own user.\n\n"
        "  --state DIR   the state folder of the gateway [" DEFAULT_STATE "]\n"
        "  --serial HEX  the serial number, for a box that has none yet\n"
        "  --json        one JSON object instead of lines\n"
        "  --qr          the access point as a QR code for a phone's camera, too\n"
        "  --forget      remove the login in clear from the folder; its hash stays\n");
}

static int read_label_options(int argc, char **argv, struct label_options *o)
{
    static const struct option flags[] = {{"state", required_argument, NULL, 's'},
                                          {"serial", required_argument, NULL, 'n'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"qr", no_argument, NULL, 'q'},
                                          {"forget", no_argument, NULL, 'f'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int flag;
    opterr = 0;
    while ((flag = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
        if (flag == ':' || flag == '?')
            return command_option_error("label", flag, argv);
        o->json |= flag == 'j';
        o->qr |= flag == 'q';
        o->forget |= flag == 'f';
        o->help |= flag == 'h';
        if (flag == 's')
            o->state = optarg;
        if (flag == 'n')
            o->serial = optarg;
    }
    if (optind < argc)
        return command_usage_error("label", "\"%.60s\" is no option", argv[optind]);
    if (o->state[0] == 0)
        return command_usage_error("label", "--state needs a folder");
    if (o->serial[0] && !identity_is_serial(o->serial))
        return command_usage_error("label", "--serial \"%.40s\": use 12 hex digits", o->serial);
    return EXIT_GOOD;
}

static int load_identity(const struct label_options *o, struct identity *id)
{
    struct host_net net;
    struct certificate_names names;
    char error[IDENTITY_ERROR_MAX];
    bool kept = false;
    if (!identity_load(o->state, o->serial, id, &kept))
        return command_usage_error("label", "no network card and no machine id; use --serial HEX");
    if (!kept)
        return command_usage_error("label",
                                   "--state %.200s: %s; run it as root, or as the gateway's user",
                                   o->state, strerror(errno));
    host_net_read(&net);
    identity_names(id, &net, "", &names);
    if (!identity_load_secrets(o->state, id, &names, wall_clock_s(), error))
        return command_usage_error("label", "%s", error);
    return EXIT_GOOD;
}

static void print_json(const struct identity *id, const char *ssid)
{
    json_t *json =
        json_pack("{s:s, s:o, s:s, s:o, s:s}", "serial", id->serial, "mac",
                  id->mac[0] ? json_string(id->mac) : json_null(), "ssid", ssid, "login",
                  id->login[0] ? json_string(id->login) : json_null(), "ap_key", id->ap_key);
    char *text = json_text(json, JSON_COMPACT);
    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(json);
}

static void print_lines(const struct identity *id, const char *ssid)
{
    printf("serial %s\nmac %s\nssid %s\nap-key %s\nlogin %s\n", id->serial,
           id->mac[0] ? id->mac : "-", ssid, id->ap_key, id->login[0] ? id->login : "-");
}

/* Two modules a character, dark on light, with the quiet zone that cameras want. */
static void print_qr(const char *text)
{
    static const char *const blocks[] = {"\u2588", "\u2580", "\u2584",
                                         " "}; /* by dark above, below */
    enum { QUIET = 2 };
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (!code)
        return;
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        for (int x = -QUIET; x < code->width + QUIET; x++) {
            int dark[2];
            for (int i = 0; i < 2; i++)
                dark[i] = x >= 0 && x < code->width && y + i >= 0 && y + i < code->width &&
                          (code->data[(y + i) * code->width + x] & 1);
            fputs(blocks[dark[0] * 2 + dark[1]], stdout);
        }
        putchar('\n');
    }
    QRcode_free(code);
}

int command_label(int argc, char **argv)
{
    static struct identity id;
    struct label_options o = {.state = DEFAULT_STATE, .serial = ""};
    char ssid[IDENTITY_SSID_MAX], wifi[96];
    int result = read_label_options(argc, argv, &o);
    if (result != EXIT_GOOD)
        return result;
    if (o.help) {
        print_label_help();
        return EXIT_GOOD;
    }
    result = load_identity(&o, &id);
    if (result != EXIT_GOOD)
        return result;
    identity_ssid(&id, ssid);
    if (o.json)
        print_json(&id, ssid);
    else
        print_lines(&id, ssid);
    snprintf(wifi, sizeof wifi, "WIFI:T:WPA;S:%s;P:%s;;", ssid, id.ap_key);
    if (o.qr)
        print_qr(wifi);
    if (o.forget && !identity_forget_login(o.state, &id))
        result = command_usage_error("label", "--forget: %s", strerror(errno));
    identity_wipe(&id);
    return result;
}

int command_openapi(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") != 0)
        return command_usage_error("openapi", "\"%.60s\": takes no options", argv[1]);
    json_t *json = api_openapi();
    char *text = json_text(json, JSON_INDENT(1));
    printf("%s\n", text ? text : "");
    free(text);
    json_decref(json);
    return text ? EXIT_GOOD : EXIT_USAGE;
}
