/*
 * json_edit.h - a JSON text made from another one by a list of edits in words, so that tables of
 * broken files read as what was broken:
 *
 *   "hidden_size=7;rope_scaling/factor=-1;eos_token_id"
 *
 * sets two members (any JSON text behind the '=') and removes one. Keys of a path are separated by
 * '/', edits by ';'.
 */
#ifndef FATHOM_TESTS_JSON_EDIT_H
#define FATHOM_TESTS_JSON_EDIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

/** Whole contents of a file, terminated; the caller frees them. `size` may be NULL. */
static inline char *json_edit_read(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s is not there", path);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long end = ftell(f);
    assert_true(end >= 0);
    rewind(f);
    char *bytes = malloc((size_t)end + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)end, f), end);
    fclose(f);
    bytes[end] = '\0';
    if (size) *size = (size_t)end;
    return bytes;
}

static inline void json_edit_one(cJSON *at, char *edit) {
    char *value = strchr(edit, '=');
    if (value) *value++ = '\0';
    char *key = edit;
    for (char *slash; (slash = strchr(key, '/')); key = slash + 1) {
        *slash = '\0';
        at = cJSON_GetObjectItemCaseSensitive(at, key);
        if (!at) fail_msg("json_edit: there is no %s", key);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(at, key);
    if (value) assert_true(cJSON_AddItemToObject(at, key, cJSON_CreateRaw(value)));
}

/** The edited text; the caller frees it. */
static inline char *json_edit(const char *text, const char *edits) {
    cJSON *root = cJSON_Parse(text);
    assert_non_null(root);
    char *list = malloc(strlen(edits) + 1);
    assert_non_null(list);
    strcpy(list, edits);
    for (char *edit = list, *next; edit && *edit; edit = next) {
        next = strchr(edit, ';');
        if (next) *next++ = '\0';
        json_edit_one(root, edit);
    }
    char *edited = cJSON_PrintUnformatted(root);
    assert_non_null(edited);
    cJSON_Delete(root);
    free(list);
    return edited;
}

#endif
