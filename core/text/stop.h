/*
 * stop.h - stop strings: texts that end an answer where they come up in it, whichever tokens their
 * bytes arrive in. A stop_set holds the strings of one request, which owns it; it is immutable once
 * made: any thread. A stop_stream is the state of one answer, plain data that may be copied (a fork
 * of the answer goes on with its own). It stays small because the bytes that wait are always the
 * beginning of a stop string, and the set has those.
 *
 * The string that is complete first ends the answer; of those that are complete with the same byte,
 * the one that starts first. It and all that follows are dropped.
 */
#ifndef FATHOM_TEXT_STOP_H
#define FATHOM_TEXT_STOP_H

#include "../base/error.h"

enum {
    STOP_STRINGS_MAX = FM_MAX_STOPS,    /* of one set */
    STOP_SIZE_MAX = FM_MAX_STOP_LENGTH, /* bytes of one string */
};

typedef struct stop_set stop_set;

/** The state of one answer under one set. Start from a zeroed struct. */
typedef struct stop_stream {
    uint16_t node;    /* which bytes wait: a place in the set */
    bool has_stopped; /* a stop string was complete; nothing comes out any more */
} stop_stream;

/** Makes a set of `n_strings` terminated strings, which it copies; none is legal and stops nothing.
 * FM_ERR_ARG for a string that is empty or no well-formed UTF-8 (which no answer could contain),
 * FM_ERR_LIMIT for one above STOP_SIZE_MAX or more than STOP_STRINGS_MAX of them, FM_ERR_MEMORY.
 * *out is NULL then. */
fm_status stop_set_new(const char *const *strings, size_t n_strings, stop_set **out, fm_error *err);
/** NULL is allowed. */
void stop_set_free(stop_set *set);

/** Bytes that one stop_push of `length` bytes can write at most. */
size_t stop_bound(const stop_set *set, size_t length);

/** Takes in the next `length` bytes of the answer, any bytes in pieces of any size, and writes to
 * `out` what is certain to belong to it: all but the longest end of the text that begins a stop
 * string. Sets *out_length. When a stop string becomes complete, `out` receives the text before it
 * and has_stopped is set; later pushes give nothing. Pieces that are whole code points come out as
 * whole code points. `out`, not terminated, must not overlap `text`; `out_size` is stop_bound(set,
 * length) bytes or more, else FM_ERR_ARG, as for a stream that no answer under this set could have.
 * No allocation; time is linear in `length`, also for hostile texts and strings. */
fm_status stop_push(const stop_set *set, stop_stream *stream, const char *text, size_t length,
                    char *out, size_t out_size, size_t *out_length);

/** Ends an answer that ended for another reason: writes the bytes that waited and returns how many.
 * `out` has room for stop_bound(set, 0) bytes. */
size_t stop_end(const stop_set *set, stop_stream *stream, char *out);

#endif
