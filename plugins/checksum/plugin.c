// A plugin of MCP Hub: checksums of texts and of files in base64.

#include "gen/provider.h"
#include "json.h"
#include "sums.h"
#include <stdlib.h>
#include <string.h>

typedef exports_mcp_hub_plugin_tools_tool_t tool_t;
typedef exports_mcp_hub_plugin_tools_tool_result_t result_t;
typedef exports_mcp_hub_plugin_tools_call_error_t error_t;
typedef provider_string_t string_t;

#define NAMES "\"crc32\",\"crc32c\",\"adler32\",\"md5\",\"sha1\",\"sha256\",\"sha512\""
#define DATA                                                                                        \
    "\"text\":{\"type\":\"string\",\"description\":\"The data as text, taken as UTF-8.\"},"         \
    "\"base64\":{\"type\":\"string\",\"contentEncoding\":\"base64\",\"description\":\"The data in " \
    "base64 (either alphabet, padding or not), instead of `text`.\"},"
#define ONE_OF "\"oneOf\":[{\"required\":[\"text\"]},{\"required\":[\"base64\"]}],"

static const char CHECKSUM[] =
    "{\"type\":\"object\",\"properties\":{" DATA
    "\"algorithms\":{\"type\":\"array\",\"items\":{\"enum\":[" NAMES "]},\"minItems\":1,\"maxItems\":7,"
    "\"description\":\"Which checksums. Default: sha256.\"}}," ONE_OF "\"additionalProperties\":false}";
static const char CHECKSUM_OUT[] =
    "{\"type\":\"object\",\"properties\":{\"bytes\":{\"type\":\"integer\",\"description\":\"Length of the data\"},"
    "\"checksums\":{\"type\":\"object\",\"propertyNames\":{\"enum\":[" NAMES "]},"
    "\"additionalProperties\":{\"type\":\"string\",\"description\":\"Hexadecimal\"}}},"
    "\"required\":[\"bytes\",\"checksums\"],\"additionalProperties\":false}";
static const char VERIFY[] =
    "{\"type\":\"object\",\"properties\":{" DATA
    "\"expected\":{\"type\":\"string\",\"description\":\"The checksum it should have, hexadecimal.\"},"
    "\"algorithm\":{\"enum\":[" NAMES "],\"description\":\"Default: md5, sha1, sha256 or sha512 by "
    "the length of `expected`.\"}},\"required\":[\"expected\"]," ONE_OF "\"additionalProperties\":false}";
static const char VERIFY_OUT[] =
    "{\"type\":\"object\",\"properties\":{\"matches\":{\"type\":\"boolean\"},\"algorithm\":{\"enum\":[" NAMES "]},"
    "\"checksum\":{\"type\":\"string\",\"description\":\"The checksum it has, hexadecimal\"}},"
    "\"required\":[\"matches\",\"algorithm\",\"checksum\"],\"additionalProperties\":false}";

// Text that grows.
typedef struct {
    uint8_t *ptr;
    size_t len, room;
} buffer_t;

static void append(buffer_t *buffer, const void *bytes, size_t len) {
    if (buffer->len + len > buffer->room) {
        buffer->room = 2 * (buffer->len + len);
        buffer->ptr = realloc(buffer->ptr, buffer->room);
        if (!buffer->ptr) abort();
    }
    memcpy(buffer->ptr + buffer->len, bytes, len);
    buffer->len += len;
}

static void say(buffer_t *buffer, const char *text) { append(buffer, text, strlen(text)); }

static void number(buffer_t *buffer, size_t value) {
    char digits[20], *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    append(buffer, first, (size_t)(digits + sizeof digits - first));
}

static string_t string(buffer_t *buffer) { return (string_t){buffer->ptr, buffer->len}; }

static bool equals(text_t text, const char *name) {
    return text.len == strlen(name) && !memcmp(text.ptr, name, text.len);
}

static void tool(tool_t *tool, const char *name, const char *title, const char *description, const char *in, const char *out) {
    memset(tool, 0, sizeof *tool);
    provider_string_dup(&tool->name, name);
    tool->title.is_some = tool->description.is_some = tool->output_schema.is_some = true;
    provider_string_dup(&tool->title.val, title);
    provider_string_dup(&tool->description.val, description);
    provider_string_dup(&tool->input_schema, in);
    provider_string_dup(&tool->output_schema.val, out);
    tool->annotations.is_some = true;
    tool->annotations.val.read_only = (provider_option_bool_t){true, true};
    tool->annotations.val.destructive = (provider_option_bool_t){true, false};
    tool->annotations.val.idempotent = (provider_option_bool_t){true, true};
    tool->annotations.val.open_world = (provider_option_bool_t){true, false};
}

