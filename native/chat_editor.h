/*
 * chat_editor.h - one line, or a few that were pasted together, typed on a terminal: libedit with
 * the history of former conversations. While it reads, the terminal is the editor's; between two
 * calls it is as the program found it.
 */
#ifndef FATHOM_NATIVE_CHAT_EDITOR_H
#define FATHOM_NATIVE_CHAT_EDITOR_H

#include "bytes.h"

typedef struct chat_editor chat_editor;

typedef enum editor_got {
    EDITOR_LINE,
    EDITOR_CLEARED, /* Ctrl-C took away what was typed */
    EDITOR_NOTHING, /* Ctrl-C, and nothing was typed */
    EDITOR_END,     /* Ctrl-D on an empty line, or the terminal is gone */
    EDITOR_FAILED,  /* memory is out */
} editor_got;

/** NULL when memory is out. Where it reads, interrupts have to be caught
 * (terminal_catch_interrupts). */
chat_editor *chat_editor_open(void);
void chat_editor_close(chat_editor *e);

/** Shows the prompt and appends what was typed until the return key, without it. */
editor_got chat_editor_read(chat_editor *e, const char *prompt, bytes *out);

/** Adds a text to the history. */
void chat_editor_remember(chat_editor *e, const char *text);

#endif
