/*
 * error.h - how a failure travels inside the core: a status as the return value, and one line of
 * text in the caller's fm_error. The function that finds the fault writes the text; those above
 * return the status unchanged, and at most add where it was (error_locate).
 */
#ifndef FATHOM_BASE_ERROR_H
#define FATHOM_BASE_ERROR_H

#include "../fathom.h"

#if defined(__GNUC__)
#define FM_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#else
#define FM_PRINTF(format_index, first_arg)
#endif

/** Fills `err` (if not NULL) and returns `status`, so that `return error_set(err, …)` is the idiom.
 * Newlines and control characters that came in through arguments are replaced by '?', a text that
 * is too long is cut at a UTF-8 border. */
fm_status error_set(fm_error *err, fm_status status, const char *format, ...) FM_PRINTF(3, 4);

/** Puts "WHERE: " in front of a text that names a file or tensor but not the directory it lies in,
 * and returns `status`; FM_OK changes nothing. The text itself is never cut for it: of a WHERE that
 * is too long the end is kept, behind "…", and where not even that fits, none of it. */
fm_status error_locate(fm_error *err, fm_status status, const char *where);

/** Returns from the enclosing function when `expr` is not FM_OK. For functions that own nothing
 *  yet. */
#define FM_TRY(expr)                                                                               \
    do {                                                                                           \
        fm_status fm_try_status = (expr);                                                          \
        if (fm_try_status != FM_OK) return fm_try_status;                                          \
    } while (0)

#endif
