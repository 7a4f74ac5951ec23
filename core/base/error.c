/* error.c - fills the caller's fm_error. */
#include "error.h"

#include <stdarg.h>

#include "line.h"

fm_status error_set(fm_error *err, fm_status status, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        err->status = status;
        line_format(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}
