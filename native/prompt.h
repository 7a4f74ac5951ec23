/*
 * prompt.h - from what the user wrote to token ids: TEXT, @FILE or - (standard input), or a list of
 * ids. Functions return an exit status and print their own message.
 */
#ifndef FATHOM_NATIVE_PROMPT_H
#define FATHOM_NATIVE_PROMPT_H

#include "bytes.h"
#include "options.h"

/** Appends the text that `argument` stands for, byte for byte: a word that begins with '@' names a
 *  file, '-' is standard input, anything else is the text itself. At most 64 MB. */
int prompt_read(const char *argument, bytes *out);

/** Appends the numbers of a list such as "1,2,3" or "1 2 3". */
int prompt_parse_ids(const char *text, size_t length, fm_tokens *out);

/** Appends the ids of a raw prompt: those of --ids as they are, or those of -p with exactly one BOS
 *  where the tokenizer asks for one. `t` may be NULL with --ids. */
int prompt_encode(const options *o, const fm_tokenizer *t, fm_tokens *out);

#endif
