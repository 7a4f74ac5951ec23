/*
 * tpl_call.h - arguments of calls, and what can be called: filters, tests, methods and functions
 * are rows of tables, each with the names of its parameters.
 */
#ifndef FATHOM_TEXT_TPL_CALL_H
#define FATHOM_TEXT_TPL_CALL_H

#include "tpl_value.h"

enum { TPL_MAX_PARAMETERS = 5 };

typedef struct tpl_named {
    const tpl_text *name;
    tpl_value value;
} tpl_named;

typedef struct tpl_args {
    const tpl_value *values; /* [count], by place */
    size_t count;
    const tpl_named *named; /* [n_named] */
    size_t n_named;
} tpl_args;

/** A call that is being made: the arguments as they were written and, for rows that name their
 * parameters, in the order of those; TPL_ABSENT where none was given. */
typedef struct tpl_call {
    tpl_args all;
    tpl_value arg[TPL_MAX_PARAMETERS];
} tpl_call;

typedef fm_status (*tpl_call_fn)(tpl_run *r, tpl_value subject, const tpl_call *call,
                                 tpl_value *out);

/** A row. `parameters` are names with commas between them, one that must be given with '*' behind
 * it; NULL: any arguments. */
struct tpl_function {
    const char *name;
    tpl_call_fn call;
    const char *parameters;
};

struct tpl_bound {
    const tpl_function *function;
    tpl_value self;
};

/** Puts arguments in the order of a row's parameters and calls it. */
fm_status tpl_function_call(tpl_run *r, const tpl_function *f, tpl_value subject,
                            const tpl_args *args, tpl_value *out);

/** The functions that every template sees, up to a row without a name. */
extern const tpl_function tpl_functions[];

/** The method of a kind of value. *is_refused: there is one, and it changes the value. NULL
 * otherwise means that the kind has none of that name. */
const tpl_function *tpl_method_find(tpl_value v, const char *name, size_t length, bool *is_refused);

/* ---- What arguments are ---------------------------------------------------------------------- */

/** The argument, or what stands for it when it was not given. */
bool tpl_arg_bool(tpl_value v, bool fallback);
fm_status tpl_arg_whole(tpl_run *r, const char *what, tpl_value v, int64_t fallback, int64_t *out);
/** A string; *out is NULL for an argument that was not given or is none. */
fm_status tpl_arg_text(tpl_run *r, const char *what, tpl_value v, const tpl_text **out);

#endif
