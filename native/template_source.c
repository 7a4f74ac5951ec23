/* template_source.c - finds, parses and feeds chat templates. */
#include "template_source.h"

#include "base/json.h"
#include "json_out.h"
#include "prompt.h"
#include "terminal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* ---- Where a template comes from ------------------------------------------------------------- */

static int parse_text(template_source *s, const char *name, const char *text, size_t length) {
    fm_error err;
    if (fm_template_parse(text, length, &s->parsed, &err) == FM_OK) return STATUS_DONE;
    return terminal_fail("%s: %s", name, err.text);
}

static int parse_file(template_source *s, const char *path) {
    bytes text = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return terminal_fail("%s: %s; --template takes a file, or one of deepseek-v3, deepseek-r1, "
                             "deepseek-v3.1, deepseek-llm, deepseek-coder, chatml",
                             path, strerror(errno));
    int error = bytes_read(&text, file, 1 << 20), status;
    fclose(file);
    if (error)
        status = terminal_fail("%s: %s", path,
                               error == EFBIG ? "more than 1 MiB; give a smaller template"
                                              : strerror(error));
    else
        status = parse_text(s, path, text.data ? text.data : "", text.length);
    bytes_free(&text);
    return status;
}

/** The layout that fits the tokenizer of a directory without a template. */
static int parse_fitting(template_source *s, const char *dir) {
    fm_error err;
    fm_tokenizer *t = NULL;
    if (fm_tokenizer_open(dir, &t, &err) != FM_OK) return terminal_fail("%s", err.text);
    const char *name = fm_chat_layout(t);
    int status =
        name ? parse_text(s, name, fm_chat_layout_text(name), strlen(fm_chat_layout_text(name)))
             : terminal_fail("%s: carries no chat template, and none of the built-in ones fits; "
                             "choose one with --template",
                             dir);
    fm_tokenizer_close(t);
    return status;
}

static int parse_own(template_source *s, const char *name) {
    size_t length;
    const char *text = fm_chat_template_text(s->own, &length);
    return parse_text(s, name, text, length);
}

/** --template of a name or file. */
static int open_named(template_source *s, const char *name, const char *dir) {
    fm_error err;
    fm_chat_template *named = NULL;
    const char *layout = fm_chat_layout_text(name);
    if (layout) return parse_text(s, name, layout, strlen(layout));
    if (!dir || fm_chat_template_open(dir, name, &named, &err) != FM_OK) return parse_file(s, name);
    fm_chat_template_close(s->own);
    s->own = named;
    return parse_own(s, name);
}

int template_open(template_source *s, const options *o, const char *dir) {
    fm_error err;
    size_t length;
    if (dir && fm_chat_template_open(dir, NULL, &s->own, &err) != FM_OK)
        return terminal_fail("%s", err.text);
    if (o->template) return open_named(s, o->template, dir);
    if (!dir)
        return terminal_refuse("without a model directory a template is needed: --template NAME "
                               "or FILE");
    return fm_chat_template_text(s->own, &length) ? parse_own(s, dir) : parse_fitting(s, dir);
}

void template_close(template_source *s) {
    fm_template_free(s->parsed);
    fm_chat_template_close(s->own);
    *s = (template_source){0};
}

/* ---- Input ----------------------------------------------------------------------------------- */

typedef enum json_kind {
    JSON_KIND_NONE,
    JSON_KIND_LIST,
    JSON_KIND_OBJECT,
    JSON_KIND_OTHER
} json_kind;

/** What a text is, as JSON; JSON_KIND_NONE with *err filled when it is none. */
static json_kind kind_of(const char *name, const char *text, size_t length, fm_error *err) {
    const json_limits limits = {
        .max_bytes = (size_t)64 << 20, .max_depth = 64, .keys_repeat = true};
    json_doc *doc;
    if (json_parse(name, text, length, limits, &doc, err) != FM_OK) return JSON_KIND_NONE;
    const json *root = json_root(doc);
    json_kind kind = json_is_object(root)  ? JSON_KIND_OBJECT
                     : json_is_array(root) ? JSON_KIND_LIST
                                           : JSON_KIND_OTHER;
    json_free(doc);
    return kind;
}

