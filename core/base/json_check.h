/*
 * json_check.h - the strict reading of a JSON text that comes before cJSON's. cJSON forgives much
 * (text behind the value, invalid UTF-8, keys given twice, odd numbers); what passes here has one
 * meaning and no surprise, and cJSON can fail on it only for want of memory.
 */
#ifndef FATHOM_BASE_JSON_CHECK_H
#define FATHOM_BASE_JSON_CHECK_H

#include "json.h"

enum {
    JSON_MAX_DEPTH = 256, /* whatever the caller allows: bounds the recursion here and in cJSON */
    JSON_MAX_VALUES = 1 << 24,   /* in one text: each becomes a node of about 80 bytes */
    JSON_MAX_NUMBER_LENGTH = 63, /* characters: cJSON copies a number into a buffer of this size */
    JSON_MAX_EXPONENT = 307,     /* decimal: anything with it fits in a double */
};

/** Checks `length` bytes; the error text is "NAME: line L: what", or "NAME: column C: what" where
 * the limits call the text one line. Any thread. */
fm_status json_check(const char *name, const char *text, size_t length, json_limits limits,
                     fm_error *err);

#endif
