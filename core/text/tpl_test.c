/* tpl_test.c - the tests of templates. */
#include "tpl_test.h"

#include <math.h>
#include <string.h>

#include "tpl_case.h"
#include "tpl_eval.h"
#include "tpl_filter.h"
#include "tpl_methods.h"

typedef tpl_value value;
typedef const tpl_call *call;

static fm_status say(bool holds, value *out) {
    *out = tpl_bool(holds);
    return FM_OK;
}

/* ---- Kinds ----------------------------------------------------------------------------------- */

#define KIND_TEST(name, condition)                                                                 \
    static fm_status name(tpl_run *r, value v, call c, value *out) {                               \
        (void)r;                                                                                   \
        (void)c;                                                                                   \
        return say(condition, out);                                                                \
    }

KIND_TEST(is_defined, v.kind != TPL_UNDEFINED)
KIND_TEST(is_undefined, v.kind == TPL_UNDEFINED)
KIND_TEST(is_none, v.kind == TPL_NONE)
KIND_TEST(is_string, v.kind == TPL_STRING)
KIND_TEST(is_number, tpl_is_number(v))
KIND_TEST(is_integer, v.kind == TPL_INT || v.kind == TPL_BIG)
KIND_TEST(is_float, v.kind == TPL_FLOAT)
KIND_TEST(is_boolean, v.kind == TPL_BOOL)
KIND_TEST(is_true, v.kind == TPL_BOOL && v.boolean)
KIND_TEST(is_false, v.kind == TPL_BOOL && !v.boolean)
KIND_TEST(is_mapping, v.kind == TPL_DICT)
KIND_TEST(is_escaped, v.kind == TPL_STRING && v.text->is_safe)
KIND_TEST(is_callable, v.kind == TPL_FUNCTION || v.kind == TPL_METHOD || v.kind == TPL_MACRO ||
                           v.kind == TPL_LOOP || v.kind == TPL_JOINER || v.kind == TPL_UNDEFINED)
KIND_TEST(is_sequence, v.kind == TPL_UNDEFINED || v.kind == TPL_STRING || v.kind == TPL_LIST ||
                           v.kind == TPL_TUPLE || v.kind == TPL_DICT || v.kind == TPL_RANGE)
KIND_TEST(is_iterable, v.kind == TPL_UNDEFINED || v.kind == TPL_STRING || v.kind == TPL_LIST ||
                           v.kind == TPL_TUPLE || v.kind == TPL_DICT || v.kind == TPL_RANGE ||
                           v.kind == TPL_VIEW || v.kind == TPL_ITERATOR || v.kind == TPL_LOOP)

/* ---- Numbers and letters --------------------------------------------------------------------- */

/** The rest of a division equals `wanted`. */
static fm_status rest_is(tpl_run *r, value v, value divisor, int64_t wanted, value *out) {
    value rest;
    bool equal = false;
    if (v.kind == TPL_STRING) return tpl_fail(r, FM_ERR_ARG, "a string has no divisor");
    FM_TRY(tpl_binary(r, TPL_OP_REST, v, divisor, &rest));
    FM_TRY(tpl_equal(r, rest, tpl_int(wanted), &equal));
    return say(equal, out);
}

static fm_status is_odd(tpl_run *r, value v, call c, value *out) {
    (void)c;
    return rest_is(r, v, tpl_int(2), 1, out);
}
static fm_status is_even(tpl_run *r, value v, call c, value *out) {
    (void)c;
    return rest_is(r, v, tpl_int(2), 0, out);
}
static fm_status is_divisible(tpl_run *r, value v, call c, value *out) {
    return rest_is(r, v, c->arg[0], 0, out);
}

static fm_status is_lower(tpl_run *r, value v, call c, value *out) {
    const tpl_text *text = NULL;
    (void)c;
    FM_TRY(tpl_str(r, v, &text));
    FM_TRY(tpl_spend_bytes(r, text->length));
    return say(tpl_text_has_case(text, tpl_is_lower), out);
}
static fm_status is_upper(tpl_run *r, value v, call c, value *out) {
    const tpl_text *text = NULL;
    (void)c;
    FM_TRY(tpl_str(r, v, &text));
    FM_TRY(tpl_spend_bytes(r, text->length));
    return say(tpl_text_has_case(text, tpl_is_upper), out);
}

