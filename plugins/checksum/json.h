// As much JSON as the arguments of these tools need: an object of strings and lists of strings.

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *ptr;
    size_t len;
} text_t;

typedef struct {
    const uint8_t *at, *end;
} json_t;

// Skips white space and then this character, if it is there.
bool json_skip(json_t *json, uint8_t c);

// Reads a string. False if there is none; what is read of the text is then undefined.
bool json_string(json_t *json, text_t *text);

// Whether nothing but white space is left.
bool json_ended(json_t *json);

#endif
