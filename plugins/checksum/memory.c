// All that is needed of a C library. Each call has an instance of its own, which is thrown away
// afterwards: so memory is only ever handed out, and given back with the instance.

#include <stddef.h>
#include <stdint.h>

#define PAGE 65536

extern uint8_t __heap_base;
static uintptr_t next = 0;

void abort(void) { __builtin_trap(); }

void *malloc(size_t size) {
    if (next == 0) next = (uintptr_t)&__heap_base;
    uintptr_t start = (next + 15) & ~(uintptr_t)15;
    if (start < next || size > UINTPTR_MAX - start) return NULL;
    next = start + size;
    uintptr_t have = __builtin_wasm_memory_size(0) * PAGE;
    if (next > have) {
        size_t pages = (next - have + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return NULL;
    }
    return (void *)start;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len) {
    for (size_t i = 0; i < len; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

void *memset(void *to, int byte, size_t len) {
    for (size_t i = 0; i < len; i++) ((uint8_t *)to)[i] = (uint8_t)byte;
    return to;
}

int memcmp(const void *one, const void *other, size_t len) {
    const uint8_t *a = one, *b = other;
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i]) return a[i] - b[i];
    }
    return 0;
}

size_t strlen(const char *text) {
    size_t len = 0;
    while (text[len]) len++;
    return len;
}

void *realloc(void *old, size_t size) {
    void *new = malloc(size);
    // How much there was is not kept: what follows it is copied too, and does no harm.
    if (old && new) {
        size_t len = (uintptr_t)new - (uintptr_t)old;
        memcpy(new, old, len < size ? len : size);
    }
    return new;
}

void free(void *memory) { (void)memory; }
