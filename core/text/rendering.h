/*
 * rendering.h - an fm_rendering while it is made: text that grows, and where its spans end. For the
 * thread that renders.
 */
#ifndef FATHOM_TEXT_RENDERING_H
#define FATHOM_TEXT_RENDERING_H

#include "../base/error.h"

struct fm_rendering {
    char *text; /* [length] */
    size_t length, capacity;
    fm_span *spans; /* [n_spans]; `text` is set when the rendering is complete */
    size_t n_spans, spans_capacity;
};

/** Appends bytes of one kind. FM_ERR_MEMORY leaves the rendering as it was. */
fm_status rendering_add(fm_rendering *r, const char *text, size_t length, bool is_template);

/** Points the spans into the text, which no longer moves. */
void rendering_complete(fm_rendering *r);

#endif