bool exports_mcp_hub_plugin_tools_list_tools(exports_mcp_hub_plugin_tools_list_tool_t *ret, string_t *err) {
    (void)err;
    ret->len = 2;
    ret->ptr = malloc(2 * sizeof(tool_t));
    if (!ret->ptr) abort();
    tool(&ret->ptr[0], "checksum", "Checksum",
         "Computes checksums of a text or of data in base64: CRC-32, CRC-32C, Adler-32, MD5, SHA-1, SHA-256, SHA-512.",
         CHECKSUM, CHECKSUM_OUT);
    tool(&ret->ptr[1], "verify_checksum", "Verify a checksum",
         "Tells whether a text, or data in base64, has the checksum it should have.", VERIFY, VERIFY_OUT);
    return true;
}

// What both tools take. What is not given has no pointer.
typedef struct {
    text_t text, base64, expected;
    // Bits are positions in ALGORITHMS.
    uint32_t algorithms;
    buffer_t problem;
} arguments_t;

static bool wrong(arguments_t *arguments, const char *what, const char *why) {
    buffer_t *problem = &arguments->problem;
    if (problem->len == 0) {
        say(problem, what);
        say(problem, why);
    }
    return false;
}

static bool algorithm(json_t *json, arguments_t *arguments, const char *field) {
    text_t name;
    if (!json_string(json, &name)) return wrong(arguments, field, ": the name of an algorithm is expected");
    for (int i = 0; i < ALGORITHM_COUNT; i++) {
        if (equals(name, ALGORITHMS[i].name)) {
            arguments->algorithms |= 1u << i;
            return true;
        }
    }
    return wrong(arguments, field, ": there are only crc32, crc32c, adler32, md5, sha1, sha256 and sha512");
}

static bool field(json_t *json, arguments_t *arguments, text_t key, bool is_verify) {
    if (equals(key, "text")) {
        return json_string(json, &arguments->text) || wrong(arguments, "text", ": a string is expected");
    }
    if (equals(key, "base64")) {
        return json_string(json, &arguments->base64) || wrong(arguments, "base64", ": a string is expected");
    }
    if (is_verify && equals(key, "expected")) {
        return json_string(json, &arguments->expected) || wrong(arguments, "expected", ": a string is expected");
    }
    if (is_verify && equals(key, "algorithm")) return algorithm(json, arguments, "algorithm");
    if (!is_verify && equals(key, "algorithms")) {
        if (!json_skip(json, '[')) return wrong(arguments, "algorithms", ": a list is expected");
        do {
            if (!algorithm(json, arguments, "algorithms")) return false;
        } while (json_skip(json, ','));
        return json_skip(json, ']') || wrong(arguments, "algorithms", ": a list of names is expected");
    }
    if (arguments->problem.len == 0) {
        say(&arguments->problem, "there is no argument \"");
        append(&arguments->problem, key.ptr, key.len);
        say(&arguments->problem, is_verify ? "\", only text, base64, expected and algorithm" : "\", only text, base64 and algorithms");
    }
    return false;
}

static bool parse(string_t text, arguments_t *arguments, bool is_verify) {
    json_t json = {text.ptr, text.ptr + text.len};
    if (!json_skip(&json, '{')) return wrong(arguments, "the arguments", " are no JSON object");
    if (!json_skip(&json, '}')) {
        do {
            text_t key;
            if (!json_string(&json, &key) || !json_skip(&json, ':')) return wrong(arguments, "the arguments", " are no JSON");
            if (!field(&json, arguments, key, is_verify)) return false;
        } while (json_skip(&json, ','));
        if (!json_skip(&json, '}')) return wrong(arguments, "the arguments", " are no JSON");
    }
    if (!json_ended(&json)) return wrong(arguments, "the arguments", " are more than one JSON object");
    if (!arguments->text.ptr == !arguments->base64.ptr) return wrong(arguments, "either text or base64", " is expected, and one of them only");
    if (is_verify && !arguments->expected.ptr) return wrong(arguments, "expected", " is missing");
    return true;
}

static int digit64(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

// RFC 4648, both alphabets. White space is skipped: base64 often comes in lines.
static bool decode64(text_t in, text_t *out) {
    uint8_t *bytes = malloc(in.len / 4 * 3 + 3);
    if (!bytes) abort();
    size_t len = 0, digits = 0, padding = 0;
    uint32_t value = 0;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
        if (c == '=') {
            padding++;
            continue;
        }
        int digit = digit64(c);
        if (digit < 0 || padding) return false;
        value = value << 6 | (uint32_t)digit;
        if (++digits % 4 != 1) bytes[len++] = (uint8_t)(value >> (6 - 2 * ((digits - 1) % 4)));
    }
    *out = (text_t){bytes, len};
    return digits % 4 != 1 && (padding == 0 || (digits + padding) % 4 == 0) && padding < 3;
}

