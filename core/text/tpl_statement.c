/* tpl_statement.c - statements, and macros. */
#include "tpl_eval.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What ended a body. */
typedef enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;

static fm_status run_body(tpl_run *r, tpl_scope *s, const tpl_node *body, flow *out);

/* ---- Output ---------------------------------------------------------------------------------- */

fm_status tpl_emit(tpl_run *r, const tpl_text *text) {
    if (text->length == 0) return FM_OK;
    if (r->capture) {
        tpl_add(r->capture, text);
        return r->capture->status;
    }
    FM_TRY(tpl_spend_bytes(r, text->length));
    return tpl_output(r, text);
}

fm_status tpl_capture(tpl_run *r, tpl_scope *s, const tpl_node *body, tpl_value *out) {
    tpl_builder *around = r->capture, inner = {.r = r};
    flow end;
    r->capture = &inner;
    fm_status status = run_body(r, s, body, &end);
    r->capture = around;
    return status == FM_OK ? tpl_built_value(&inner, out) : status;
}

/* ---- Assignment ------------------------------------------------------------------------------ */

static fm_status assign_field(tpl_run *r, tpl_scope *s, const tpl_node *target, tpl_value v) {
    tpl_node name = {.kind = TPL_NODE_NAME, .name = target->name, .at = target->at};
    tpl_value space;
    const tpl_text *key = NULL;
    FM_TRY(tpl_eval(r, s, &name, &space));
    if (space.kind != TPL_NAMESPACE)
        return tpl_fail(r, FM_ERR_ARG, "'%.80s' is no namespace: only fields of one can be set",
                        target->name);
    if (target->attribute[0] == '_')
        return tpl_fail(r, FM_ERR_ARG, "a field of a namespace cannot begin with '_': rename it");
    FM_TRY(tpl_text_new(r, target->attribute, strlen(target->attribute), true, &key));
    return tpl_dict_set(r, space.dict, tpl_string(key), v);
}

static fm_status assign_tuple(tpl_run *r, tpl_scope *s, const tpl_node *target, tpl_value v) {
    tpl_list items;
    size_t i = 0, n = 0;
    FM_TRY(tpl_iterate(r, v, &items));
    for (const tpl_node *part = target->a; part; part = part->next) n++;
    if (n != items.count)
        return tpl_fail(r, FM_ERR_ARG, "%zu values are assigned to %zu names", items.count, n);
    for (const tpl_node *part = target->a; part; part = part->next)
        FM_TRY(tpl_assign(r, s, part, items.items[i++]));
    return FM_OK;
}

fm_status tpl_assign(tpl_run *r, tpl_scope *s, const tpl_node *target, tpl_value v) {
    r->at = target->at;
    FM_TRY(tpl_spend(r, 1));
    if (target->kind == TPL_NODE_TUPLE) return assign_tuple(r, s, target, v);
    if (target->kind == TPL_NODE_FIELD) return assign_field(r, s, target, v);
    return tpl_scope_set(r, s, target->name, v);
}

/* ---- Loops ----------------------------------------------------------------------------------- */

/** Takes the next item that the condition lets through; *found is false at the end. */
static fm_status take_item(tpl_run *r, tpl_loop *loop, tpl_value *out, bool *found) {
    *found = loop->has_next;
    *out = loop->next;
    loop->has_next = false;
    while (!*found && loop->taken < loop->items.count) {
        tpl_scope *s = NULL;
        tpl_value keeps = tpl_bool(true);
        *out = loop->items.items[loop->taken++];
        if (loop->is_filtered) {
            FM_TRY(tpl_scope_new(r, loop->scope, &s));
            FM_TRY(tpl_assign(r, s, loop->node->a, *out));
            FM_TRY(tpl_eval(r, s, loop->node->c, &keeps));
        }
        *found = tpl_truth(keeps);
    }
    return FM_OK;
}

fm_status tpl_loop_peek(tpl_run *r, tpl_loop *loop, bool *found) {
    FM_TRY(take_item(r, loop, &loop->next, found));
    loop->has_next = *found;
    return FM_OK;
}

