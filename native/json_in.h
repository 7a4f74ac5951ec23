/*
 * json_in.h - reads JSON that comes from outside, value by value, out of bytes that the caller keeps.
 * Nothing is forgiven: UTF-8, the grammar of numbers and strings, and what stands behind the value are
 * checked. Whole numbers keep every digit, strings may hold NUL.
 *
 * A function that returns false has left the reason in `fault`: one line, the first one found. After a
 * fault everything returns false.
 */
#ifndef FATHOM_NATIVE_JSON_IN_H
#define FATHOM_NATIVE_JSON_IN_H

#include "bytes.h"

#include <stdint.h>

enum { JSON_IN_MAX_DEPTH = 32 }; /* arrays and objects inside each other */

typedef struct json_in {
    const char *text; /* [length], not terminated */
    size_t length;
    size_t at;       /* the next byte to read */
    bool is_first;   /* nothing was read yet behind the bracket that was opened last */
    char fault[560]; /* longer than any message, so that no character is cut */
} json_in;

void json_in_begin(json_in *in, const char *text, size_t length);

/** Records a fault, unless there is one, and returns false. */
bool json_in_fail(json_in *in, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The byte that the next value begins with; 0 at the end. */
char json_in_peek(json_in *in);

/** Opens an array or object; `what` names it in the message when something else stands there. */
bool json_in_open(json_in *in, char bracket, const char *what);

/** True when another element or member follows before `closing`, which is taken otherwise. False as
 * well after a fault. */
bool json_in_more(json_in *in, char closing);

/** Reads a member's key and the colon. The key replaces the contents of `out`, unescaped. */
bool json_in_key(json_in *in, bytes *out);

/* Values. `what` is the key, for messages. */

/** The string replaces the contents of `out`, unescaped, not terminated. */
bool json_in_string(json_in *in, const char *what, bytes *out);
/** A number as it is written, in JSON's grammar; at most 63 characters. */
bool json_in_number(json_in *in, const char *what, const char **text, size_t *length);
bool json_in_real(json_in *in, const char *what, double min, double max, double *out);
/** A whole number, written with digits only. */
bool json_in_count(json_in *in, const char *what, uint64_t min, uint64_t max, uint64_t *out);
/** Reads over any value. */
bool json_in_skip(json_in *in);

/** True when nothing but white space is left. */
bool json_in_end(json_in *in);

#endif
