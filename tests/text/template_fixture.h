/*
 * template_fixture.h - what the suites of chat templates that read tests/data/template share: lines
 * of JSON whose last member is the input, and renderings as one text.
 */
#ifndef FATHOM_TESTS_TEXT_TEMPLATE_FIXTURE_H
#define FATHOM_TESTS_TEXT_TEMPLATE_FIXTURE_H

#include "base/json.h"
#include "base/os.h"
#include "text/fixture.h"

/** 2025-07-31 12:10:10 UTC: the time of the expected renderings. */
#define TEMPLATE_NOW 1753963810

/** The special tokens that the expected renderings have. */
static const fm_template_name template_names[] = {
    {"bos_token", "<s>"},
    {"eos_token", "</s>"},
    {"unk_token", "<unk>"},
    {"pad_token", "<pad>"},
};
enum { N_TEMPLATE_NAMES = sizeof template_names / sizeof template_names[0] };

/** A file that has to be there; the caller frees it. */
static inline char *template_read(const char *name, size_t *size) {
    char path[1024], *text = NULL;
    fm_error err = {0};
    snprintf(path, sizeof path, "%s/template/%s", TEST_DATA, name);
    if (os_file_read(path, 16 << 20, &text, size, &err) != FM_OK) fail_msg("%s", err.text);
    return text;
}

/** A line of a file, as JSON. */
typedef struct template_line {
    int number; /* from 1 */
    json_doc *doc;
    const json *root;
    const char *input; /* the text of the last member, where that is called so; not terminated */
    size_t input_length;
} template_line;

/** Reads a line; its input is only pointed at, as it may be what json.h refuses. Writes into it. */
static inline template_line template_line_read(const char *name, int number, char *text,
                                               size_t length) {
    template_line line = {.number = number};
    fm_error err = {0};
    /* Inside a string the quotes would have backslashes in front. */
    char *input = strstr(text, ",\"input\":");
    size_t end = length;
    if (input) {
        line.input = input + strlen(",\"input\":");
        line.input_length = (size_t)(text + length - 1 - line.input);
        *input = '}';
        end = (size_t)(input + 1 - text);
    }
    json_limits limits = {.max_bytes = end, .max_depth = 64};
    if (json_parse(name, text, end, limits, &line.doc, &err) != FM_OK)
        fail_msg("line %d: %s", number, err.text);
    line.root = json_root(line.doc);
    return line;
}

/** Calls `each` for every line and returns their number. */
static inline int template_for_each_line(const char *name,
                                         void (*each)(const template_line *, void *),
                                         void *context) {
    size_t size = 0;
    char *text = template_read(name, &size);
    int n_lines = 0;
    for (char *start = text, *end; start < text + size; start = end + 1) {
        end = memchr(start, '\n', (size_t)(text + size - start));
        assert_non_null(end);
        *end = '\0';
        template_line line = template_line_read(name, ++n_lines, start, (size_t)(end - start));
        each(&line, context);
        json_free(line.doc);
    }
    free(text);
    return n_lines;
}

/** The member of a line that has to be there. */
static inline const char *template_text(const template_line *line, const char *key) {
    const char *text = json_string(json_find(line->root, key));
    if (!text) fail_msg("line %d has no text \"%s\"", line->number, key);
    return text;
}

/** All spans of a rendering together; the caller frees it. Neighbours differ in kind, and none is
 * empty. */
static inline char *template_join(const fm_rendering *rendering) {
    size_t n_spans = 0, length = 0;
    const fm_span *spans = fm_rendering_spans(rendering, &n_spans);
    for (size_t i = 0; i < n_spans; i++) {
        assert_true(spans[i].length > 0);
        assert_true(i == 0 || spans[i].is_template != spans[i - 1].is_template);
        length += spans[i].length;
    }
    char *text = malloc(length + 1);
    assert_non_null(text);
    length = 0;
    for (size_t i = 0; i < n_spans; i++) {
        memcpy(text + length, spans[i].text, spans[i].length);
        length += spans[i].length;
    }
    text[length] = '\0';
    return text;
}

/** Renders, or returns NULL with the reason; the caller frees the text. */
static inline char *template_render(const fm_template *template, const char *input, size_t length,
                                    const fm_template_name *names, size_t n_names, fm_error *err) {
    fm_rendering *rendering = NULL;
    fm_status status =
        fm_template_render(template, input, length, names, n_names, TEMPLATE_NOW, &rendering, err);
    if (status != FM_OK) {
        assert_null(rendering);
        return NULL;
    }
    char *text = template_join(rendering);
    fm_rendering_free(rendering);
    return text;
}

/** Where two texts begin to differ, or a little before. */
static inline size_t template_difference(const char *a, const char *b) {
    size_t n = 0;
    while (a[n] && a[n] == b[n]) n++;
    return n < 40 ? 0 : n - 40;
}

/** A refusal has a reason; where the template itself refused, it has the template's words. */
static inline bool template_refused(const char *reference, const fm_error *err) {
    static const char kind[] = "TemplateError: ";
    if (strncmp(reference, kind, strlen(kind)) == 0 && !strstr(err->text, reference + strlen(kind)))
        return false;
    return err->text[0] != '\0';
}

/** Checks a text, or NULL with a reason, against a line with "output" or "error". False, and says
 * so, when it is another. */
static inline bool template_holds(const char *name, const template_line *line, const char *text,
                                  const fm_error *err) {
    const char *output = json_string(json_find(line->root, "output"));
    if (output ? text && strcmp(text, output) == 0
               : !text && template_refused(template_text(line, "error"), err))
        return true;
    size_t from = output && text ? template_difference(output, text) : 0;
    print_error("%s:%d: expected %s\n    %.160s\ngot %s\n    %.160s\n", name, line->number,
                output ? "the text" : "a refusal",
                output ? output + from : template_text(line, "error"),
                text ? "the text" : "a refusal", text ? text + from : err->text);
    return false;
}

#endif
