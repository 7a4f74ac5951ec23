/* tpl_eval.c - expressions. */
#include "tpl_eval.h"

#include <string.h>

#include "tpl_filter.h"
#include "tpl_test.h"

/* ---- Scopes ---------------------------------------------------------------------------------- */

fm_status tpl_scope_new(tpl_run *r, tpl_scope *parent, tpl_scope **out) {
    *out = tpl_new(r, 1, sizeof **out);
    if (!*out) return r->status;
    (*out)->parent = parent;
    return FM_OK;
}

/** The variable of this very scope, or NULL. */
static fm_status find_variable(tpl_run *r, const tpl_scope *s, const char *name,
                               tpl_variable **out) {
    size_t n_looked = 0;
    *out = s->variables;
    while (*out && (*out)->name != name) {
        *out = (*out)->next;
        n_looked++;
    }
    return tpl_spend(r, n_looked / 64);
}

fm_status tpl_scope_set(tpl_run *r, tpl_scope *s, const char *name, tpl_value v) {
    tpl_variable *variable = NULL;
    FM_TRY(find_variable(r, s, name, &variable));
    if (!variable) {
        variable = tpl_new(r, 1, sizeof *variable);
        if (!variable) return r->status;
        variable->next = s->variables;
        variable->name = name;
        s->variables = variable;
    }
    variable->value = v;
    return FM_OK;
}

static fm_status eval_name(tpl_run *r, const tpl_scope *s, const char *name, tpl_value *out) {
    tpl_variable *variable = NULL;
    size_t length = strlen(name);
    for (; s; s = s->parent) {
        FM_TRY(find_variable(r, s, name, &variable));
        if (!variable) continue;
        *out = variable->value;
        return FM_OK;
    }
    const tpl_value *value = tpl_dict_get(r->input, name, length);
    if (!value) value = tpl_dict_get(r->names, name, length);
    *out = value ? *value : tpl_undefined(name);
    return FM_OK;
}

/* ---- Collections ----------------------------------------------------------------------------- */

static fm_status eval_list(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_kind kind,
                           tpl_value *out) {
    tpl_items items = {0};
    for (const tpl_node *n = node->a; n; n = n->next) {
        tpl_value item;
        FM_TRY(tpl_eval(r, s, n, &item));
        FM_TRY(tpl_items_add(r, &items, item));
    }
    return tpl_list_new(r, kind, items.items, items.count, out);
}

static fm_status eval_map(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    tpl_dict *d;
    FM_TRY(tpl_dict_new(r, &d));
    for (const tpl_node *n = node->a; n; n = n->next->next) {
        tpl_value key, value;
        FM_TRY(tpl_eval(r, s, n, &key));
        FM_TRY(tpl_eval(r, s, n->next, &value));
        FM_TRY(tpl_dict_set(r, d, key, value));
    }
    *out = (tpl_value){.kind = TPL_DICT, .dict = d};
    return FM_OK;
}

/* ---- Operators ------------------------------------------------------------------------------- */

static fm_status eval_chain(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    FM_TRY(tpl_eval(r, s, node->a, out));
    for (const tpl_node *n = node->a->next; n; n = n->next) {
        tpl_value right;
        FM_TRY(tpl_eval(r, s, n, &right));
        r->at = n->at;
        FM_TRY(tpl_binary(r, (tpl_op)n->op, *out, right, out));
    }
    return FM_OK;
}

static fm_status eval_join(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    const tpl_text *joined = NULL, *text = NULL;
    for (const tpl_node *n = node->a; n; n = n->next) {
        FM_TRY(tpl_eval(r, s, n, out));
        FM_TRY(tpl_str(r, *out, &text));
        if (joined)
            FM_TRY(tpl_text_join(r, joined, text, &joined));
        else
            joined = text;
    }
    *out = tpl_string(joined);
    return FM_OK;
}

static fm_status eval_comparison(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    tpl_value left, right;
    bool holds = true;
    FM_TRY(tpl_eval(r, s, node->a, &left));
    for (const tpl_node *n = node->a->next; n && holds; n = n->next, left = right) {
        FM_TRY(tpl_eval(r, s, n, &right));
        r->at = n->at;
        FM_TRY(tpl_compares(r, (tpl_op)n->op, left, right, &holds));
    }
    *out = tpl_bool(holds);
    return FM_OK;
}

