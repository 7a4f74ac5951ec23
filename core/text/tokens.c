/* tokens.c - fm_tokens, the growing list of ids. */
#include <stdlib.h>

#include "../fathom.h"

fm_status fm_tokens_append(fm_tokens *tokens, int32_t id) {
    if (tokens->count == tokens->capacity) {
        size_t capacity = tokens->capacity ? 2 * tokens->capacity : 64;
        if (capacity > SIZE_MAX / sizeof(int32_t)) return FM_ERR_MEMORY;
        int32_t *ids = realloc(tokens->ids, capacity * sizeof(int32_t));
        if (!ids) return FM_ERR_MEMORY;
        tokens->ids = ids;
        tokens->capacity = capacity;
    }
    tokens->ids[tokens->count++] = id;
    return FM_OK;
}

void fm_tokens_free(fm_tokens *tokens) {
    free(tokens->ids);
    *tokens = (fm_tokens){0};
}