/* ---- Comparisons ----------------------------------------------------------------------------- */

#define COMPARISON_TEST(name, op)                                                                  \
    static fm_status name(tpl_run *r, value v, call c, value *out) {                               \
        bool holds = false;                                                                        \
        FM_TRY(tpl_compares(r, op, v, c->arg[0], &holds));                                         \
        return say(holds, out);                                                                    \
    }

COMPARISON_TEST(is_equal, TPL_OP_EQUAL)
COMPARISON_TEST(is_unequal, TPL_OP_UNEQUAL)
COMPARISON_TEST(is_below, TPL_OP_BELOW)
COMPARISON_TEST(is_at_most, TPL_OP_AT_MOST)
COMPARISON_TEST(is_above, TPL_OP_ABOVE)
COMPARISON_TEST(is_at_least, TPL_OP_AT_LEAST)
COMPARISON_TEST(is_in, TPL_OP_IN)

/** The very same value: none, a boolean, or what was not copied. */
static fm_status is_same(tpl_run *r, value v, call c, value *out) {
    bool equal = v.kind == c->arg[0].kind;
    if (equal && v.kind <= TPL_STRING)
        FM_TRY(tpl_equal(r, v, c->arg[0], &equal));
    else if (equal)
        equal = v.loop == c->arg[0].loop;
    return say(equal, out);
}

static fm_status is_filter(tpl_run *r, value v, call c, value *out) {
    (void)r;
    (void)c;
    return say(v.kind == TPL_STRING && tpl_filter_find(v.text->bytes, v.text->length), out);
}
static fm_status is_test(tpl_run *r, value v, call c, value *out) {
    (void)r;
    (void)c;
    return say(v.kind == TPL_STRING && tpl_test_find(v.text->bytes, v.text->length), out);
}

static const tpl_function tests[] = {
    {"defined", is_defined, ""},
    {"undefined", is_undefined, ""},
    {"none", is_none, ""},
    {"string", is_string, ""},
    {"number", is_number, ""},
    {"integer", is_integer, ""},
    {"float", is_float, ""},
    {"boolean", is_boolean, ""},
    {"true", is_true, ""},
    {"false", is_false, ""},
    {"mapping", is_mapping, ""},
    {"sequence", is_sequence, ""},
    {"iterable", is_iterable, ""},
    {"callable", is_callable, ""},
    {"escaped", is_escaped, ""},
    {"odd", is_odd, ""},
    {"even", is_even, ""},
    {"divisibleby", is_divisible, "num*"},
    {"lower", is_lower, ""},
    {"upper", is_upper, ""},
    {"equalto", is_equal, "other*"},
    {"eq", is_equal, "other*"},
    {"==", is_equal, "other*"},
    {"ne", is_unequal, "other*"},
    {"!=", is_unequal, "other*"},
    {"lt", is_below, "other*"},
    {"<", is_below, "other*"},
    {"lessthan", is_below, "other*"},
    {"le", is_at_most, "other*"},
    {"<=", is_at_most, "other*"},
    {"gt", is_above, "other*"},
    {">", is_above, "other*"},
    {"greaterthan", is_above, "other*"},
    {"ge", is_at_least, "other*"},
    {">=", is_at_least, "other*"},
    {"in", is_in, "seq*"},
    {"sameas", is_same, "other*"},
    {"filter", is_filter, ""},
    {"test", is_test, ""},
};

const tpl_function *tpl_test_find(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strlen(tests[i].name) == length && memcmp(tests[i].name, name, length) == 0)
            return &tests[i];
    return NULL;
}

fm_status tpl_test_apply(tpl_run *r, const tpl_function *t, tpl_value v, const tpl_args *args,
                         bool *out) {
    tpl_value holds;
    FM_TRY(tpl_function_call(r, t, v, args, &holds));
    *out = holds.boolean;
    return FM_OK;
}
