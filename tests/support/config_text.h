/*
 * config_text.h - the published descriptions of tests/data/configs, whole or with edits, parsed.
 */
#ifndef FATHOM_TESTS_CONFIG_TEXT_H
#define FATHOM_TESTS_CONFIG_TEXT_H

#include "model/config.h"
#include "support/json_edit.h"

/** Parses `text` as a config.json. */
static inline fm_status config_text_parse(const char *text, config *out, fm_error *err) {
    const json_limits limits = {.max_bytes = 1 << 20, .max_depth = 32};
    json_doc *doc;
    fm_status status = json_parse("config.json", text, strlen(text), limits, &doc, err);
    if (status != FM_OK) return status;
    status = config_parse(json_root(doc), out, err);
    json_free(doc);
    return status;
}

/** Parses tests/data/configs/NAME.json with edits (json_edit.h). */
static inline fm_status config_text_edited(const char *name, const char *edits, config *out,
                                           fm_error *err) {
    char path[1024];
    assert_true(snprintf(path, sizeof path, TEST_DATA "/configs/%s.json", name) < 1024);
    char *text = json_edit_read(path, NULL), *edited = json_edit(text, edits);
    fm_status status = config_text_parse(edited, out, err);
    free(edited);
    free(text);
    return status;
}

/** The same where it has to succeed. */
static inline config config_text_get(const char *name, const char *edits) {
    config c;
    fm_error err = {0};
    if (config_text_edited(name, edits, &c, &err) != FM_OK)
        fail_msg("%s with %s: %s", name, edits, err.text);
    return c;
}

#endif