/** The length is known once the condition was asked about all that is left. */
fm_status tpl_loop_length(tpl_run *r, tpl_loop *loop, int64_t *out) {
    tpl_items left = {0};
    tpl_value item;
    bool found = loop->is_filtered;
    while (found) {
        FM_TRY(take_item(r, loop, &item, &found));
        if (found) FM_TRY(tpl_items_add(r, &left, item));
    }
    if (loop->is_filtered) {
        loop->items = (tpl_list){left.items, left.count};
        loop->taken = 0;
        loop->is_filtered = false;
    }
    *out = loop->index + 1 + loop->has_next + (int64_t)(loop->items.count - loop->taken);
    return FM_OK;
}

/** Runs the body for one item, in a scope of its own within the one that has the variable loop. */
static fm_status run_item(tpl_run *r, tpl_scope *body, tpl_loop *loop, tpl_value item, flow *end) {
    tpl_scope *s = NULL;
    FM_TRY(tpl_scope_new(r, body, &s));
    loop->previous = loop->current;
    loop->current = item;
    loop->index++;
    FM_TRY(tpl_assign(r, s, loop->node->a, item));
    return run_body(r, s, loop->node->body, end);
}

fm_status tpl_run_loop(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value v, int depth) {
    flow end = FLOW_ON;
    bool found = true, completed = false;
    tpl_value item;
    tpl_scope *body = NULL;
    tpl_loop *loop = tpl_new(r, 1, sizeof *loop);
    if (!loop) return r->status;
    *loop = (tpl_loop){.node = node, .scope = s, .index = -1, .depth = depth};
    loop->is_filtered = node->c != NULL;
    loop->changed.kind = TPL_ABSENT;
    FM_TRY(tpl_iterate(r, v, &loop->items));
    FM_TRY(tpl_scope_new(r, s, &body));
    FM_TRY(tpl_scope_set(r, body, r->t->word_loop, (tpl_value){.kind = TPL_LOOP, .loop = loop}));
    while (end != FLOW_BREAK) {
        FM_TRY(take_item(r, loop, &item, &found));
        if (!found) break;
        FM_TRY(run_item(r, body, loop, item, &end));
        completed |= end == FLOW_ON; /* as in the reference: not when break or continue ended it */
    }
    if (completed || !node->other) return FM_OK;
    FM_TRY(tpl_scope_new(r, s, &s));
    return run_body(r, s, node->other, &end);
}

/* ---- Macros ---------------------------------------------------------------------------------- */

/** Finds a named argument; *taken counts those that a parameter took. */
static const tpl_value *find_named(const tpl_args *args, const char *name, size_t *taken) {
    for (size_t i = 0; i < args->n_named; i++)
        if (tpl_text_is(args->named[i].name, name)) {
            ++*taken;
            return &args->named[i].value;
        }
    return NULL;
}

static bool is_parameter(const tpl_node *macro, const tpl_text *name) {
    for (const tpl_node *n = macro->a; n; n = n->next)
        if (tpl_text_is(name, n->name)) return true;
    return false;
}

