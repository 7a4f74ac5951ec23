/*
 * tpl_run.h - one rendering of a template while it is under way: what it may still spend, where it
 * is, and where its text goes. It belongs to one thread.
 */
#ifndef FATHOM_TEXT_TPL_RUN_H
#define FATHOM_TEXT_TPL_RUN_H

#include "tpl_text.h"
#include "tpl_value.h"

enum {
    TPL_MAX_SOURCE = 1 << 20,  /* bytes of a template */
    TPL_MAX_NESTING = 64,      /* of statements and expressions inside each other */
    TPL_MAX_CALLS = 64,        /* of macros inside each other */
    TPL_MAX_LEVELS = 512,      /* of all that is being evaluated inside each other */
    TPL_MAX_VALUE_DEPTH = 128, /* of lists and dicts inside each other, where one is gone through */
    TPL_MAX_STEPS = 1000000,
    TPL_MAX_MEMORY = 64 << 20, /* bytes of values */
    TPL_MAX_OUTPUT = 16 << 20, /* bytes */
    TPL_MAX_RANGE = 100000,
};

struct tpl_run {
    const fm_template *t;
    tpl_memory memory;
    fm_rendering *out;
    tpl_builder *capture; /* where text goes instead of `out`; NULL: nowhere else */
    const tpl_dict *input;
    tpl_dict *names; /* special tokens and functions */
    size_t at;       /* byte of the template that is being evaluated */
    int64_t steps_left;
    size_t bytes_spent; /* that did not make a whole step yet */
    int n_levels, n_calls;
    int64_t now;      /* seconds since 1970 */
    fm_status status; /* of the first failure */
    fm_error *err;
};

/** Says what went wrong, with the line of the template; returns `status`. */
fm_status tpl_fail(tpl_run *r, fm_status status, const char *format, ...) FM_PRINTF(3, 4);
/** The same for a limit: "the limit of NAME". */
fm_status tpl_fail_limit(tpl_run *r, const char *limit);

/** Zeroed memory of the rendering; NULL with r->status set. */
void *tpl_new(tpl_run *r, size_t count, size_t size);

/** Takes `steps` off what may be spent. */
fm_status tpl_spend(tpl_run *r, size_t steps);
/** The same for going through `bytes` bytes once. */
fm_status tpl_spend_bytes(tpl_run *r, size_t bytes);

/** Appends to the rendering's text. */
fm_status tpl_output(tpl_run *r, const tpl_text *text);

/** Appends to the output, or to what is being captured. */
fm_status tpl_emit(tpl_run *r, const tpl_text *text);

#endif
