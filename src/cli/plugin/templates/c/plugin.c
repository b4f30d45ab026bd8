// {{name}}: a plugin of MCP Hub. What a plugin is, and may ask for, says wit/plugin.wit.
#define _GNU_SOURCE  // vasprintf
#include <stdarg.h>
#include <stdio.h>

#include "bindings/provider.h"
#include "json.h"

typedef provider_string_t string_t;  // with a length, and no zero at the end
typedef exports_mcp_hub_plugin_tools_tool_t tool_t;
typedef exports_mcp_hub_plugin_tools_list_tool_t tools_t;
typedef exports_mcp_hub_plugin_tools_request_t request_t;
typedef exports_mcp_hub_plugin_tools_content_t content_t;
typedef exports_mcp_hub_plugin_tools_outcome_t outcome_t;
typedef exports_mcp_hub_plugin_tools_call_error_t call_error_t;

#define TEXT EXPORTS_MCP_HUB_PLUGIN_TOOLS_CONTENT_TEXT
#define COMPLETE EXPORTS_MCP_HUB_PLUGIN_TOOLS_OUTCOME_COMPLETE
#define UNKNOWN_TOOL EXPORTS_MCP_HUB_PLUGIN_TOOLS_CALL_ERROR_UNKNOWN_TOOL
#define INVALID_ARGUMENTS EXPORTS_MCP_HUB_PLUGIN_TOOLS_CALL_ERROR_INVALID_ARGUMENTS

// A new string, as printf would print it. What is handed to the hub is freed behind it.
__attribute__((format(printf, 1, 2)))
static string_t format(const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  return (string_t){(uint8_t *)text, (size_t)length};
}

static provider_option_string_t some(string_t text) {
  return (provider_option_string_t){.is_some = true, .val = text};
}

static provider_option_bool_t yes(void) {
  return (provider_option_bool_t){.is_some = true, .val = true};
}

// Asked once, when the plugin is loaded.
bool exports_mcp_hub_plugin_tools_list_tools(tools_t *tools, string_t *error) {
  (void)error;
  tool_t *greet = calloc(1, sizeof *greet);
  greet->name = format("greet");
  greet->title = some(format("Greet"));
  greet->description = some(format("Greets someone by name."));
  greet->input_schema = format(
      "{\"type\": \"object\","
      " \"properties\": {\"name\": {\"type\": \"string\", \"description\": \"Whom to greet\"}},"
      " \"required\": [\"name\"]}");
  greet->annotations.is_some = true;
  greet->annotations.val.read_only = yes();
  greet->annotations.val.idempotent = yes();
  *tools = (tools_t){.ptr = greet, .len = 1};
  return true;
}

static bool greet(string_t arguments, outcome_t *outcome, call_error_t *error) {
  // The hub does not hold the arguments against the schema.
  char *name = json_string((char *)arguments.ptr, arguments.len, "name");
  if (name == NULL) {
    error->tag = INVALID_ARGUMENTS;
    error->val.invalid_arguments = format("`name` must be a string");
    return false;
  }

  // From [config] in {{name}}.toml.
  string_t key = format("greeting"), greeting;
  if (!mcp_hub_plugin_host_config(&key, &greeting)) greeting = format("Hello");

  string_t message = format("greeting %s", name);
  mcp_hub_plugin_host_log(MCP_HUB_PLUGIN_HOST_LEVEL_DEBUG, &message);
  mcp_hub_plugin_host_progress(1, &(double){1}, NULL);  // a longer tool says so on its way, too

  content_t *content = calloc(1, sizeof *content);
  content->tag = TEXT;
  content->val.text = format("%.*s, %s!", (int)greeting.len, (char *)greeting.ptr, name);
  *outcome = (outcome_t){.tag = COMPLETE};
  outcome->val.complete.content.ptr = content;
  outcome->val.complete.content.len = 1;
  return true;  // what was not freed goes with the instance
}

// Each call finds a fresh instance: nothing is remembered.
bool exports_mcp_hub_plugin_tools_call_tool(request_t *request, outcome_t *outcome,
                                            call_error_t *error) {
  string_t name = request->name;
  if (name.len == 5 && memcmp(name.ptr, "greet", 5) == 0) {
    return greet(request->arguments, outcome, error);
  }
  error->tag = UNKNOWN_TOOL;
  error->val.unknown_tool = format("%.*s", (int)name.len, (char *)name.ptr);
  return false;
}
