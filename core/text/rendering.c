/* rendering.c - the text that a template made, in spans. */
#include "rendering.h"

#include <stdlib.h>
#include <string.h>

#include "../base/array.h"

fm_status rendering_add(fm_rendering *r, const char *text, size_t length, bool is_template) {
    if (length == 0) return FM_OK;
    char *grown = array_grow(r->text, &r->capacity, r->length + length, 1);
    if (!grown) return FM_ERR_MEMORY;
    r->text = grown;
    if (r->n_spans == 0 || r->spans[r->n_spans - 1].is_template != is_template) {
        fm_span *spans = array_grow(r->spans, &r->spans_capacity, r->n_spans + 1, sizeof *r->spans);
        if (!spans) return FM_ERR_MEMORY;
        r->spans = spans;
        r->spans[r->n_spans++] = (fm_span){.is_template = is_template};
    }
    memcpy(r->text + r->length, text, length);
    r->length += length;
    r->spans[r->n_spans - 1].length += length;
    return FM_OK;
}

void rendering_complete(fm_rendering *r) {
    const char *at = r->text;
    for (size_t i = 0; i < r->n_spans; i++) {
        r->spans[i].text = at;
        at += r->spans[i].length;
    }
}

const fm_span *fm_rendering_spans(const fm_rendering *r, size_t *n) {
    *n = r->n_spans;
    return r->spans;
}

void fm_rendering_free(fm_rendering *r) {
    if (!r) return;
    free(r->text);
    free(r->spans);
    free(r);
}
