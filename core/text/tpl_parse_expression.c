/*
 * tpl_parse_expression.c - operands of expressions: literals, names, what is in brackets, and the
 * steps behind them.
 */
#include <string.h>

#include "tpl_filter.h"
#include "tpl_number.h"
#include "tpl_parse.h"
#include "tpl_test.h"

/* ---- Literals -------------------------------------------------------------------------------- */

static fm_status parse_string(tpl_parser *p, tpl_node **out) {
    size_t length = 0;
    FM_TRY(tpl_node_new(p, TPL_NODE_CONST, out));
    tpl_text *text = tpl_parse_new(p, 1, sizeof *text);
    if (!text) return p->err->status;
    *text = (tpl_text){.bytes = p->token.text, .length = p->token.length, .is_template = true};
    (*out)->value = tpl_string(text);
    FM_TRY(tpl_next(p));
    while (p->token.kind == TPL_TOKEN_STRING) { /* strings beside each other are one */
        length = text->length + p->token.length;
        char *joined = tpl_parse_new(p, length, 1);
        if (!joined) return p->err->status;
        memcpy(joined, text->bytes, text->length);
        memcpy(joined + text->length, p->token.text, p->token.length);
        text->bytes = joined;
        text->length = length;
        FM_TRY(tpl_next(p));
    }
    return FM_OK;
}

/** Reads the digits of a number without the underscores in it. */
static fm_status copy_digits(tpl_parser *p, char *out, size_t size, size_t *length) {
    *length = 0;
    for (size_t i = 0; i < p->token.length; i++) {
        if (p->token.text[i] == '_') continue;
        if (*length == size) return tpl_parse_fail(p, "a number has more than %zu digits", size);
        out[(*length)++] = p->token.text[i];
    }
    return FM_OK;
}

/** A number that no int64_t holds keeps its digits. */
static fm_status make_big(tpl_parser *p, const char *digits, size_t length, tpl_node *node) {
    tpl_text *text = tpl_parse_new(p, 1, sizeof *text);
    char *copy = tpl_parse_new(p, length, 1);
    if (!text || !copy) return p->err->status;
    memcpy(copy, digits, length);
    *text = (tpl_text){.bytes = copy, .length = length, .is_template = true};
    node->value = (tpl_value){.kind = TPL_BIG, .text = text};
    return tpl_next(p);
}

static fm_status parse_number(tpl_parser *p, tpl_node **out) {
    char digits[400];
    size_t length;
    int base = 10, prefix = 0;
    double real = 0;
    int64_t whole = 0;
    FM_TRY(tpl_node_new(p, TPL_NODE_CONST, out));
    FM_TRY(copy_digits(p, digits, sizeof digits, &length));
    if (p->token.kind == TPL_TOKEN_FLOAT) {
        tpl_number_read(digits, length, &real);
        (*out)->value = tpl_float(real);
        return tpl_next(p);
    }
    if (length > 2 && digits[0] == '0') {
        char letter = (char)(digits[1] | 0x20);
        base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
        prefix = base == 10 ? 0 : 2;
    }
    if (tpl_number_read_whole(digits + prefix, length - (size_t)prefix, base, &whole)) {
        (*out)->value = tpl_int(whole);
        return tpl_next(p);
    }
    if (base != 10) return tpl_parse_fail(p, "a whole number has more than 64 bits");
    return make_big(p, digits, length, *out);
}

static fm_status parse_list(tpl_parser *p, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_LIST, out));
    FM_TRY(tpl_next(p));
    tpl_node **last = &(*out)->a, *item;
    while (!tpl_is_operator(p, "]")) {
        FM_TRY(tpl_parse_expression(p, true, &item));
        tpl_append(&last, item);
        FM_TRY(tpl_skip_operator(p, ",", &found));
        if (!found) break;
    }
    return tpl_expect_operator(p, "]");
}

static fm_status parse_map(tpl_parser *p, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_MAP, out));
    FM_TRY(tpl_next(p));
    tpl_node **last = &(*out)->a, *key, *value;
    while (!tpl_is_operator(p, "}")) {
        FM_TRY(tpl_parse_expression(p, true, &key));
        FM_TRY(tpl_expect_operator(p, ":"));
        FM_TRY(tpl_parse_expression(p, true, &value));
        tpl_append(&last, key);
        tpl_append(&last, value);
        FM_TRY(tpl_skip_operator(p, ",", &found));
        if (!found) break;
    }
    return tpl_expect_operator(p, "}");
}

