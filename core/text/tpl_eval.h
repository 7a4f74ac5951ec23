/*
 * tpl_eval.h - the evaluator: expressions give values, statements give text. Scopes are chained to
 * the one around them; a macro keeps the scope where it was defined.
 */
#ifndef FATHOM_TEXT_TPL_EVAL_H
#define FATHOM_TEXT_TPL_EVAL_H

#include "tpl_call.h"
#include "tpl_run.h"
#include "tpl_tree.h"

typedef struct tpl_variable {
    struct tpl_variable *next;
    const char *name; /* the parser's one pointer */
    tpl_value value;
} tpl_variable;

struct tpl_scope {
    tpl_scope *parent; /* NULL: the outermost */
    tpl_variable *variables;
};

/** A scope inside another. */
fm_status tpl_scope_new(tpl_run *r, tpl_scope *parent, tpl_scope **out);
/** Sets a variable of this very scope. */
fm_status tpl_scope_set(tpl_run *r, tpl_scope *s, const char *name, tpl_value v);

fm_status tpl_eval(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out);

/** Applies steps (of a postfix, or filters) to a value. `extra` (may be NULL) is a named argument
 * that the last step, a call, gets besides its own. */
fm_status tpl_eval_steps(tpl_run *r, tpl_scope *s, const tpl_node *steps, const tpl_named *extra,
                         tpl_value *v);

/** Runs the statements of a template from its outermost scope. */
fm_status tpl_run_template(tpl_run *r);
/** Runs statements and gives the text they made. */
fm_status tpl_capture(tpl_run *r, tpl_scope *s, const tpl_node *body, tpl_value *out);
/** Assigns to a target: a name, a field of a namespace, or a tuple of them. */
fm_status tpl_assign(tpl_run *r, tpl_scope *s, const tpl_node *target, tpl_value v);

/** Calls whatever can be called. */
fm_status tpl_call_value(tpl_run *r, tpl_value callee, const tpl_args *args, tpl_value *out);
/** A macro with its arguments bound. */
fm_status tpl_call_macro(tpl_run *r, const tpl_macro *macro, const tpl_args *args, tpl_value *out);

/** One level more of what is being evaluated; tpl_leave takes it off. */
fm_status tpl_enter_level(tpl_run *r);
static inline void tpl_leave_level(tpl_run *r) {
    r->n_levels--;
}

/* ---- Attributes and items -------------------------------------------------------------------- */

/** value.name: the attribute first, then the item. */
fm_status tpl_get_attribute(tpl_run *r, tpl_value v, const char *name, tpl_value *out);
/** value[key]: the item first, then the attribute. */
fm_status tpl_get_item(tpl_run *r, tpl_value v, tpl_value key, tpl_value *out);
/** value[start:end:step]; parts may be absent. */
fm_status tpl_get_slice(tpl_run *r, tpl_value v, const tpl_value part[3], tpl_value *out);

/* ---- Loops ----------------------------------------------------------------------------------- */

/** Runs the body of a loop for each of `v`. `depth`: of loops that call themselves, from 0. */
fm_status tpl_run_loop(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value v, int depth);
/** Takes the next item in advance; *found is false when there is none. */
fm_status tpl_loop_peek(tpl_run *r, tpl_loop *loop, bool *found);
fm_status tpl_loop_length(tpl_run *r, tpl_loop *loop, int64_t *out);
/** loop.name */
fm_status tpl_loop_get(tpl_run *r, tpl_loop *loop, const char *name, tpl_value *out);

/* ---- Operators ------------------------------------------------------------------------------- */

fm_status tpl_binary(tpl_run *r, tpl_op op, tpl_value a, tpl_value b, tpl_value *out);
fm_status tpl_negate(tpl_run *r, tpl_value a, bool is_plus, tpl_value *out);
fm_status tpl_compares(tpl_run *r, tpl_op op, tpl_value a, tpl_value b, bool *out);

/* ---- Texts of values ------------------------------------------------------------------------- */

/** What printing a value gives, as Python's str: a string is itself. */
fm_status tpl_str(tpl_run *r, tpl_value v, const tpl_text **out);
/** Appends the same, or Python's repr. */
void tpl_add_str(tpl_builder *b, tpl_value v);
void tpl_add_repr(tpl_builder *b, tpl_value v);

typedef struct tpl_json_style {
    bool ascii, sorts;
    int64_t indent;              /* spaces; -1: all on one line */
    const tpl_text *indent_text; /* instead of spaces; NULL: none */
    const tpl_text *item, *key;  /* separators */
} tpl_json_style;

/** Appends a value as JSON, as Python's json.dumps writes it. */
void tpl_add_json(tpl_builder *b, tpl_value v, const tpl_json_style *style);

/** "text" % values, and the method format. */
fm_status tpl_format_percent(tpl_run *r, const tpl_text *format, tpl_value values, tpl_value *out);
fm_status tpl_format_braces(tpl_run *r, const tpl_text *format, const tpl_args *args,
                            tpl_value *out);
/** The current time as strftime writes it in the C locale. */
fm_status tpl_format_time(tpl_run *r, const tpl_text *format, int64_t seconds, tpl_value *out);

/** What is made of a string that went through the filter safe has gone through it, too. */
fm_status tpl_keep_safe(tpl_run *r, const tpl_text *from, tpl_value *v);
/** Escapes & < > ' " for HTML. */
fm_status tpl_escape(tpl_run *r, tpl_value v, const tpl_text **out);

/* ---- Input ----------------------------------------------------------------------------------- */

/** Reads a JSON text; its strings are marked as input. */
fm_status tpl_json_read(tpl_run *r, const char *text, size_t length, tpl_value *out);

#endif
