/*
 * template_source.h - the template of a chat, wherever the options say that it comes from, and the
 * input that it is given. Functions return an exit status and print their own message. Start from a
 * zeroed struct; template_close frees whatever was opened.
 */
#ifndef FATHOM_NATIVE_TEMPLATE_SOURCE_H
#define FATHOM_NATIVE_TEMPLATE_SOURCE_H

#include "bytes.h"
#include "options.h"

typedef struct template_source {
    fm_chat_template *own; /* what the model directory carries; NULL without a directory */
    fm_template *parsed;
} template_source;

/** Opens the template of --template, a layout's name, a name of the directory's or a file; without
 * it the directory's own or, when that carries none, the layout that fits its tokenizer. `dir` may
 * be NULL. */
int template_open(template_source *s, const options *o, const char *dir);
void template_close(template_source *s);

/** Appends the variables of a rendering, a JSON object: `messages` is JSON, a list of messages or
 * an object of variables with them; --tools and --template-arg go before what it says. */
int template_make_input(const options *o, const char *name, const bytes *messages, bytes *out);

/** Renders with the directory's special tokens and the time of day. */
int template_render(const template_source *s, const bytes *input, fm_rendering **out);

#endif
