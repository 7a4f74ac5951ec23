/*
 * display.h - the text of an answer on standard output. On a terminal with colours its parts are
 * told apart: reasoning and tool calls are dimmed, their marks left out. Anywhere else the text
 * passes as it is. Start from a zeroed struct.
 */
#ifndef FATHOM_NATIVE_DISPLAY_H
#define FATHOM_NATIVE_DISPLAY_H

#include "fathom.h"

typedef struct display {
    fm_parts *parts; /* NULL: the text passes as it is */
    bool is_dim;
    bool has_reasoned; /* no text has come behind the reasoning yet */
    bool has_failed;   /* something could not be written */
} display;

/** Begins the answer to a prompt. `t` may be NULL: there is no text then. False when memory is out.
 */
bool display_open(display *d, const fm_tokenizer *t, const fm_tokens *prompt);

/** Shows the next bytes of the answer; false when that could not be done. */
bool display_write(display *d, const char *text, size_t length);

/** Ends the answer: shows what waited, and what comes behind it is not dimmed. False
 * like display_write. */
bool display_end(display *d);

/** Leaves the terminal as it was found, also in the middle of an answer. */
void display_close(display *d);

#endif
