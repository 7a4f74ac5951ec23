/* layouts.h - the chat layouts that are built in, as templates. A table: any thread. */
#ifndef FATHOM_TEXT_LAYOUTS_H
#define FATHOM_TEXT_LAYOUTS_H

#include <stddef.h>

typedef struct chat_layout {
    const char *name;
    const char *text;     /* a template */
    const char *marks[6]; /* special tokens that it writes, up to NULL */
} chat_layout;

/** NULL when there is none of that name. */
const chat_layout *layout_find(const char *name);

/** All names, for a message: "deepseek-v3, … or chatml". */
extern const char layout_names[];

#endif
