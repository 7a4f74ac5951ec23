/*
 * bytes.h - a growing string of bytes that may hold anything, NUL included. Start from a zeroed
 * struct; free with bytes_free.
 */
#ifndef FATHOM_NATIVE_BYTES_H
#define FATHOM_NATIVE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct bytes {
    char *data; /* [length], not terminated; NULL while empty */
    size_t length;
    size_t capacity;
} bytes;

/** Appends; false when memory is out, and then the string is as it was. */
bool bytes_append(bytes *b, const char *data, size_t length);

/** Reads a stream to its end. Returns 0, or an errno: EFBIG when there are more than `limit` bytes.
 */
int bytes_read(bytes *b, FILE *stream, size_t limit);

/** Frees the bytes and zeroes the struct. */
void bytes_free(bytes *b);

#endif
