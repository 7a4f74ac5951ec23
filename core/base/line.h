/*
 * line.h - one clean line from a format: the shape in which errors and log messages leave the
 * library. Arguments may come from hostile files; a terminal or a JSON writer can take the result
 * as it is.
 */
#ifndef FATHOM_BASE_LINE_H
#define FATHOM_BASE_LINE_H

#include <stdarg.h>
#include <stddef.h>

/** Formats into `out`, always terminated. Bytes that are control characters (C0, DEL, C1) or no
 * UTF-8 become '?', one for each; a text that is too long is cut at a UTF-8 border. `out_size` is
 * at least 1. Any thread. */
void line_format(char *out, size_t out_size, const char *format, va_list args);

#endif
