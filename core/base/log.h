/* log.h - the log callback as an object that is passed down. The core has no other way to speak. */
#ifndef FATHOM_BASE_LOG_H
#define FATHOM_BASE_LOG_H

#include "error.h"

/** Where lines go; a zeroed log is silent. Copied by value. */
typedef struct fm_log {
    fm_log_fn fn;
    void *user;
} fm_log;

/** Sends one formatted line; cut at 500 bytes, control characters replaced as in error_set. */
void log_line(const fm_log *log, fm_log_level level, const char *format, ...) FM_PRINTF(3, 4);

#endif
