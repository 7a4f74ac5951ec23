/* log.c - formats a line and hands it to the callback. */
#include "log.h"

#include <stdarg.h>

#include "line.h"

enum { LINE_SIZE = 501 }; /* bytes, terminator included */

void log_line(const fm_log *log, fm_log_level level, const char *format, ...) {
    if (!log || !log->fn) return;
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    line_format(line, sizeof line, format, args);
    va_end(args);
    log->fn(log->user, level, line);
}