static bool is_tuple_end(const tpl_parser *p) {
    return p->token.kind == TPL_TOKEN_PRINT_END || p->token.kind == TPL_TOKEN_TAG_END ||
           p->token.kind == TPL_TOKEN_END || tpl_is_operator(p, ")");
}

/** Items from the first one on, up to where a tuple ends. */
static fm_status parse_items(tpl_parser *p, bool choice, tpl_node *first, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_TUPLE, out));
    (*out)->at = first->at;
    (*out)->a = first;
    for (tpl_node **last = &first->next, *item;;) {
        FM_TRY(tpl_skip_operator(p, ",", &found));
        if (!found || is_tuple_end(p) || tpl_is_name(p, "recursive")) return FM_OK;
        FM_TRY(tpl_parse_expression(p, choice, &item));
        tpl_append(&last, item);
    }
}

fm_status tpl_parse_tuple(tpl_parser *p, bool choice, tpl_node **out) {
    tpl_node *first;
    FM_TRY(tpl_parse_expression(p, choice, &first));
    *out = first;
    return tpl_is_operator(p, ",") ? parse_items(p, choice, first, out) : FM_OK;
}

static fm_status parse_parentheses(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_next(p));
    if (tpl_is_operator(p, ")"))
        FM_TRY(tpl_node_new(p, TPL_NODE_TUPLE, out));
    else
        FM_TRY(tpl_parse_tuple(p, true, out));
    return tpl_expect_operator(p, ")");
}

static fm_status parse_name(tpl_parser *p, tpl_node **out) {
    static const struct {
        const char *name;
        uint8_t kind;
        bool value;
    } constants[] = {{"true", TPL_BOOL, true},   {"True", TPL_BOOL, true},
                     {"false", TPL_BOOL, false}, {"False", TPL_BOOL, false},
                     {"none", TPL_NONE, false},  {"None", TPL_NONE, false}};
    FM_TRY(tpl_node_new(p, TPL_NODE_NAME, out));
    FM_TRY(tpl_expect_name(p, &(*out)->name));
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        if (strcmp((*out)->name, constants[i].name) != 0) continue;
        (*out)->kind = TPL_NODE_CONST;
        (*out)->value = constants[i].kind == TPL_NONE ? tpl_none() : tpl_bool(constants[i].value);
    }
    if (strcmp((*out)->name, "caller") == 0) p->uses |= TPL_USES_CALLER;
    if (strcmp((*out)->name, "varargs") == 0) p->uses |= TPL_USES_VARARGS;
    if (strcmp((*out)->name, "kwargs") == 0) p->uses |= TPL_USES_KWARGS;
    return FM_OK;
}

static fm_status parse_primary(tpl_parser *p, tpl_node **out) {
    switch (p->token.kind) {
    case TPL_TOKEN_NAME:
        return parse_name(p, out);
    case TPL_TOKEN_STRING:
        return parse_string(p, out);
    case TPL_TOKEN_WHOLE:
    case TPL_TOKEN_FLOAT:
        return parse_number(p, out);
    default:
        break;
    }
    if (tpl_is_operator(p, "(")) return parse_parentheses(p, out);
    if (tpl_is_operator(p, "[")) return parse_list(p, out);
    if (tpl_is_operator(p, "{")) return parse_map(p, out);
    return tpl_parse_unexpected(p, "an expression");
}

/* ---- Steps behind a value -------------------------------------------------------------------- */

static fm_status parse_argument(tpl_parser *p, tpl_node **out) {
    bool is_spread = false, is_map = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_ARGUMENT, out));
    FM_TRY(tpl_skip_operator(p, "*", &is_spread));
    if (!is_spread) FM_TRY(tpl_skip_operator(p, "**", &is_map));
    (*out)->op = is_spread ? '*' : is_map ? 'd' : 0;
    if (p->token.kind == TPL_TOKEN_NAME && (*out)->op == 0) {
        FM_TRY(tpl_look(p));
        bool is_named =
            p->ahead.kind == TPL_TOKEN_OPERATOR && p->ahead.length == 1 && p->ahead.text[0] == '=';
        if (is_named) {
            FM_TRY(tpl_expect_name(p, &(*out)->name));
            FM_TRY(tpl_next(p));
        }
    }
    return tpl_parse_expression(p, true, &(*out)->a);
}

/** The order that Python asks for: by place, *, by name, **. */
static fm_status check_order(const tpl_parser *p, const tpl_node *before,
                             const tpl_node *argument) {
    bool by_place = argument->op == 0 && !argument->name;
    for (const tpl_node *n = before; n && n != argument; n = n->next) {
        bool bad = n->op == 'd' || (by_place && (n->op || n->name)) ||
                   (argument->op == '*' && n->op == '*');
        if (bad) return tpl_parse_fail(p, "an argument stands behind one that has to be later");
    }
    return FM_OK;
}

