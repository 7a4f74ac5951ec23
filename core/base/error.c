/* error.c - fills the caller's fm_error. */
#include "error.h"

#include <stdarg.h>
#include <string.h>

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

fm_status error_locate(fm_error *err, fm_status status, const char *where) {
    enum { SEPARATOR = 2, ELLIPSIS = 3, LEAST = 16 }; /* bytes; LEAST of a name is worth showing */
    if (!err || status == FM_OK) return status;
    const fm_error told = *err;
    size_t used = strlen(told.text) + SEPARATOR, length = strlen(where);
    size_t room = used < sizeof told.text ? sizeof told.text - 1 - used : 0;
    if (length <= room) return error_set(err, status, "%s: %s", where, told.text);
    if (room < ELLIPSIS + LEAST) return status;
    const char *end = where + length - (room - ELLIPSIS);
    while (((unsigned char)*end & 0xC0) == 0x80) end++; /* not into the middle of a code point */
    return error_set(err, status, "…%s: %s", end, told.text);
}
