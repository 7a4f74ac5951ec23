/* tpl_call.c - calls: arguments are put in their places, and whatever can be called is. */
#include "tpl_call.h"

#include <string.h>

#include "tpl_eval.h"

/* ---- Arguments ------------------------------------------------------------------------------- */

/** The length of the first name of a list with commas, without its '*'. */
static size_t name_length(const char *names, bool *is_required) {
    size_t length = strcspn(names, ",");
    *is_required = length > 0 && names[length - 1] == '*';
    return *is_required ? length - 1 : length;
}

static fm_status bind(tpl_run *r, const tpl_function *f, const tpl_args *args, tpl_call *call) {
    const char *names = f->parameters;
    size_t n = 0, n_taken = 0;
    for (; *names; n++, names += strcspn(names, ","), names += *names == ',') {
        bool is_required;
        size_t length = name_length(names, &is_required);
        call->arg[n] = (tpl_value){.kind = TPL_ABSENT};
        if (n < args->count) call->arg[n] = args->values[n];
        for (size_t i = 0; i < args->n_named; i++) {
            const tpl_text *name = args->named[i].name;
            if (name->length != length || memcmp(name->bytes, names, length) != 0) continue;
            if (n < args->count)
                return tpl_fail(r, FM_ERR_ARG, "%s: the argument '%.*s' is given twice", f->name,
                                (int)length, names);
            call->arg[n] = args->named[i].value;
            n_taken++;
        }
        if (is_required && call->arg[n].kind == TPL_ABSENT)
            return tpl_fail(r, FM_ERR_ARG, "%s: the argument '%.*s' is missing", f->name,
                            (int)length, names);
    }
    if (args->count > n)
        return tpl_fail(r, FM_ERR_ARG, "%s takes %zu arguments at most", f->name, n);
    if (n_taken < args->n_named)
        return tpl_fail(r, FM_ERR_ARG, "%s has no argument of one of the names given", f->name);
    return FM_OK;
}

fm_status tpl_function_call(tpl_run *r, const tpl_function *f, tpl_value subject,
                            const tpl_args *args, tpl_value *out) {
    tpl_call call = {.all = *args};
    if (f->parameters) FM_TRY(bind(r, f, args, &call));
    return f->call(r, subject, &call, out);
}

bool tpl_arg_bool(tpl_value v, bool fallback) {
    return v.kind == TPL_ABSENT ? fallback : tpl_truth(v);
}

fm_status tpl_arg_whole(tpl_run *r, const char *what, tpl_value v, int64_t fallback, int64_t *out) {
    *out = fallback;
    if (v.kind == TPL_INT) *out = v.integer;
    if (v.kind == TPL_BOOL) *out = v.boolean;
    if (v.kind == TPL_INT || v.kind == TPL_BOOL || v.kind == TPL_ABSENT) return FM_OK;
    return tpl_fail(r, FM_ERR_ARG, "%s is %s instead of a whole number", what, tpl_kind_name(v));
}

fm_status tpl_arg_text(tpl_run *r, const char *what, tpl_value v, const tpl_text **out) {
    *out = v.kind == TPL_STRING ? v.text : NULL;
    if (v.kind == TPL_STRING || v.kind == TPL_NONE || v.kind == TPL_ABSENT) return FM_OK;
    return tpl_fail(r, FM_ERR_ARG, "%s is %s instead of a string", what, tpl_kind_name(v));
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/** loop(items) in a recursive loop: the loop once more, over other items. */
static fm_status call_loop(tpl_run *r, const tpl_loop *loop, const tpl_args *args, tpl_value *out) {
    if (!loop->node->is_recursive)
        return tpl_fail(r, FM_ERR_ARG, "the loop is not marked recursive, so it cannot be called");
    if (args->count != 1 || args->n_named > 0)
        return tpl_fail(r, FM_ERR_ARG, "a recursive loop takes one argument");
    if (r->n_calls == TPL_MAX_CALLS) return tpl_fail_limit(r, "loops that call themselves");
    tpl_builder *around = r->capture, inner = {.r = r};
    r->capture = &inner;
    r->n_calls++;
    fm_status status = tpl_run_loop(r, loop->scope, loop->node, args->values[0], loop->depth + 1);
    r->n_calls--;
    r->capture = around;
    return status == FM_OK ? tpl_built_value(&inner, out) : status;
}

static fm_status call_cycler_next(tpl_run *r, tpl_value self, const tpl_call *call,
                                  tpl_value *out) {
    (void)r;
    (void)call;
    *out = self.cycler->items->items[self.cycler->at];
    self.cycler->at = (self.cycler->at + 1) % self.cycler->items->count;
    return FM_OK;
}

static fm_status call_cycler_reset(tpl_run *r, tpl_value self, const tpl_call *call,
                                   tpl_value *out) {
    (void)r;
    (void)call;
    self.cycler->at = 0;
    *out = tpl_none();
    return FM_OK;
}

const tpl_function tpl_cycler_methods[] = {
    {"next", call_cycler_next, ""}, {"reset", call_cycler_reset, ""}, {0}};

/** Nothing at the first call, its separator at all others. */
static fm_status call_joiner(tpl_run *r, tpl_joiner *joiner, tpl_value *out) {
    static const tpl_text empty = {.bytes = "", .is_template = true};
    (void)r;
    *out = joiner->is_used ? joiner->separator : tpl_string(&empty);
    joiner->is_used = true;
    return FM_OK;
}

fm_status tpl_call_value(tpl_run *r, tpl_value callee, const tpl_args *args, tpl_value *out) {
    switch (callee.kind) {
    case TPL_MACRO:
        return tpl_call_macro(r, callee.macro, args, out);
    case TPL_METHOD:
        return tpl_function_call(r, callee.method->function, callee.method->self, args, out);
    case TPL_FUNCTION:
        return tpl_function_call(r, callee.function, tpl_none(), args, out);
    case TPL_LOOP:
        return call_loop(r, callee.loop, args, out);
    case TPL_JOINER:
        return call_joiner(r, callee.joiner, out);
    case TPL_UNDEFINED:
        return tpl_fail(r, FM_ERR_ARG, "'%.80s' is undefined, so it cannot be called", callee.name);
    default:
        return tpl_fail(r, FM_ERR_ARG, "%s cannot be called", tpl_kind_name(callee));
    }
}