static fm_status parse_arguments(tpl_parser *p, tpl_node **out) {
    bool found = false;
    tpl_node **last = out, *argument;
    int n_named = 0;
    *out = NULL;
    FM_TRY(tpl_expect_operator(p, "("));
    while (!tpl_is_operator(p, ")")) {
        FM_TRY(parse_argument(p, &argument));
        tpl_append(&last, argument);
        n_named += argument->name || argument->op;
        if (n_named > 256) return tpl_parse_fail(p, "a call has more than 256 named arguments");
        if (n_named > 0) FM_TRY(check_order(p, *out, argument));
        FM_TRY(tpl_skip_operator(p, ",", &found));
        if (!found) break;
    }
    return tpl_expect_operator(p, ")");
}

/** True for what is written out. */
static bool is_literal(const tpl_node *node) {
    if (!node || node->kind == TPL_NODE_CONST) return true;
    if (node->kind == TPL_NODE_NEGATE) return is_literal(node->a);
    bool is_list =
        node->kind == TPL_NODE_LIST || node->kind == TPL_NODE_TUPLE || node->kind == TPL_NODE_MAP;
    for (const tpl_node *item = is_list ? node->a : NULL; item; item = item->next)
        is_list &= is_literal(item);
    return is_list;
}

/** a, a:b, a:b:c and so on, up to the closing bracket. */
static fm_status parse_subscript(tpl_parser *p, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_ITEM, out));
    FM_TRY(tpl_next(p));
    tpl_node **parts[3] = {&(*out)->a, &(*out)->b, &(*out)->c};
    int n = 0;
    do {
        bool is_absent = tpl_is_operator(p, ":") || tpl_is_operator(p, "]");
        if (!is_absent) FM_TRY(tpl_parse_expression(p, true, parts[n]));
        FM_TRY(tpl_skip_operator(p, ":", &found));
        if (found) (*out)->kind = TPL_NODE_SLICE;
    } while (found && ++n < 3);
    if (n == 3) return tpl_parse_fail(p, "a slice has three parts at most");
    if ((*out)->kind == TPL_NODE_ITEM && !(*out)->a)
        FM_TRY(tpl_node_new(p, TPL_NODE_TUPLE, &(*out)->a)); /* x[] is x[()] */
    if (tpl_is_operator(p, ",") && (*out)->kind == TPL_NODE_ITEM)
        FM_TRY(parse_items(p, true, (*out)->a, &(*out)->a));
    return tpl_expect_operator(p, "]");
}

static fm_status parse_attribute(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_ATTRIBUTE, out));
    FM_TRY(tpl_next(p));
    if (p->token.kind == TPL_TOKEN_WHOLE) {
        (*out)->kind = TPL_NODE_ITEM;
        return parse_number(p, &(*out)->a);
    }
    return tpl_expect_name(p, &(*out)->name);
}

static fm_status parse_call(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_CALL, out));
    return parse_arguments(p, &(*out)->a);
}

static fm_status parse_filter(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_FILTER, out));
    FM_TRY(tpl_expect_name(p, &(*out)->name));
    (*out)->filter = tpl_filter_find((*out)->name, strlen((*out)->name));
    if (!(*out)->filter && !p->is_conditional)
        return tpl_lex_fail(&p->lexer, (*out)->at, "there is no filter '%.80s'", (*out)->name);
    return tpl_is_operator(p, "(") ? parse_arguments(p, &(*out)->a) : FM_OK;
}

fm_status tpl_parse_filters(tpl_parser *p, bool has_begun, tpl_node **out) {
    tpl_node **last = out, *filter;
    *out = NULL;
    for (bool found = has_begun;; found = false) {
        if (!found) FM_TRY(tpl_skip_operator(p, "|", &found));
        if (!found) return FM_OK;
        FM_TRY(parse_filter(p, &filter));
        tpl_append(&last, filter);
    }
}

/** Adds steps of the kinds . [ ( to a list. */
static fm_status parse_postfix_steps(tpl_parser *p, tpl_node ***last) {
    tpl_node *step;
    for (;; tpl_append(last, step)) {
        if (tpl_is_operator(p, "."))
            FM_TRY(parse_attribute(p, &step));
        else if (tpl_is_operator(p, "["))
            FM_TRY(parse_subscript(p, &step));
        else if (tpl_is_operator(p, "("))
            FM_TRY(parse_call(p, &step));
        else
            return FM_OK;
    }
}

