// The checksums there are.

#ifndef SUMS_H
#define SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALGORITHM_COUNT 7
#define MAX_SUM 64

typedef struct {
    const char *name;
    // The length of the checksum, in bytes.
    size_t size;
    void (*sum)(const uint8_t *data, size_t len, uint8_t *out);
} algorithm_t;

extern const algorithm_t ALGORITHMS[ALGORITHM_COUNT];

#endif