static bool add_word(bytes *out, const char *word) {
    return bytes_append(out, word, strlen(word));
}

/** Adds the members of an object, without its braces. */
static bool add_members(bytes *out, const char *text, size_t length) {
    const char *open = memchr(text, '{', length);
    const char *close = text + length;
    while (close > open && *close != '}') close--;
    const char *first = open + 1;
    while (first < close && strchr(" \t\r\n", *first)) first++;
    if (first == close) return true; /* it is empty */
    return add_word(out, ",") && bytes_append(out, first, (size_t)(close - first));
}

static int add_messages(const char *name, const bytes *messages, bytes *out) {
    fm_error err;
    const char *text = messages->data ? messages->data : "";
    json_kind kind = kind_of(name, text, messages->length, &err);
    bool ok = true;
    if (kind == JSON_KIND_NONE) return terminal_fail("%s", err.text);
    if (kind == JSON_KIND_OTHER)
        return terminal_fail("%s: give a list of messages, or an object with one under messages",
                             name);
    if (kind == JSON_KIND_LIST)
        ok = add_word(out, ",\"messages\":") && bytes_append(out, text, messages->length);
    else
        ok = add_members(out, text, messages->length);
    return ok ? STATUS_DONE : terminal_fail("out of memory for the messages");
}

static int add_tools(const options *o, bytes *out) {
    fm_error err;
    bytes text = {0}, path = {0};
    int status = STATUS_DONE;
    if (!o->tools) return STATUS_DONE;
    if (!add_word(&path, "@") || !bytes_append(&path, o->tools, strlen(o->tools) + 1))
        status = terminal_fail("out of memory for the tools");
    if (status == STATUS_DONE) status = prompt_read(path.data, &text);
    if (status == STATUS_DONE) {
        json_kind kind = kind_of(o->tools, text.data ? text.data : "", text.length, &err);
        if (kind == JSON_KIND_NONE)
            status = terminal_fail("%s", err.text);
        else if (kind != JSON_KIND_LIST)
            status = terminal_fail("%s: tools are a list", o->tools);
        else if (!add_word(out, ",\"tools\":") || !bytes_append(out, text.data, text.length))
            status = terminal_fail("out of memory for the tools");
    }
    bytes_free(&path);
    bytes_free(&text);
    return status;
}

/** "key=value": the value is JSON where it can be read as such, else text. */
static int add_argument(const char *argument, bytes *out) {
    fm_error err;
    const char *equals = strchr(argument, '=');
    if (!equals || equals == argument)
        return terminal_refuse("--template-arg takes NAME=VALUE, not '%s'", argument);
    const char *value = equals + 1;
    size_t length = strlen(value);
    bool is_json = kind_of("value", value, length, &err) != JSON_KIND_NONE;
    bool ok = add_word(out, ",") && json_out_quote(out, argument, (size_t)(equals - argument)) &&
              add_word(out, ":") &&
              (is_json ? bytes_append(out, value, length) : json_out_quote(out, value, length));
    return ok ? STATUS_DONE : terminal_fail("out of memory for an argument of the template");
}

int template_make_input(const options *o, const char *name, const bytes *messages, bytes *out) {
    /* The reference gives tools and documents, as none, also where there are none. */
    static const char defaults[] =
        "{\"tools\":null,\"documents\":null,\"add_generation_prompt\":true";
    if (!add_word(out, defaults)) return terminal_fail("out of memory for the messages");
    int status = add_messages(name, messages, out);
    if (status == STATUS_DONE) status = add_tools(o, out);
    for (size_t i = 0; status == STATUS_DONE && i < o->template_args.count; i++)
        status = add_argument(o->template_args.items[i], out);
    if (status == STATUS_DONE && !add_word(out, "}"))
        status = terminal_fail("out of memory for the messages");
    return status;
}

int template_render(const template_source *s, const bytes *input, fm_rendering **out) {
    fm_error err;
    size_t n_names = 0;
    const fm_template_name *names = s->own ? fm_chat_template_names(s->own, &n_names) : NULL;
    if (fm_template_render(s->parsed, input->data, input->length, names, n_names,
                           (int64_t)time(NULL), out, &err) == FM_OK)
        return STATUS_DONE;
    return terminal_fail("%s", err.text);
}
