/*
 * tpl_parse_operator.c - operators, from what binds least to what binds most. What associates to
 * the left becomes one node with all its operands, so that only brackets nest.
 */
#include <string.h>

#include "tpl_parse.h"

/* ---- Chains ---------------------------------------------------------------------------------- */

/* The operators of each level of chains, tightest last. */
typedef struct level_row {
    const char *text;
    uint8_t level, op;
} level_row;

enum { LEVEL_SUM, LEVEL_JOIN, LEVEL_PRODUCT, LEVEL_POWER, LEVEL_UNARY };

static const level_row level_rows[] = {
    {"+", LEVEL_SUM, TPL_OP_ADD},        {"-", LEVEL_SUM, TPL_OP_SUBTRACT},
    {"~", LEVEL_JOIN, TPL_OP_ADD},       {"*", LEVEL_PRODUCT, TPL_OP_MULTIPLY},
    {"/", LEVEL_PRODUCT, TPL_OP_DIVIDE}, {"//", LEVEL_PRODUCT, TPL_OP_DIVIDE_DOWN},
    {"%", LEVEL_PRODUCT, TPL_OP_REST},   {"**", LEVEL_POWER, TPL_OP_POWER},
};

static uint8_t level_op(const tpl_parser *p, int level) {
    for (size_t i = 0; i < sizeof level_rows / sizeof level_rows[0]; i++)
        if (level_rows[i].level == level && tpl_is_operator(p, level_rows[i].text))
            return level_rows[i].op;
    return TPL_OP_NONE;
}

/** A node that holds `first` as the first of its operands. */
static fm_status begin_operands(tpl_parser *p, tpl_node_kind kind, tpl_node *first, tpl_node **out,
                                tpl_node ***last) {
    FM_TRY(tpl_node_new(p, kind, out));
    (*out)->at = first->at;
    (*out)->a = first;
    *last = &first->next;
    return FM_OK;
}

static fm_status parse_level(tpl_parser *p, int level, tpl_node **out) {
    tpl_node *operand, **last = NULL;
    if (level == LEVEL_UNARY) return tpl_parse_operand(p, out);
    FM_TRY(parse_level(p, level + 1, out));
    for (uint8_t op; (op = level_op(p, level)) != TPL_OP_NONE;) {
        tpl_node_kind kind = level == LEVEL_JOIN ? TPL_NODE_JOIN : TPL_NODE_CHAIN;
        if (!last) FM_TRY(begin_operands(p, kind, *out, out, &last));
        FM_TRY(tpl_next(p));
        FM_TRY(parse_level(p, level + 1, &operand));
        operand->op = op;
        tpl_append(&last, operand);
    }
    return FM_OK;
}

/* ---- Comparisons and words ------------------------------------------------------------------- */

/** Takes a comparison's operator; *op is TPL_OP_NONE when there is none. */
static fm_status take_comparison(tpl_parser *p, uint8_t *op) {
    static const level_row rows[] = {
        {"==", 0, TPL_OP_EQUAL},   {"!=", 0, TPL_OP_UNEQUAL}, {"<", 0, TPL_OP_BELOW},
        {"<=", 0, TPL_OP_AT_MOST}, {">", 0, TPL_OP_ABOVE},    {">=", 0, TPL_OP_AT_LEAST},
    };
    *op = TPL_OP_NONE;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (tpl_is_operator(p, rows[i].text)) *op = rows[i].op;
    if (tpl_is_name(p, "in")) *op = TPL_OP_IN;
    if (tpl_is_name(p, "not")) {
        FM_TRY(tpl_look(p));
        bool is_in = p->ahead.kind == TPL_TOKEN_NAME && p->ahead.length == 2 &&
                     memcmp(p->ahead.text, "in", 2) == 0;
        if (is_in) *op = TPL_OP_NOT_IN;
        if (is_in) FM_TRY(tpl_next(p));
    }
    return *op == TPL_OP_NONE ? FM_OK : tpl_next(p);
}

static fm_status parse_comparison(tpl_parser *p, tpl_node **out) {
    tpl_node *operand, **last = NULL;
    FM_TRY(parse_level(p, LEVEL_SUM, out));
    for (uint8_t op;;) {
        FM_TRY(take_comparison(p, &op));
        if (op == TPL_OP_NONE) return FM_OK;
        if (!last) FM_TRY(begin_operands(p, TPL_NODE_COMPARE, *out, out, &last));
        FM_TRY(parse_level(p, LEVEL_SUM, &operand));
        operand->op = op;
        tpl_append(&last, operand);
    }
}

static fm_status parse_not(tpl_parser *p, tpl_node **out) {
    if (!tpl_is_name(p, "not")) return parse_comparison(p, out);
    FM_TRY(tpl_enter(p));
    FM_TRY(tpl_node_new(p, TPL_NODE_NOT, out));
    FM_TRY(tpl_next(p));
    FM_TRY(parse_not(p, &(*out)->a));
    p->depth--;
    return FM_OK;
}

/** Operands with one word between them, each read by `parse`. */
static fm_status parse_words(tpl_parser *p, const char *word, tpl_node_kind kind,
                             fm_status (*parse)(tpl_parser *, tpl_node **), tpl_node **out) {
    tpl_node *operand, **last = NULL;
    FM_TRY(parse(p, out));
    while (tpl_is_name(p, word)) {
        if (!last) FM_TRY(begin_operands(p, kind, *out, out, &last));
        FM_TRY(tpl_next(p));
        FM_TRY(parse(p, &operand));
        tpl_append(&last, operand);
    }
    return FM_OK;
}

static fm_status parse_and(tpl_parser *p, tpl_node **out) {
    return parse_words(p, "and", TPL_NODE_AND, parse_not, out);
}

static fm_status parse_or(tpl_parser *p, tpl_node **out) {
    return parse_words(p, "or", TPL_NODE_OR, parse_and, out);
}

/** "value if condition else other", from its value on. */
static fm_status parse_choice(tpl_parser *p, tpl_node *value, tpl_node **out) {
    bool found = false, was_conditional = p->is_conditional;
    FM_TRY(tpl_node_new(p, TPL_NODE_CHOICE, out));
    (*out)->at = value->at;
    (*out)->b = value;
    p->is_conditional = true;
    FM_TRY(tpl_next(p));
    FM_TRY(parse_or(p, &(*out)->a));
    FM_TRY(tpl_skip_name(p, "else", &found));
    if (found) FM_TRY(tpl_parse_expression(p, true, &(*out)->c));
    p->is_conditional = was_conditional;
    return FM_OK;
}

fm_status tpl_parse_expression(tpl_parser *p, bool choice, tpl_node **out) {
    int n_choices = 0;
    FM_TRY(tpl_enter(p));
    FM_TRY(parse_or(p, out));
    while (choice && tpl_is_name(p, "if")) {
        /* "a if b if c" nests to the left. */
        for (int i = 0; i < n_choices; i++) FM_TRY(tpl_enter(p));
        FM_TRY(parse_choice(p, *out, out));
        p->depth -= n_choices;
        n_choices++;
    }
    p->depth--;
    return FM_OK;
}
