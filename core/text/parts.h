/*
 * parts.h - the formats in which models write reasoning and tool calls, for parts.c, which reads
 * them, and parts_write.c, which writes them. A format is a row of literal texts, so that both have
 * them from one place. Constant: any thread.
 *
 * A turn is white space, reasoning, text and blocks of calls:
 *
 *     <think> reasoning </think> text CALLS call call CALLS_END text
 *     call = CALL head name open arguments close CALL_END
 */
#ifndef FATHOM_TEXT_PARTS_H
#define FATHOM_TEXT_PARTS_H

#include "../base/error.h"

#define PARTS_THINK     "<think>"
#define PARTS_THINK_END "</think>"
#define PARTS_CALLS     "<｜tool▁calls▁begin｜>"
#define PARTS_CALLS_END "<｜tool▁calls▁end｜>"
#define PARTS_CALL      "<｜tool▁call▁begin｜>"
#define PARTS_CALL_END  "<｜tool▁call▁end｜>"
#define PARTS_SEP       "<｜tool▁sep｜>"

typedef struct parts_layout {
    const char *name;
    bool reasons;          /* has reasoning between PARTS_THINK and PARTS_THINK_END */
    const char *next_call; /* PARTS_CALL and the head; NULL: the format has no calls */
    const char *open;      /* between name and arguments; begins with '<' or a control character */
    const char *close;     /* between arguments and PARTS_CALL_END */
    const char *separator; /* between two calls of a block */
} parts_layout;

/** The layout of a format. FM_ERR_ARG, and *out NULL, for one that is not known, and for one
 * without reasoning where the answer begins in it. */
fm_status parts_layout_get(fm_parts_format format, const parts_layout **out, fm_error *err);

/** White space as it stands before reasoning, and behind the tag that opens it. */
static inline bool parts_is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/** True for a byte that the name of a call may have: no '<', so that no mark hides in a name, and
 * no control character, which would end it. */
static inline bool parts_name_has(char byte) {
    return (unsigned char)byte >= 0x20 && byte != '<';
}

#endif
