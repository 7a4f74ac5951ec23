/* json.c - trees of checked JSON, built and freed by cJSON. */
#include "json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "json_check.h"
#include "os.h"

struct json_doc {
    cJSON *root;
};

/* ---- Documents ------------------------------------------------------------------------------- */

fm_status json_parse(const char *name, const char *text, size_t length, json_limits limits,
                     json_doc **out, fm_error *err) {
    *out = NULL;
    FM_TRY(json_check(name, text, length, limits, err));
    json_doc *doc = calloc(1, sizeof *doc);
    /* On success cJSON stores the same zeros in its variable for the last error, whichever thread
     * parses, and nothing here reads it. */
    if (doc) doc->root = cJSON_ParseWithLength(text, length);
    if (!doc || !doc->root) {
        free(doc);
        return error_set(err, FM_ERR_MEMORY, "%s: out of memory for its contents", name);
    }
    *out = doc;
    return FM_OK;
}

fm_status json_read(const char *path, json_limits limits, json_doc **out, fm_error *err) {
    char *text;
    size_t length;
    *out = NULL;
    FM_TRY(os_file_read(path, limits.max_bytes, &text, &length, err));
    fm_status status = json_parse(path, text, length, limits, out, err);
    free(text);
    return status;
}

void json_free(json_doc *doc) {
    if (!doc) return;
    cJSON_Delete(doc->root);
    free(doc);
}

const json *json_root(const json_doc *doc) {
    return doc->root;
}

/* ---- Kinds ----------------------------------------------------------------------------------- */

bool json_is_object(const json *node) {
    return cJSON_IsObject(node);
}

bool json_is_array(const json *node) {
    return cJSON_IsArray(node);
}

bool json_is_string(const json *node) {
    return cJSON_IsString(node);
}

bool json_is_number(const json *node) {
    return cJSON_IsNumber(node);
}

bool json_is_bool(const json *node) {
    return cJSON_IsBool(node);
}

bool json_is_null(const json *node) {
    return cJSON_IsNull(node);
}

/* ---- Members and elements -------------------------------------------------------------------- */

const json *json_find(const json *node, const char *key) {
    return json_is_object(node) ? cJSON_GetObjectItemCaseSensitive(node, key) : NULL;
}

const json *json_first(const json *node) {
    return json_is_object(node) || json_is_array(node) ? node->child : NULL;
}

const json *json_next(const json *node) {
    return node ? node->next : NULL;
}

const char *json_key(const json *node) {
    return node ? node->string : NULL;
}

size_t json_count(const json *node) {
    size_t count = 0;
    json_for_each(child, node) count++;
    return count;
}

/* ---- Values ---------------------------------------------------------------------------------- */

const char *json_string(const json *node) {
    return json_is_string(node) ? node->valuestring : NULL;
}

bool json_bool(const json *node, bool fallback) {
    return json_is_bool(node) ? cJSON_IsTrue(node) : fallback;
}

double json_number(const json *node, double fallback) {
    return json_is_number(node) ? node->valuedouble : fallback;
}

bool json_integer(const json *node, int64_t min, int64_t max, int64_t *out) {
    /* From 2^53 on, a double may stand for another integer than the text did. */
    double limit = 9007199254740992.0;
    if (!json_is_number(node)) return false;
    double number = node->valuedouble;
    if (!(number > -limit && number < limit)) return false;
    int64_t value = (int64_t)number;
    if ((double)value != number || value < min || value > max) return false;
    *out = value;
    return true;
}
