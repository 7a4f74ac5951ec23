/*
 * json_out.h - members that cJSON cannot write well: texts with NUL bytes in them, long lists of
 * ids, counts above 2^53. Each function adds one member to an object; false when memory is out.
 */
#ifndef FATHOM_NATIVE_JSON_OUT_H
#define FATHOM_NATIVE_JSON_OUT_H

#include "bytes.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A string of `length` bytes of valid UTF-8, NUL included. */
bool json_out_text(cJSON *object, const char *key, const char *text, size_t length);

/** Appends such a string to JSON text, quotes and escapes included. */
bool json_out_quote(bytes *json, const char *text, size_t length);

/** An array of integers. cJSON would keep a node for each. */
bool json_out_ids(cJSON *object, const char *key, const int32_t *ids, size_t count);

/** A whole number, every digit of it. */
bool json_out_count(cJSON *object, const char *key, uint64_t value);

/** A speed, rounded to a hundredth. */
bool json_out_rate(cJSON *object, const char *key, double value);

/** Prints the object on one line of standard output and frees it. `complete` false: memory was out
 *  while the object was made. Returns an exit status. */
int json_out_print(cJSON *object, bool complete);

#endif
