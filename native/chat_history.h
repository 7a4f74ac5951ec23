/*
 * chat_history.h - what was typed in former conversations, for the line editor: libedit's list,
 * kept in a file in the user's state directory. Where that cannot be read or written, this is told
 * once, and the list ends with the program.
 */
#ifndef FATHOM_NATIVE_CHAT_HISTORY_H
#define FATHOM_NATIVE_CHAT_HISTORY_H

#include <histedit.h>
#include <stdbool.h>

typedef struct chat_history {
    History *list;
    char *path;    /* NULL: the list is not kept */
    bool was_told; /* that it cannot be written */
} chat_history;

/** Makes the list and reads $XDG_STATE_HOME/fathom/history, or ~/.local/state/fathom/history. False
 * when memory is out. */
bool chat_history_open(chat_history *h);

/** Adds a line, which may have newlines in it; the same one as before, and a very long one, are
 * left out. The file, which only the user can read, is written anew. */
void chat_history_add(chat_history *h, const char *line);

void chat_history_close(chat_history *h);

#endif
