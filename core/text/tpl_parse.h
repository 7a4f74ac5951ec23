/*
 * tpl_parse.h - the parser of templates: tokens become nodes. Its files are statements
 * (tpl_parse.c), operators (tpl_parse_operator.c) and operands (tpl_parse_expression.c). For the
 * thread that parses.
 */
#ifndef FATHOM_TEXT_TPL_PARSE_H
#define FATHOM_TEXT_TPL_PARSE_H

#include "tpl_lex.h"
#include "tpl_tree.h"

enum { TPL_NAME_BUCKETS = 512 };

typedef struct tpl_name_cell {
    struct tpl_name_cell *next;
    size_t length;
    char text[]; /* [length], terminated */
} tpl_name_cell;

typedef struct tpl_parser {
    tpl_lexer lexer;
    tpl_token token, ahead; /* the current one, and the one behind it where has_ahead */
    bool has_ahead;
    tpl_memory *memory;
    tpl_name_cell **names; /* [TPL_NAME_BUCKETS] */
    int depth;             /* of what is being parsed inside each other */
    int n_loops;           /* around the current place, inside the innermost macro */
    bool is_conditional;   /* an unknown filter fails only when it is reached */
    uint8_t uses;          /* by what was read of the innermost macro */
    fm_error *err;         /* never NULL */
} tpl_parser;

/** Parses a whole template, whose source is set. */
fm_status tpl_parse(fm_template *t, tpl_memory *memory, fm_error *err);

/* ---- For all files --------------------------------------------------------------------------- */

fm_status tpl_parse_fail(const tpl_parser *p, const char *format, ...) FM_PRINTF(2, 3);
/** "X stands where WANTED is needed", X being the current token. */
fm_status tpl_parse_unexpected(const tpl_parser *p, const char *wanted);

/** Moves to the next token. */
fm_status tpl_next(tpl_parser *p);
/** Reads the token behind the current one. */
fm_status tpl_look(tpl_parser *p);

/** True when the current token is this name, or this operator. */
bool tpl_is_name(const tpl_parser *p, const char *name);
bool tpl_is_operator(const tpl_parser *p, const char *text);
/** The same, and moves behind it. */
fm_status tpl_skip_name(tpl_parser *p, const char *name, bool *found);
fm_status tpl_skip_operator(tpl_parser *p, const char *text, bool *found);
/** The same; fails when it is something else. */
fm_status tpl_expect_operator(tpl_parser *p, const char *text);
/** Takes any name; *out is the one pointer for it. */
fm_status tpl_expect_name(tpl_parser *p, const char **out);

/** Zeroed memory of the template, at most 1 MiB and some; NULL with the error set. */
void *tpl_parse_new(tpl_parser *p, size_t count, size_t size);
fm_status tpl_node_new(tpl_parser *p, tpl_node_kind kind, tpl_node **out);
/** Counts one more level; the caller takes it off again when it leaves without a failure. */
fm_status tpl_enter(tpl_parser *p);

/** An expression; `choice` false leaves "if" alone. */
fm_status tpl_parse_expression(tpl_parser *p, bool choice, tpl_node **out);
/** The same, or a tuple where commas follow. */
fm_status tpl_parse_tuple(tpl_parser *p, bool choice, tpl_node **out);
/** What operators stand between: a value with its sign and with what follows it. */
fm_status tpl_parse_operand(tpl_parser *p, tpl_node **out);
/** "| filter | filter", or without the first bar. */
fm_status tpl_parse_filters(tpl_parser *p, bool has_begun, tpl_node **out);

/** A list while it grows: `*last` is where the next node belongs. */
static inline void tpl_append(tpl_node ***last, tpl_node *node) {
    **last = node;
    *last = &node->next;
}

#endif
