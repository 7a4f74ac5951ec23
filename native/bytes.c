/* bytes.c - the growing byte string. */
#include "bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` further bytes; at least doubles, so that appending is linear in all. */
static bool reserve(bytes *b, size_t more) {
    if (more > SIZE_MAX / 2 - b->length) return false;
    size_t wanted = b->length + more;
    if (wanted <= b->capacity) return true;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < wanted) capacity *= 2;
    char *data = realloc(b->data, capacity);
    if (!data) return false;
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool bytes_append(bytes *b, const char *data, size_t length) {
    if (length == 0) return true;
    if (!reserve(b, length)) return false;
    memcpy(b->data + b->length, data, length);
    b->length += length;
    return true;
}

int bytes_read(bytes *b, FILE *stream, size_t limit) {
    enum { PIECE = 65536 };
    while (b->length <= limit) {
        if (!reserve(b, PIECE)) return ENOMEM;
        size_t got = fread(b->data + b->length, 1, PIECE, stream);
        b->length += got;
        if (got > 0) continue;
        /* A stream without an errno of its own still failed. */
        if (ferror(stream)) return errno ? errno : EIO;
        return 0;
    }
    return EFBIG;
}

void bytes_free(bytes *b) {
    free(b->data);
    *b = (bytes){0};
}
