// Enough of JSON to read texts out of a tool's arguments, which the hub has seen to be well-formed.
#pragma once

#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *at, *end;
} json_t;

static char json_next(json_t *json) {
  while (json->at < json->end && strchr(" \t\r\n", *json->at)) json->at++;
  return json->at < json->end ? *json->at : 0;
}

// The four digits after "\u".
static unsigned json_hex(json_t *json) {
  char digits[5] = {0};
  for (int i = 0; i < 4 && json->at < json->end; i++) digits[i] = *json->at++;
  return (unsigned)strtoul(digits, NULL, 16);
}

static char *json_utf8(char *out, unsigned c) {
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  *out++ = (char)(first[more] | c >> 6 * more);
  while (more-- > 0) *out++ = (char)(0x80 | (c >> 6 * more & 0x3f));
  return out;
}

// A character beyond 16 bits comes as two halves; a half alone is none.
static unsigned json_character(json_t *json) {
  unsigned high = json_hex(json);
  if (high < 0xd800 || high > 0xdfff) return high;
  json_t ahead = {json->at + 2, json->end};
  if (high > 0xdbff || json->end - json->at < 6 || memcmp(json->at, "\\u", 2) != 0) return 0xfffd;
  unsigned low = json_hex(&ahead);
  if (low < 0xdc00 || low > 0xdfff) return 0xfffd;
  json->at = ahead.at;
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

// Reads a string, from its quote. It never grows by being unescaped.
static char *json_read(json_t *json) {
  char *text = malloc((size_t)(json->end - json->at) + 1), *out = text;
  json->at++;
  while (json->at < json->end && *json->at != '"') {
    char c = *json->at++;
    if (c != '\\' || json->at == json->end) {
      *out++ = c;
      continue;
    }
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    char escaped = *json->at++;
    const char *known = strchr(escapes, escaped);
    if (escaped == 'u') out = json_utf8(out, json_character(json));
    else *out++ = known && *known ? known[1] : escaped;
  }
  json->at++;
  *out = 0;
  return text;
}

// Steps over one value, whatever is inside.
static void json_skip(json_t *json) {
  int depth = 0;
  do {
    switch (json_next(json)) {
      case 0: return;
      case '"': free(json_read(json)); break;
      case '{': case '[': depth++; json->at++; break;
      case '}': case ']': depth--; json->at++; break;
      case ',': case ':': json->at++; break;
      default:  // a number, true, false or null
        while (json->at < json->end && !strchr(",]} \t\r\n", *json->at)) json->at++;
    }
  } while (depth > 0);
}

// The text under `key` of an object, for the caller to free; NULL if there is none.
static char *json_string(const char *object, size_t length, const char *key) {
  json_t json = {object, object + length};
  if (json_next(&json) != '{') return NULL;
  json.at++;
  while (json_next(&json) == '"') {
    char *name = json_read(&json);
    int found = strcmp(name, key) == 0;
    free(name);
    json_next(&json);
    json.at++;  // the colon
    if (found) return json_next(&json) == '"' ? json_read(&json) : NULL;
    json_skip(&json);
    if (json_next(&json) == ',') json.at++;
  }
  return NULL;
}
