/*
 * fuzz_json.c - any bytes as JSON. What is taken must be a tree that can be walked with all
 * readers, of strings that are UTF-8; what is refused must leave one clean line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_text(const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0, n; i < length; i += n) {
        n = utf8_length(text + i, length - i);
        require(n > 0);
    }
}

static void check_tree(const json *node, int depth) {
    int64_t value = 0;
    size_t count = 0;
    require(depth <= 64);
    if (json_key(node)) check_text(json_key(node));
    if (json_is_string(node)) check_text(json_string(node));
    if (json_integer(node, INT64_MIN, INT64_MAX, &value))
        require(json_number(node, 0) == (double)value);
    json_for_each(child, node) {
        check_tree(child, depth + 1);
        /* Keys are unique, so the first member found by a key is the member itself. */
        if (json_is_object(node) && count < 8) require(json_find(node, json_key(child)) == child);
        count++;
    }
    require(json_count(node) == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const json_limits limits = {.max_bytes = 1 << 16, .max_depth = 64};
    json_doc *doc;
    fm_error err = {0};
    if (json_parse("fuzz", (const char *)data, size, limits, &doc, &err) == FM_OK) {
        check_tree(json_root(doc), 0);
        json_free(doc);
    } else {
        require(err.status != FM_OK && err.text[0] != '\0' && !strchr(err.text, '\n'));
        check_text(err.text);
    }
    return 0;
}
