/*
 * session.h - what a command that runs a model opens: tokenizer, model and engine of one directory.
 * Start from a zeroed struct; session_close frees whatever was opened. Functions return an exit
 * status and print their own message.
 */
#ifndef FATHOM_NATIVE_SESSION_H
#define FATHOM_NATIVE_SESSION_H

#include "options.h"

typedef struct session {
    fm_tokenizer *tokenizer; /* NULL when the directory has none and the command can do without */
    fm_model *model;
    fm_engine *engine;
} session;

/** Refuses a missing MODEL (wrong usage) and one that is no directory (failure). */
int session_check_model(const options *o);

/** Opens the tokenizer. `required` false: a directory without tokenizer.json is no failure. */
int session_open_tokenizer(session *s, const options *o, bool required);

/** Opens the model and an engine with the limits of the options. */
int session_open_engine(session *s, const options *o);

void session_close(session *s);

#endif