/** A value with the steps that follow it, or the value alone. */
static fm_status finish_postfix(tpl_parser *p, tpl_node *value, tpl_node *steps, tpl_node **out) {
    *out = value;
    if (!steps) return FM_OK;
    FM_TRY(tpl_node_new(p, TPL_NODE_POSTFIX, out));
    (*out)->at = value->at;
    (*out)->a = value;
    (*out)->b = steps;
    /* The reference takes the slice of a constant when it parses, and does not mind when there is
     * none. */
    if (steps->kind == TPL_NODE_SLICE)
        steps->op = is_literal(value) && is_literal(steps->a) && is_literal(steps->b) &&
                    is_literal(steps->c);
    return FM_OK;
}

/** The argument of a test that comes without brackets: "is divisibleby 3". */
static fm_status parse_bare_argument(tpl_parser *p, tpl_node **out) {
    tpl_node *value, *steps = NULL, **last = &steps;
    *out = NULL;
    bool begins = p->token.kind == TPL_TOKEN_STRING || p->token.kind == TPL_TOKEN_WHOLE ||
                  p->token.kind == TPL_TOKEN_FLOAT || tpl_is_operator(p, "[") ||
                  tpl_is_operator(p, "{") ||
                  (p->token.kind == TPL_TOKEN_NAME && !tpl_is_name(p, "else") &&
                   !tpl_is_name(p, "or") && !tpl_is_name(p, "and"));
    if (!begins) return FM_OK;
    if (tpl_is_name(p, "is")) return tpl_parse_fail(p, "a test cannot follow a test");
    FM_TRY(tpl_enter(p));
    FM_TRY(tpl_node_new(p, TPL_NODE_ARGUMENT, out));
    FM_TRY(parse_primary(p, &value));
    FM_TRY(parse_postfix_steps(p, &last));
    p->depth--;
    return finish_postfix(p, value, steps, &(*out)->a);
}

static fm_status parse_test(tpl_parser *p, tpl_node **out) {
    bool negated = false;
    FM_TRY(tpl_next(p));
    FM_TRY(tpl_skip_name(p, "not", &negated));
    FM_TRY(tpl_node_new(p, TPL_NODE_TEST, out));
    (*out)->op = negated;
    FM_TRY(tpl_expect_name(p, &(*out)->name));
    (*out)->test = tpl_test_find((*out)->name, strlen((*out)->name));
    if (!(*out)->test && !p->is_conditional)
        return tpl_lex_fail(&p->lexer, (*out)->at, "there is no test '%.80s'", (*out)->name);
    if (tpl_is_operator(p, "(")) return parse_arguments(p, &(*out)->a);
    return parse_bare_argument(p, &(*out)->a);
}

/** Adds filters, tests and calls to a list. */
static fm_status parse_filter_steps(tpl_parser *p, tpl_node ***last) {
    tpl_node *step;
    for (;; tpl_append(last, step)) {
        bool found = false;
        FM_TRY(tpl_skip_operator(p, "|", &found));
        if (found)
            FM_TRY(parse_filter(p, &step));
        else if (tpl_is_name(p, "is"))
            FM_TRY(parse_test(p, &step));
        else if (tpl_is_operator(p, "("))
            FM_TRY(parse_call(p, &step));
        else
            return FM_OK;
    }
}

/* ---- Signs --------------------------------------------------------------------------------- */

static fm_status parse_unary(tpl_parser *p, bool with_filters, tpl_node **out);

static fm_status parse_sign(tpl_parser *p, tpl_node **out) {
    tpl_node_kind kind = tpl_is_operator(p, "-") ? TPL_NODE_NEGATE : TPL_NODE_PLUS;
    FM_TRY(tpl_enter(p));
    FM_TRY(tpl_node_new(p, kind, out));
    FM_TRY(tpl_next(p));
    FM_TRY(parse_unary(p, false, &(*out)->a));
    p->depth--;
    return FM_OK;
}

static fm_status parse_unary(tpl_parser *p, bool with_filters, tpl_node **out) {
    tpl_node *value, *steps = NULL, **last = &steps;
    if (tpl_is_operator(p, "-") || tpl_is_operator(p, "+"))
        FM_TRY(parse_sign(p, &value));
    else
        FM_TRY(parse_primary(p, &value));
    FM_TRY(parse_postfix_steps(p, &last));
    if (with_filters) FM_TRY(parse_filter_steps(p, &last));
    return finish_postfix(p, value, steps, out);
}

fm_status tpl_parse_operand(tpl_parser *p, tpl_node **out) {
    return parse_unary(p, true, out);
}