/** `and` and `or` give the operand that decides. */
static fm_status eval_words(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    for (const tpl_node *n = node->a; n; n = n->next) {
        FM_TRY(tpl_eval(r, s, n, out));
        if (tpl_truth(*out) == (node->kind == TPL_NODE_OR)) break;
    }
    return FM_OK;
}

static fm_status eval_choice(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    tpl_value condition;
    FM_TRY(tpl_eval(r, s, node->a, &condition));
    if (tpl_truth(condition)) return tpl_eval(r, s, node->b, out);
    if (node->c) return tpl_eval(r, s, node->c, out);
    *out = tpl_undefined("the value of an if without else");
    return FM_OK;
}

/* ---- Arguments ------------------------------------------------------------------------------- */

typedef struct argument_list {
    tpl_items values;
    tpl_named *named; /* [n_named] */
    size_t n_named, capacity;
} argument_list;

static fm_status add_named(tpl_run *r, argument_list *list, const tpl_text *name, tpl_value v) {
    for (size_t i = 0; i < list->n_named; i++)
        if (tpl_text_equal(list->named[i].name, name))
            return tpl_fail(r, FM_ERR_ARG, "the argument '%.*s' is given twice",
                            (int)(name->length < 80 ? name->length : 80), name->bytes);
    if (list->n_named == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        tpl_named *named = tpl_new(r, capacity, sizeof *named);
        if (!named) return r->status;
        if (list->n_named > 0) memcpy(named, list->named, list->n_named * sizeof *named);
        list->named = named;
        list->capacity = capacity;
    }
    list->named[list->n_named++] = (tpl_named){name, v};
    return tpl_spend(r, list->n_named / 16);
}

static fm_status add_spread(tpl_run *r, argument_list *list, tpl_value v, bool is_map) {
    tpl_list items;
    if (!is_map) {
        FM_TRY(tpl_iterate(r, v, &items));
        FM_TRY(tpl_spend(r, items.count));
        for (size_t i = 0; i < items.count; i++)
            FM_TRY(tpl_items_add(r, &list->values, items.items[i]));
        return FM_OK;
    }
    if (v.kind != TPL_DICT)
        return tpl_fail(r, FM_ERR_ARG, "%s stands behind ** instead of a mapping",
                        tpl_kind_name(v));
    for (size_t i = 0; i < v.dict->count; i++) {
        const tpl_entry *entry = &v.dict->entries[i];
        if (entry->key.kind != TPL_STRING)
            return tpl_fail(r, FM_ERR_ARG, "%s cannot name an argument", tpl_kind_name(entry->key));
        FM_TRY(add_named(r, list, entry->key.text, entry->value));
    }
    return FM_OK;
}

