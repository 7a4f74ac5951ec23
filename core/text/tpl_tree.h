/*
 * tpl_tree.h - a parsed template: nodes that lie in the memory of the template. Lists are chained
 * by `next`. Nothing is changed once the template is parsed: any thread.
 */
#ifndef FATHOM_TEXT_TPL_TREE_H
#define FATHOM_TEXT_TPL_TREE_H

#include "tpl_value.h"

typedef enum tpl_node_kind {
    /* Expressions */
    TPL_NODE_CONST,   /* value */
    TPL_NODE_NAME,    /* name */
    TPL_NODE_LIST,    /* a: items */
    TPL_NODE_TUPLE,   /* a: items */
    TPL_NODE_MAP,     /* a: keys and values in turn */
    TPL_NODE_CHAIN,   /* a: operands from left to right, each with the operator before it in `op` */
    TPL_NODE_JOIN,    /* a: operands of ~ */
    TPL_NODE_COMPARE, /* a: operands, each but the first with the operator before it */
    TPL_NODE_AND,     /* a: operands */
    TPL_NODE_OR,      /* a: operands */
    TPL_NODE_NOT,     /* a */
    TPL_NODE_NEGATE,  /* a */
    TPL_NODE_PLUS,    /* a */
    TPL_NODE_CHOICE,  /* a if b else c; c may be NULL */
    TPL_NODE_POSTFIX, /* a: what the steps of b are applied to, in turn */
    /* Steps of a postfix */
    TPL_NODE_ATTRIBUTE, /* .name */
    TPL_NODE_ITEM,      /* [a] */
    TPL_NODE_SLICE,     /* [a:b:c], each may be NULL; op is 1: all written out */
    TPL_NODE_CALL,      /* a: arguments */
    TPL_NODE_FILTER,    /* |name; a: arguments; filter is NULL where the name is not known */
    TPL_NODE_TEST,      /* is name; a: arguments; op is 1 behind "not" */
    /* Arguments, parameters and entries of `with`: name (NULL: by place), a; op '*' and 'd' (**) */
    TPL_NODE_ARGUMENT,
    /* Targets besides names and tuples */
    TPL_NODE_FIELD, /* name.attribute */
    /* Statements */
    TPL_NODE_TEXT,      /* value */
    TPL_NODE_PRINT,     /* a */
    TPL_NODE_SET,       /* a: target, b */
    TPL_NODE_SET_BLOCK, /* a: target, b: filters, body */
    TPL_NODE_FOR,       /* a: target, b: what is gone through, c: condition; body, other */
    TPL_NODE_IF,        /* a: branches */
    TPL_NODE_BRANCH,    /* a: condition (NULL: else), body */
    TPL_NODE_MACRO,     /* name, a: parameters, body */
    TPL_NODE_CALLER,    /* a: parameters, b: a postfix whose last step is a call, body */
    TPL_NODE_FILTERED,  /* b: filters, body */
    TPL_NODE_SCOPE,     /* a: entries, body */
    TPL_NODE_BREAK,
    TPL_NODE_CONTINUE,
} tpl_node_kind;

/** Operators of chains and comparisons. */
typedef enum tpl_op {
    TPL_OP_NONE,
    TPL_OP_ADD,
    TPL_OP_SUBTRACT,
    TPL_OP_MULTIPLY,
    TPL_OP_DIVIDE,
    TPL_OP_DIVIDE_DOWN,
    TPL_OP_REST,
    TPL_OP_POWER,
    TPL_OP_EQUAL,
    TPL_OP_UNEQUAL,
    TPL_OP_BELOW,
    TPL_OP_AT_MOST,
    TPL_OP_ABOVE,
    TPL_OP_AT_LEAST,
    TPL_OP_IN,
    TPL_OP_NOT_IN,
} tpl_op;

/* What a macro's body asks for besides its parameters. */
enum { TPL_USES_CALLER = 1, TPL_USES_VARARGS = 2, TPL_USES_KWARGS = 4 };

struct tpl_node {
    uint8_t kind; /* a tpl_node_kind */
    uint8_t op;
    bool is_recursive; /* a loop that may be called */
    uint8_t uses;      /* of a macro or caller */
    uint32_t at;       /* byte of the source */
    tpl_node *next;
    const char *name; /* terminated; names that are alike are the same pointer */
    tpl_node *a, *b, *c;
    tpl_node *body, *other; /* statements */
    union {
        tpl_value value;
        const char *attribute; /* of TPL_NODE_FIELD */
        const tpl_function *filter;
        const tpl_function *test;
    };
};

struct fm_template {
    arena *arena;
    char *source; /* [length], newlines of any kind as '\n', without the last one */
    size_t length;
    tpl_node *body;
    const char *word_loop, *word_caller, *word_varargs, *word_kwargs; /* names that are bound */
};

/** The line of a byte of the source, from 1, and its column in code points, from 1. */
void tpl_place(const char *source, size_t at, size_t *line, size_t *column);

#endif