/** What the parameters left over: varargs, kwargs and caller, where the body asks for them. */
static fm_status bind_rest(tpl_run *r, tpl_scope *s, const tpl_node *macro, const tpl_args *args,
                           size_t n_placed) {
    tpl_value rest, caller = tpl_undefined("caller");
    tpl_dict *named;
    FM_TRY(tpl_dict_new(r, &named));
    for (size_t i = 0; i < args->n_named; i++) {
        const tpl_named *n = &args->named[i];
        if (is_parameter(macro, n->name)) continue;
        bool is_caller = tpl_text_is(n->name, "caller");
        if (is_caller && (macro->uses & TPL_USES_CALLER)) {
            caller = n->value;
            continue;
        }
        if (!(macro->uses & TPL_USES_KWARGS) || is_caller)
            return tpl_fail(r, FM_ERR_ARG, "the macro takes no argument '%.*s'",
                            (int)(n->name->length < 80 ? n->name->length : 80), n->name->bytes);
        FM_TRY(tpl_dict_set(r, named, tpl_string(n->name), n->value));
    }
    if (n_placed < args->count && !(macro->uses & TPL_USES_VARARGS))
        return tpl_fail(r, FM_ERR_ARG, "the macro takes %zu arguments at most", n_placed);
    if (macro->uses & TPL_USES_VARARGS) {
        const tpl_value *values = args->count > 0 ? args->values + n_placed : NULL;
        FM_TRY(tpl_list_new(r, TPL_TUPLE, values, args->count - n_placed, &rest));
        FM_TRY(tpl_scope_set(r, s, r->t->word_varargs, rest));
    }
    if (macro->uses & TPL_USES_KWARGS)
        FM_TRY(
            tpl_scope_set(r, s, r->t->word_kwargs, (tpl_value){.kind = TPL_DICT, .dict = named}));
    if (macro->uses & TPL_USES_CALLER) FM_TRY(tpl_scope_set(r, s, r->t->word_caller, caller));
    return FM_OK;
}

static fm_status bind_parameters(tpl_run *r, tpl_scope *s, const tpl_node *macro,
                                 const tpl_args *args) {
    size_t n_placed = 0, n_taken = 0;
    /* A parameter that is named caller is one like any other. */
    for (const tpl_node *n = macro->a; n; n = n->next) n_placed++;
    if (n_placed > args->count) n_placed = args->count;
    FM_TRY(bind_rest(r, s, macro, args, n_placed));
    size_t i = 0;
    for (const tpl_node *n = macro->a; n; n = n->next, i++) {
        tpl_value v = tpl_undefined(n->name);
        const tpl_value *named = find_named(args, n->name, &n_taken);
        if (i < n_placed && named)
            return tpl_fail(r, FM_ERR_ARG, "the argument '%.80s' is given twice", n->name);
        if (i < n_placed)
            v = args->values[i];
        else if (named)
            v = *named;
        else if (n->a)
            FM_TRY(tpl_eval(r, s, n->a, &v));
        FM_TRY(tpl_scope_set(r, s, n->name, v));
    }
    return FM_OK;
}

fm_status tpl_call_macro(tpl_run *r, const tpl_macro *macro, const tpl_args *args, tpl_value *out) {
    tpl_scope *s = NULL;
    size_t at = r->at;
    if (r->n_calls == TPL_MAX_CALLS) return tpl_fail_limit(r, "macros that call each other");
    r->n_calls++;
    FM_TRY(tpl_scope_new(r, macro->scope, &s));
    FM_TRY(bind_parameters(r, s, macro->node, args));
    FM_TRY(tpl_capture(r, s, macro->node->body, out));
    r->n_calls--;
    r->at = at;
    return FM_OK;
}

static fm_status make_macro(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    tpl_macro *macro = tpl_new(r, 1, sizeof *macro);
    if (!macro) return r->status;
    *macro = (tpl_macro){node, s};
    *out = (tpl_value){.kind = TPL_MACRO, .macro = macro};
    return FM_OK;
}

/** What a block gives has to be text. */
static fm_status emit_string(tpl_run *r, tpl_value v) {
    if (v.kind == TPL_STRING) return tpl_emit(r, v.text);
    return tpl_fail(r, FM_ERR_ARG, "a block gives %s instead of a string", tpl_kind_name(v));
}

/** Calls a macro with the body as its caller. A generation block has no call: it is its body. */
static fm_status run_caller(tpl_run *r, tpl_scope *s, const tpl_node *node) {
    static const tpl_text word = {.bytes = "caller", .length = 6, .is_template = true};
    tpl_named caller = {.name = &word};
    tpl_value v;
    FM_TRY(make_macro(r, s, node, &caller.value));
    if (node->b) {
        FM_TRY(tpl_eval(r, s, node->b->a, &v));
        FM_TRY(tpl_eval_steps(r, s, node->b->b, &caller, &v));
    } else {
        FM_TRY(tpl_call_macro(r, caller.value.macro, &(tpl_args){0}, &v));
    }
    return emit_string(r, v);
}