static fm_status eval_arguments(tpl_run *r, tpl_scope *s, const tpl_node *arguments,
                                const tpl_named *extra, tpl_args *out) {
    argument_list list = {0};
    for (const tpl_node *n = arguments; n; n = n->next) {
        tpl_value v;
        const tpl_text *name = NULL;
        FM_TRY(tpl_eval(r, s, n->a, &v));
        if (n->op) {
            FM_TRY(add_spread(r, &list, v, n->op == 'd'));
        } else if (n->name) {
            FM_TRY(tpl_text_new(r, n->name, strlen(n->name), true, &name));
            FM_TRY(add_named(r, &list, name, v));
        } else {
            FM_TRY(tpl_items_add(r, &list.values, v));
        }
    }
    if (extra) FM_TRY(add_named(r, &list, extra->name, extra->value));
    *out = (tpl_args){list.values.items, list.values.count, list.named, list.n_named};
    return FM_OK;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static fm_status eval_slice(tpl_run *r, tpl_scope *s, const tpl_node *step, tpl_value *v) {
    const tpl_node *const nodes[3] = {step->a, step->b, step->c};
    tpl_value part[3];
    for (int i = 0; i < 3; i++) {
        part[i] = tpl_none();
        if (nodes[i]) FM_TRY(tpl_eval(r, s, nodes[i], &part[i]));
    }
    r->at = step->at;
    fm_status status = tpl_get_slice(r, *v, part, v);
    bool is_zero = part[2].kind == TPL_INT && part[2].integer == 0;
    if (status != FM_ERR_ARG || !step->op || is_zero) return status;
    r->status = FM_OK;
    *v = tpl_undefined("a slice");
    return tpl_spend_bytes(r, r->at); /* which were gone through for the failure's line */
}

static fm_status eval_test(tpl_run *r, tpl_scope *s, const tpl_node *step, tpl_value *v) {
    tpl_args args;
    bool holds = false;
    FM_TRY(eval_arguments(r, s, step->a, NULL, &args));
    r->at = step->at;
    if (!step->test) return tpl_fail(r, FM_ERR_ARG, "there is no test '%.80s'", step->name);
    FM_TRY(tpl_test_apply(r, step->test, *v, &args, &holds));
    *v = tpl_bool(holds != (step->op != 0));
    return FM_OK;
}

static fm_status eval_step(tpl_run *r, tpl_scope *s, const tpl_node *step, const tpl_named *extra,
                           tpl_value *v) {
    tpl_args args;
    tpl_value key;
    switch (step->kind) {
    case TPL_NODE_ATTRIBUTE:
        return tpl_get_attribute(r, *v, step->name, v);
    case TPL_NODE_ITEM:
        FM_TRY(tpl_eval(r, s, step->a, &key));
        r->at = step->at;
        return tpl_get_item(r, *v, key, v);
    case TPL_NODE_SLICE:
        return eval_slice(r, s, step, v);
    case TPL_NODE_TEST:
        return eval_test(r, s, step, v);
    case TPL_NODE_FILTER:
        FM_TRY(eval_arguments(r, s, step->a, NULL, &args));
        r->at = step->at;
        if (!step->filter) return tpl_fail(r, FM_ERR_ARG, "there is no filter '%.80s'", step->name);
        return tpl_filter_apply(r, step->filter, *v, &args, v);
    default: /* TPL_NODE_CALL */
        FM_TRY(eval_arguments(r, s, step->a, extra, &args));
        r->at = step->at;
        return tpl_call_value(r, *v, &args, v);
    }
}

fm_status tpl_eval_steps(tpl_run *r, tpl_scope *s, const tpl_node *steps, const tpl_named *extra,
                         tpl_value *v) {
    for (const tpl_node *step = steps; step; step = step->next) {
        r->at = step->at;
        FM_TRY(tpl_spend(r, 1));
        FM_TRY(eval_step(r, s, step, step->next ? NULL : extra, v));
    }
    return FM_OK;
}

/* ---- Expressions ----------------------------------------------------------------------------- */

static fm_status eval_node(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    switch (node->kind) {
    case TPL_NODE_LIST:
        return eval_list(r, s, node, TPL_LIST, out);
    case TPL_NODE_TUPLE:
        return eval_list(r, s, node, TPL_TUPLE, out);
    case TPL_NODE_MAP:
        return eval_map(r, s, node, out);
    case TPL_NODE_CHAIN:
        return eval_chain(r, s, node, out);
    case TPL_NODE_JOIN:
        return eval_join(r, s, node, out);
    case TPL_NODE_COMPARE:
        return eval_comparison(r, s, node, out);
    case TPL_NODE_AND:
    case TPL_NODE_OR:
        return eval_words(r, s, node, out);
    case TPL_NODE_NOT:
        FM_TRY(tpl_eval(r, s, node->a, out));
        *out = tpl_bool(!tpl_truth(*out));
        return FM_OK;
    case TPL_NODE_NEGATE:
    case TPL_NODE_PLUS:
        FM_TRY(tpl_eval(r, s, node->a, out));
        r->at = node->at;
        return tpl_negate(r, *out, node->kind == TPL_NODE_PLUS, out);
    case TPL_NODE_CHOICE:
        return eval_choice(r, s, node, out);
    default: /* TPL_NODE_POSTFIX */
        FM_TRY(tpl_eval(r, s, node->a, out));
        return tpl_eval_steps(r, s, node->b, NULL, out);
    }
}

fm_status tpl_enter_level(tpl_run *r) {
    if (r->n_levels == TPL_MAX_LEVELS) return tpl_fail_limit(r, "levels inside each other");
    r->n_levels++;
    return FM_OK;
}

fm_status tpl_eval(tpl_run *r, tpl_scope *s, const tpl_node *node, tpl_value *out) {
    r->at = node->at;
    FM_TRY(tpl_spend(r, 1));
    if (node->kind == TPL_NODE_CONST) {
        *out = node->value;
        return FM_OK;
    }
    if (node->kind == TPL_NODE_NAME) return eval_name(r, s, node->name, out);
    FM_TRY(tpl_enter_level(r));
    FM_TRY(eval_node(r, s, node, out));
    tpl_leave_level(r);
    return FM_OK;
}
