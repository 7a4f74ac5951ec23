/*
 * tpl_lex.h - the source of a template as tokens, white space around tags already taken off: a
 * newline behind a statement or comment, blanks between a line's start and one, and all of it
 * beside a '-'. For the thread that parses.
 */
#ifndef FATHOM_TEXT_TPL_LEX_H
#define FATHOM_TEXT_TPL_LEX_H

#include "../base/error.h"
#include "tpl_memory.h"

typedef enum tpl_token_kind {
    TPL_TOKEN_END,
    TPL_TOKEN_DATA,
    TPL_TOKEN_PRINT_BEGIN,
    TPL_TOKEN_PRINT_END,
    TPL_TOKEN_TAG_BEGIN,
    TPL_TOKEN_TAG_END,
    TPL_TOKEN_NAME,
    TPL_TOKEN_STRING,
    TPL_TOKEN_WHOLE,
    TPL_TOKEN_FLOAT,
    TPL_TOKEN_OPERATOR,
} tpl_token_kind;

typedef struct tpl_token {
    tpl_token_kind kind;
    const char *text; /* [length]; of a string its meaning, else a piece of the source */
    size_t length;
    size_t at; /* byte of the source */
} tpl_token;

typedef struct tpl_lexer {
    const char *source; /* [length] */
    size_t length;
    size_t at;
    tpl_token_kind
        inside;         /* TPL_TOKEN_PRINT_BEGIN or TPL_TOKEN_TAG_BEGIN; TPL_TOKEN_DATA: neither */
    bool starts_line;   /* what was read last ended a line */
    char brackets[256]; /* those that are open: [n_brackets] closing ones */
    size_t n_brackets;
    tpl_memory *memory; /* for the meaning of strings with escapes */
    fm_error *err;
} tpl_lexer;

/** Reads the next token; FM_ERR_FORMAT with "line L, column C: …". */
fm_status tpl_lex(tpl_lexer *lexer, tpl_token *out);

/** Says what is wrong at a byte of the source. */
fm_status tpl_lex_fail(const tpl_lexer *lexer, size_t at, const char *format, ...) FM_PRINTF(3, 4);

#endif