/* ---- Statements ------------------------------------------------------------------------------ */

static fm_status run_if(tpl_run *r, tpl_scope *s, const tpl_node *node, flow *end) {
    for (const tpl_node *branch = node->a; branch; branch = branch->next) {
        tpl_value holds = tpl_bool(true);
        if (branch->a) FM_TRY(tpl_eval(r, s, branch->a, &holds));
        if (tpl_truth(holds)) return run_body(r, s, branch->body, end);
    }
    return FM_OK;
}

/** What a block holds, through the filters at its head. */
static fm_status run_filtered(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    tpl_scope *inner = NULL;
    FM_TRY(tpl_scope_new(r, s, &inner));
    FM_TRY(tpl_capture(r, inner, node->body, out));
    return tpl_eval_steps(r, s, node->b, NULL, out);
}

static fm_status run_scope(tpl_run *r, tpl_scope *s, const tpl_node *node, flow *end) {
    tpl_scope *inner = NULL;
    tpl_value v;
    FM_TRY(tpl_scope_new(r, s, &inner));
    for (const tpl_node *entry = node->a; entry; entry = entry->next) {
        FM_TRY(tpl_eval(r, s, entry->a, &v));
        FM_TRY(tpl_assign(r, inner, entry->b, v));
    }
    return run_body(r, inner, node->body, end);
}

/** A number is written without a text of it that would stay. */
static fm_status emit_value(tpl_run *r, tpl_value v) {
    const tpl_text *text = NULL;
    char digits[32];
    if (v.kind == TPL_INT) {
        int length = snprintf(digits, sizeof digits, "%" PRId64, v.integer);
        return tpl_emit(
            r,
            &(tpl_text){.bytes = digits, .length = (size_t)length, .is_template = !v.from_input});
    }
    FM_TRY(tpl_str(r, v, &text));
    return tpl_emit(r, text);
}

static fm_status run_statement(tpl_run *r, tpl_scope *s, const tpl_node *node, flow *end) {
    tpl_value v;
    switch (node->kind) {
    case TPL_NODE_TEXT:
        return tpl_emit(r, node->value.text);
    case TPL_NODE_PRINT:
        FM_TRY(tpl_eval(r, s, node->a, &v));
        return emit_value(r, v);
    case TPL_NODE_SET:
        FM_TRY(tpl_eval(r, s, node->b, &v));
        return tpl_assign(r, s, node->a, v);
    case TPL_NODE_SET_BLOCK:
        FM_TRY(run_filtered(r, s, node, &v));
        return tpl_assign(r, s, node->a, v);
    case TPL_NODE_FILTERED:
        FM_TRY(run_filtered(r, s, node, &v));
        return emit_string(r, v);
    case TPL_NODE_FOR:
        FM_TRY(tpl_eval(r, s, node->b, &v));
        return tpl_run_loop(r, s, node, v, 0);
    case TPL_NODE_IF:
        return run_if(r, s, node, end);
    case TPL_NODE_MACRO:
        FM_TRY(make_macro(r, s, node, &v));
        return tpl_scope_set(r, s, node->name, v);
    case TPL_NODE_CALLER:
        return run_caller(r, s, node);
    case TPL_NODE_SCOPE:
        return run_scope(r, s, node, end);
    default:
        *end = node->kind == TPL_NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
        return FM_OK;
    }
}

static fm_status run_body(tpl_run *r, tpl_scope *s, const tpl_node *body, flow *end) {
    *end = FLOW_ON;
    FM_TRY(tpl_enter_level(r));
    for (const tpl_node *node = body; node && *end == FLOW_ON; node = node->next) {
        r->at = node->at;
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(run_statement(r, s, node, end));
    }
    tpl_leave_level(r);
    return FM_OK;
}

fm_status tpl_run_template(tpl_run *r) {
    tpl_scope *s = NULL;
    flow end;
    FM_TRY(tpl_scope_new(r, NULL, &s));
    return run_body(r, s, r->t->body, &end);
}
