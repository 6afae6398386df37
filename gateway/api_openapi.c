/* api_openapi.c - the OpenAPI document: paths from the table of routes, settings from their table, the other schemas
 * from openapi_schemas.json, which is compiled in. */
#include "api.h"
#include "json_text.h"
#include "web_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What each operation takes and gives; in the order of the routes. */
static const struct operation {
    const char *path, *method;
    const char *takes; /* schema of the body; NULL: none */
    int status;
    const char *gives; /* schema, with application/json; NULL: the media type alone */
    const char *type;
    const char *problems; /* statuses, beyond those that everything can have */
} operations[] = {
    {"/api/v1/config", "get", NULL, 200, "Config", "application/json", ""},
    {"/api/v1/config", "patch", "ConfigPatch", 200, "Config", "application/json",
     "400 403 412 413 415 422 500 507"},
    {"/api/v1/status", "get", NULL, 200, "Status", "application/json", ""},
    {"/api/v1/firmware", "get", NULL, 200, "Firmware", "application/json", ""},
    {"/api/v1/firmware", "post", "FirmwareUrl", 202, "Firmware", "application/json",
     "400 403 413 415 422 507"},
    {"/api/v1/reset", "post", "Reset", 202, "ResetResult", "application/json",
     "400 403 413 415 422 500 507"},
    {"/api/v1/password", "post", "Password", 200, "PasswordResult", "application/json",
     "400 403 413 415 422 500 507"},
    {"/api/v1/mqtt/certificate", "get", NULL, 200, "Certificate", "application/json", ""},
    {"/api/v1/mqtt/certificate", "post", "CertificateChange", 200, "Certificate",
     "application/json", "400 403 413 415 422 500 507"},
    {"/api/v1/wifi", "get", NULL, 200, "WifiNetworks", "application/json", ""},
    {"/api/v1/wifi", "post", "Nothing", 202, "Begun", "application/json", "400 403 413 415 422"},
    {"/api/v1/access-point", "post", "AccessPoint", 202, "Begun", "application/json",
     "400 403 413 415 422"},
    {"/api/v1/telegram", "get", NULL, 200, NULL, "text/plain", "404"},
    {"/api/v1/readings", "get", NULL, 200, "Readings", "application/json", "404"},
    {"/api/v1/live", "get", NULL, 200, NULL, "text/event-stream", ""},
    {"/api/v1/history", "get", NULL, 200, "History", "application/json", ""},
    {"/api/v1/openapi.json", "get", NULL, 200, NULL, "application/json", ""},
    {"/metrics", "get", NULL, 200, NULL, "text/plain", ""},
};

static const char common_problems[] = "401 409 429 503";

static json_t *reference(const char *schema)
{
    char text[80];
    snprintf(text, sizeof text, "#/components/schemas/%s", schema);
    return json_pack("{s:s}", "$ref", text);
}

static json_t *content(const char *type, const char *schema)
{
    bool is_json = strcmp(type, "application/json") == 0;
    json_t *body = schema    ? reference(schema)
                   : is_json ? json_pack("{s:s}", "type", "object")
                             : json_pack("{s:s}", "type", "string");
    return json_pack("{s:{s:o}}", type, "schema", body);
}

/* What may be sent: JSON, and where files are taken a file, too. */
static json_t *body_json(const struct operation *o, const struct http_route *route)
{
    json_t *types = content("application/json", o->takes);
    if (route->methods & HTTP_UPLOADS) {
        json_t *file = content("application/octet-stream", NULL);
        json_object_update(types, file);
        json_decref(file);
    }
    return json_pack("{s:o}", "content", types);
}

/* Adds a problem response for each status in the text. */
static void add_problems(json_t *responses, const char *statuses)
{
    char status[4];
    for (const char *at = statuses; sscanf(at, "%3s", status) == 1; at += 3 + (at[3] == ' '))
        json_object_set_new(responses, status,
                            json_pack("{s:s}", "$ref", "#/components/responses/Problem"));
}

static json_t *operation_json(const struct operation *o, const struct http_route *route)
{
    char status[8];
    json_t *responses = json_object();
    snprintf(status, sizeof status, "%d", o->status);
    json_object_set_new(responses, status,
                        json_pack("{s:s, s:o}", "description", route->summary, "content",
                                  content(o->type, o->gives)));
    add_problems(responses, common_problems);
    add_problems(responses, o->problems);
    json_t *json = json_pack("{s:s, s:o}", "summary", route->summary, "responses", responses);
    if (o->takes)
        json_object_set_new(json, "requestBody", body_json(o, route));
    if (route->access == HTTP_METRICS)
        json_object_set_new(json, "security", json_pack("[{s:[]}, {s:[]}]", "login", "token"));
    return json;
}

static json_t *paths_json(void)
{
    json_t *paths = json_object();
    const struct operation *end = operations + sizeof operations / sizeof operations[0];
    for (size_t i = 0; i < api_route_count; i++) {
        json_t *path = json_object();
        for (const struct operation *o = operations; o < end; o++)
            if (strcmp(o->path, api_routes[i].path) == 0)
                json_object_set_new(path, o->method, operation_json(o, &api_routes[i]));
        json_object_set_new(paths, api_routes[i].path, path);
    }
    return paths;
}

/* Status is the configuration with one more member. */
static json_t *status_schema(void)
{
    json_t *schema = config_schema(false);
    json_object_set_new(json_object_get(schema, "properties"), "State", reference("State"));
    json_array_append_new(json_object_get(schema, "required"), json_string("State"));
    return schema;
}

static json_t *schemas_json(void)
{
    json_t *schemas = json_loadb((const char *)openapi_files[0].plain, openapi_files[0].plain_size,
                                 JSON_REJECT_DUPLICATES, NULL);
    json_object_set_new(schemas, "Config", config_schema(false));
    json_object_set_new(schemas, "ConfigPatch", config_schema(true));
    json_object_set_new(schemas, "Status", status_schema());
    return schemas;
}

json_t *api_openapi(void)
{
    errno = 0;
    json_t *components =
        json_pack("{s:o, s:{s:{s:s, s:{s:{s:o}}}}, s:{s:{s:s, s:s}, s:{s:s, s:s}}}", "schemas",
                  schemas_json(), "responses", "Problem", "description",
                  "what is wrong, and with which field", "content", "application/problem+json",
                  "schema", reference("Problem"), "securitySchemes", "login", "type", "http",
                  "scheme", "basic", "token", "type", "http", "scheme", "bearer");
    return json_whole(json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:[{s:[]}], s:o, s:o}", "openapi",
        "3.1.0", "info", "title", "Smart Connect", "version", SMART_CONNECT_VERSION, "description",
        "Gateway from a household electricity meter to Modbus TCP, MQTT and HTTPS.", "license",
        "name", "Apache-2.0", "identifier", "Apache-2.0", "servers", "url", "/", "security",
        "login", "paths", paths_json(), "components", components));
}

void api_serve_openapi(struct http_request *r, void *context)
{
    (void)context;
    http_answer_json(r, 200, api_openapi(), NULL);
}
