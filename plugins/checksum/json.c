// As much JSON as the arguments of these tools need (RFC 8259).

#include "json.h"
#include <stdlib.h>

static void space(json_t *json) {
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r')) {
        json->at++;
    }
}

bool json_skip(json_t *json, uint8_t c) {
    space(json);
    if (json->at == json->end || *json->at != c) return false;
    json->at++;
    return true;
}

bool json_ended(json_t *json) {
    space(json);
    return json->at == json->end;
}

// Four hexadecimal digits.
static bool unit(json_t *json, uint32_t *value) {
    if (json->end - json->at < 4) return false;
    *value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *json->at++;
        uint8_t lower = c | 0x20;
        if (c >= '0' && c <= '9') {
            *value = *value << 4 | (uint32_t)(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            *value = *value << 4 | (uint32_t)(lower - 'a' + 10);
        } else {
            return false;
        }
    }
    return true;
}

static uint8_t *utf8(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = (uint8_t)c;
        return out;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t first[4] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (uint8_t)(first[more] | c >> (6 * more));
    while (more-- > 0) *out++ = (uint8_t)(0x80 | (c >> (6 * more) & 0x3f));
    return out;
}

bool json_string(json_t *json, text_t *text) {
    if (!json_skip(json, '"')) return false;
    // It cannot become longer than it is written.
    uint8_t *start = malloc((size_t)(json->end - json->at) + 1), *out = start;
    if (!start) abort();
    while (json->at < json->end) {
        uint8_t c = *json->at++;
        if (c == '"') {
            text->ptr = start;
            text->len = (size_t)(out - start);
            return true;
        }
        if (c < 0x20) return false;
        if (c != '\\') {
            *out++ = c;
            continue;
        }
        if (json->at == json->end) return false;
        uint32_t value, low;
        switch (c = *json->at++) {
        case '"': case '\\': case '/': *out++ = c; break;
        case 'b': *out++ = '\b'; break;
        case 'f': *out++ = '\f'; break;
        case 'n': *out++ = '\n'; break;
        case 'r': *out++ = '\r'; break;
        case 't': *out++ = '\t'; break;
        case 'u':
            if (!unit(json, &value)) return false;
            if (value >= 0xd800 && value < 0xe000) {
                // Two halves make one character; one alone is none.
                if (value >= 0xdc00 || json->end - json->at < 2 || *json->at++ != '\\' || *json->at++ != 'u') return false;
                if (!unit(json, &low) || low < 0xdc00 || low > 0xdfff) return false;
                value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
            }
            out = utf8(out, value);
            break;
        default: return false;
        }
    }
    return false;
}