static void hex(buffer_t *buffer, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        append(buffer, &"0123456789abcdef"[bytes[i] >> 4], 1);
        append(buffer, &"0123456789abcdef"[bytes[i] & 15], 1);
    }
}

static void sum(buffer_t *buffer, const algorithm_t *algorithm, text_t data) {
    uint8_t out[MAX_SUM];
    algorithm->sum(data.ptr, data.len, out);
    hex(buffer, out, algorithm->size);
}

static void checksum(arguments_t *arguments, text_t data, buffer_t *text, buffer_t *json) {
    say(json, "{\"bytes\":");
    number(json, data.len);
    say(json, ",\"checksums\":{");
    const char *comma = "";
    for (int i = 0; i < ALGORITHM_COUNT; i++) {
        if (!(arguments->algorithms >> i & 1)) continue;
        buffer_t out = {0};
        sum(&out, &ALGORITHMS[i], data);
        say(json, comma);
        say(json, "\"");
        say(json, ALGORITHMS[i].name);
        say(json, "\":\"");
        append(json, out.ptr, out.len);
        say(json, "\"");
        say(text, *comma ? "\n" : "");
        say(text, ALGORITHMS[i].name);
        say(text, ": ");
        append(text, out.ptr, out.len);
        comma = ",";
    }
    say(json, "}}");
}

// The position of the algorithm that is meant, or -1.
static int meant(arguments_t *arguments) {
    for (int i = 0; i < ALGORITHM_COUNT; i++) {
        if (arguments->algorithms ? arguments->algorithms >> i & 1
                                  : ALGORITHMS[i].size > 4 && 2 * ALGORITHMS[i].size == arguments->expected.len) {
            return i;
        }
    }
    return -1;
}

static void verify(const algorithm_t *algorithm, text_t expected, text_t data, buffer_t *text, buffer_t *json) {
    buffer_t out = {0};
    sum(&out, algorithm, data);
    bool matches = out.len == expected.len;
    for (size_t i = 0; matches && i < out.len; i++) {
        uint8_t c = expected.ptr[i];
        matches = out.ptr[i] == (c >= 'A' && c <= 'F' ? c | 0x20 : c);
    }
    say(json, matches ? "{\"matches\":true,\"algorithm\":\"" : "{\"matches\":false,\"algorithm\":\"");
    say(json, algorithm->name);
    say(json, "\",\"checksum\":\"");
    append(json, out.ptr, out.len);
    say(json, "\"}");
    say(text, matches ? "It matches: the " : "It does not match: the ");
    say(text, algorithm->name);
    say(text, " checksum is ");
    append(text, out.ptr, out.len);
}

bool exports_mcp_hub_plugin_tools_call_tool(exports_mcp_hub_plugin_tools_request_t *request, exports_mcp_hub_plugin_tools_outcome_t *ret, error_t *err) {
    text_t name = {request->name.ptr, request->name.len};
    bool is_verify = equals(name, "verify_checksum");
    if (!is_verify && !equals(name, "checksum")) {
        err->tag = EXPORTS_MCP_HUB_PLUGIN_TOOLS_CALL_ERROR_UNKNOWN_TOOL;
        err->val.unknown_tool = request->name;
        return false;
    }
    arguments_t arguments = {0};
    text_t data = {0};
    int algorithm = -1;
    if (parse(request->arguments, &arguments, is_verify)) {
        data = arguments.text;
        if (!data.ptr && !decode64(arguments.base64, &data)) wrong(&arguments, "base64", ": this is no base64");
        if (is_verify && (algorithm = meant(&arguments)) < 0) {
            wrong(&arguments, "algorithm", " is missing, and the length of expected is not that of md5, sha1, sha256 or sha512");
        }
    }
    if (arguments.problem.len) {
        err->tag = EXPORTS_MCP_HUB_PLUGIN_TOOLS_CALL_ERROR_INVALID_ARGUMENTS;
        err->val.invalid_arguments = string(&arguments.problem);
        return false;
    }
    buffer_t text = {0}, json = {0};
    if (is_verify) {
        verify(&ALGORITHMS[algorithm], arguments.expected, data, &text, &json);
    } else {
        // sha256 where nothing is asked for.
        if (!arguments.algorithms) arguments.algorithms = 1u << 5;
        checksum(&arguments, data, &text, &json);
    }
    memset(ret, 0, sizeof *ret);
    ret->tag = EXPORTS_MCP_HUB_PLUGIN_TOOLS_OUTCOME_COMPLETE;
    result_t *result = &ret->val.complete;
    result->content.len = 1;
    result->content.ptr = malloc(sizeof *result->content.ptr);
    if (!result->content.ptr) abort();
    result->content.ptr->tag = EXPORTS_MCP_HUB_PLUGIN_TOOLS_CONTENT_TEXT;
    result->content.ptr->val.text = string(&text);
    result->structured_content.is_some = true;
    result->structured_content.val = string(&json);
    return true;
}
