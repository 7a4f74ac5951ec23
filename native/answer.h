/*
 * answer.h - one answer of a model, from submitted prompt to printed text: streamed while it is
 * made, or collected for --json.
 */
#ifndef FATHOM_NATIVE_ANSWER_H
#define FATHOM_NATIVE_ANSWER_H

#include "options.h"
#include "reply.h"
#include "session.h"

/** Refuses options that have no effect together. Returns an exit status. */
int answer_check_options(const options *o);

/** Runs the prompt [n_ids] on the session's engine and prints the answer as the options say: the
 * text and a newline (ids where the session has no tokenizer), or one JSON object; with --stats a
 * line on standard error. The first Ctrl-C ends the answer where it is. Returns the exit status. */
int answer_run(const options *o, const session *s, const fm_tokens *prompt);

/** The same for a turn of a conversation, which goes on behind it: *out is set to what came, its
 * text included, and the caller frees it whatever the status. An interrupt that is not taken yet
 * ends the answer; catching them is the caller's (terminal_catch_interrupts). */
int answer_turn(const options *o, const session *s, const fm_tokens *prompt, reply *out);

#endif
