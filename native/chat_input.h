/*
 * chat_input.h - where the turns of a conversation come from: typed on a terminal, or the lines of
 * standard input. A line that ends with a backslash goes on in the next.
 */
#ifndef FATHOM_NATIVE_CHAT_INPUT_H
#define FATHOM_NATIVE_CHAT_INPUT_H

#include "chat_editor.h"
#include "lines.h"

typedef struct chat_input {
    chat_editor *editor; /* NULL: no terminal */
    lines lines;
    bool was_nothing; /* the last thing was an interrupt where nothing was typed */
} chat_input;

typedef enum input_got {
    INPUT_TEXT,
    INPUT_END,
    INPUT_INTERRUPTED, /* without a terminal: no more is to be read */
    INPUT_FAILED,      /* a message was printed */
} input_got;

/** Takes the terminal where standard input and output are one. Returns an exit status. */
int chat_input_open(chat_input *in);
void chat_input_close(chat_input *in);

/** Sets *text to the next turn, which is not blank, with a NUL behind it. On a terminal Ctrl-C
 * begins it anew, and twice where nothing was typed is the end, as Ctrl-D is. */
input_got chat_input_read(chat_input *in, bytes *text);

#endif
