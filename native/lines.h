/*
 * lines.h - the lines of a file or pipe, read as they are needed, so that a program that waits for
 * answers line by line gets them. Start with lines_open, end with lines_close.
 */
#ifndef FATHOM_NATIVE_LINES_H
#define FATHOM_NATIVE_LINES_H

#include "bytes.h"

/* Bytes of one line. A JSON tree takes up to 40 bytes for each byte of its text. */
enum { LINES_MAX_LENGTH = 4 * 1000 * 1000 };

typedef struct lines {
    const char *name; /* for messages */
    int file;         /* descriptor; -1 when nothing is open */
    bytes data;       /* what was read and not yet handed out, from `at` on */
    size_t at;
    size_t searched; /* no newline stands before this place */
    size_t count;    /* lines handed out: the number of the last one */
    bool at_end;
    bool is_long; /* the rest of a line that is too long is being read over */
} lines;

typedef enum lines_got {
    LINES_LINE,
    LINES_LONG, /* a line that is longer than the limit; it is counted */
    LINES_NONE, /* no whole line is there yet */
    LINES_END,
    LINES_FAILED, /* a message was printed */
} lines_got;

/** Opens a file, or standard input for "-". Returns an exit status and prints its own message. */
int lines_open(lines *l, const char *path);
void lines_close(lines *l);

/** The next line without its newline, valid until the next call. Waits for it `wait_ms`
 * milliseconds, or less where an interrupt comes. */
lines_got lines_next(lines *l, int wait_ms, const char **line, size_t *length);

#endif
