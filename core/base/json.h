/*
 * json.h - JSON read with limits, over cJSON. A json_doc owns the tree; nodes are pointers into it
 * and die with it. The text is checked as a whole before cJSON sees it: valid UTF-8, no control
 * characters and no U+0000 in strings, nesting and size within limits, no key twice in an object
 * unless the limits allow it, nothing but white space after the value, numbers in JSON's grammar
 * that fit in a double, 2^24 values at most. Objects are linked lists: walk them with
 * json_for_each, and use json_find for small objects only.
 */
#ifndef FATHOM_BASE_JSON_H
#define FATHOM_BASE_JSON_H

#include "error.h"

typedef struct json_doc json_doc;
typedef struct cJSON json; /* a node */

typedef struct json_limits {
    size_t max_bytes; /* of the text */
    int max_depth;    /* arrays and objects inside each other; at most 256 */
    bool keys_repeat; /* a key may stand twice in an object */
    bool one_line;    /* error texts give the fault's column instead of its line: bytes, from 1 */
} json_limits;

/** Parses `length` bytes (need not be terminated). `name` stands in error texts ("config.json"),
 * which also give the line of the fault. */
fm_status json_parse(const char *name, const char *text, size_t length, json_limits limits,
                     json_doc **out, fm_error *err);
/** Reads and parses a file; its path is the name. FM_ERR_NOT_FOUND when it does not exist. */
fm_status json_read(const char *path, json_limits limits, json_doc **out, fm_error *err);
void json_free(json_doc *doc);
const json *json_root(const json_doc *doc);

/* Kinds. All accept NULL and answer false. */
bool json_is_object(const json *node);
bool json_is_array(const json *node);
bool json_is_string(const json *node);
bool json_is_number(const json *node);
bool json_is_bool(const json *node);
bool json_is_null(const json *node);

/** The member of an object, or NULL (also when `node` is NULL or no object). Linear in members. */
const json *json_find(const json *node, const char *key);

/** First child and next sibling of an array or object; NULL at the end. */
const json *json_first(const json *node);
const json *json_next(const json *node);
#define json_for_each(child, node)                                                                 \
    for (const json *child = json_first(node); child; child = json_next(child))

/** A member's own key; NULL for array elements and the root. */
const char *json_key(const json *node);
/** Children of an array or object: O(n). */
size_t json_count(const json *node);
/** The text of a string node, or NULL when it is none. */
const char *json_string(const json *node);
/** The value of a bool node; `fallback` for anything else. */
bool json_bool(const json *node, bool fallback);
/** The value of a number node; `fallback` for anything else. */
double json_number(const json *node, double fallback);
/** True, and *out set, when the node is a number without fraction within [min, max]. */
bool json_integer(const json *node, int64_t min, int64_t max, int64_t *out);

#endif
