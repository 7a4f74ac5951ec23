/* tpl_run.c - what a rendering may spend, and how it fails. */
#include "tpl_run.h"

#include <stdarg.h>

#include "../base/line.h"
#include "rendering.h"
#include "tpl_tree.h"

fm_status tpl_fail(tpl_run *r, fm_status status, const char *format, ...) {
    char what[sizeof r->err->text];
    size_t line, column;
    va_list args;
    va_start(args, format);
    line_format(what, sizeof what, format, args);
    va_end(args);
    tpl_place(r->t->source, r->at, &line, &column);
    r->status = error_set(r->err, status, "line %zu: %s", line, what);
    return status;
}

fm_status tpl_fail_limit(tpl_run *r, const char *limit) {
    return tpl_fail(r, FM_ERR_LIMIT, "the template passes the limit of %s", limit);
}

void *tpl_new(tpl_run *r, size_t count, size_t size) {
    void *memory = tpl_alloc(&r->memory, count, size);
    if (memory) return memory;
    bool is_limit =
        size > 0 && (count > SIZE_MAX / size || tpl_memory_is_full(&r->memory, count * size));
    if (is_limit)
        tpl_fail_limit(r, "64 MiB of values");
    else
        tpl_fail(r, FM_ERR_MEMORY, "out of memory for the values of a template");
    return NULL;
}

fm_status tpl_spend(tpl_run *r, size_t steps) {
    if (steps > (size_t)r->steps_left) return tpl_fail_limit(r, "1000000 steps");
    r->steps_left -= (int64_t)steps;
    return FM_OK;
}

fm_status tpl_spend_bytes(tpl_run *r, size_t bytes) {
    enum { PER_STEP = 256 }; /* so that a rendering goes through 256 MB at most */
    r->bytes_spent += bytes % PER_STEP;
    size_t steps = bytes / PER_STEP + r->bytes_spent / PER_STEP;
    r->bytes_spent %= PER_STEP;
    return tpl_spend(r, steps);
}

/** The bytes at the head of a text that have one mark. */
static size_t run_length(const tpl_text *text, size_t at) {
    size_t end = at;
    if (!text->marks) return text->length - at;
    while (end < text->length && text->marks[end] == text->marks[at]) end++;
    return end - at;
}

fm_status tpl_output(tpl_run *r, const tpl_text *text) {
    if (text->length > TPL_MAX_OUTPUT - r->out->length)
        return tpl_fail_limit(r, "16 MiB of output");
    for (size_t at = 0, n; at < text->length; at += n) {
        n = run_length(text, at);
        bool is_template = text->marks ? text->marks[at] : text->is_template;
        if (rendering_add(r->out, text->bytes + at, n, is_template) != FM_OK)
            return tpl_fail(r, FM_ERR_MEMORY, "out of memory for the text of a template");
    }
    return FM_OK;
}
