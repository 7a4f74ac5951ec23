/* tokens.c - fm_tokens, the growing list of ids. */
#include "tokens.h"

#include <stdlib.h>

#include "../base/array.h"

fm_status fm_tokens_append(fm_tokens *tokens, int32_t id) {
    int32_t *ids = array_grow(tokens->ids, &tokens->capacity, tokens->count + 1, sizeof *ids);
    if (!ids) return FM_ERR_MEMORY;
    tokens->ids = ids;
    tokens->ids[tokens->count++] = id;
    return FM_OK;
}

fm_status tokens_append(fm_tokens *tokens, int32_t id, fm_error *err) {
    fm_status status = fm_tokens_append(tokens, id);
    return status == FM_OK ? FM_OK : error_set(err, status, "out of memory for tokens");
}

void fm_tokens_free(fm_tokens *tokens) {
    free(tokens->ids);
    *tokens = (fm_tokens){0};
}
