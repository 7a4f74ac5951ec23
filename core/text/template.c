/* template.c - parses templates and renders them: the calls of fathom.h. */
#include <stdlib.h>
#include <string.h>

#include "../base/fp.h"
#include "../base/utf8.h"
#include "rendering.h"
#include "template.h"
#include "tpl_eval.h"
#include "tpl_parse.h"

/* ---- Parsing --------------------------------------------------------------------------------- */

/** Copies the source with every kind of newline as '\n', and without one at the end. */
static fm_status copy_source(fm_template *t, const char *text, size_t length, fm_error *err) {
    t->source = arena_alloc(t->arena, length + 1, 1);
    if (!t->source) return error_set(err, FM_ERR_MEMORY, "out of memory for a template");
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        bool is_pair = text[i] == '\r' && i + 1 < length && text[i + 1] == '\n';
        if (!is_pair) t->source[n++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (n > 0 && t->source[n - 1] == '\n') n--;
    t->length = n;
    for (size_t at = 0, step; at < n; at += step) {
        size_t line, column;
        step = utf8_length(t->source + at, n - at);
        if (step > 0) continue;
        tpl_place(t->source, at, &line, &column);
        return error_set(err, FM_ERR_FORMAT, "line %zu, column %zu: byte 0x%02X is no UTF-8", line,
                         column, (unsigned)(uint8_t)t->source[at]);
    }
    return FM_OK;
}

static fm_status parse(fm_template *t, const char *text, size_t length, fm_error *err) {
    fenv_t caller;
    tpl_memory memory = {.arena = t->arena, .limit = TPL_MAX_MEMORY};
    FM_TRY(copy_source(t, text, length, err));
    fp_begin(&caller);
    fm_status status = tpl_parse(t, &memory, err);
    fp_end(&caller);
    return status;
}

fm_status fm_template_parse(const char *text, size_t length, fm_template **out, fm_error *err) {
    *out = NULL;
    if (length > TPL_MAX_SOURCE)
        return error_set(err, FM_ERR_LIMIT, "a template of %zu bytes is above the limit of %d",
                         length, TPL_MAX_SOURCE);
    arena *memory = arena_new();
    fm_template *t = memory ? arena_alloc(memory, 1, sizeof *t) : NULL;
    if (!t) {
        arena_free(memory);
        return error_set(err, FM_ERR_MEMORY, "out of memory for a template");
    }
    t->arena = memory;
    fm_status status = parse(t, text, length, err);
    if (status == FM_OK)
        *out = t;
    else
        arena_free(memory);
    return status;
}

void fm_template_free(fm_template *t) {
    if (t) arena_free(t->arena);
}

/* ---- Rendering ------------------------------------------------------------------------------- */

static fm_status set_name(tpl_run *r, const char *name, tpl_value v) {
    const tpl_text *key = NULL;
    FM_TRY(tpl_text_new(r, name, strlen(name), true, &key));
    return tpl_dict_set(r, r->names, tpl_string(key), v);
}

/** What a template sees besides its input: functions and special tokens. */
static fm_status set_names(tpl_run *r, const fm_template_name *names, size_t n_names) {
    FM_TRY(tpl_dict_new(r, &r->names));
    for (const tpl_function *f = tpl_functions; f->name; f++)
        FM_TRY(set_name(r, f->name, (tpl_value){.kind = TPL_FUNCTION, .function = f}));
    for (size_t i = 0; i < n_names; i++) {
        const tpl_text *text = NULL;
        FM_TRY(tpl_text_new(r, names[i].text, strlen(names[i].text), true, &text));
        FM_TRY(set_name(r, names[i].name, tpl_string(text)));
    }
    return FM_OK;
}

/** The variables of a rendering: what `make` makes of the caller's input. */
typedef fm_status (*make_input)(tpl_run *r, const void *input, size_t n, tpl_value *out);

typedef struct rendering_input {
    make_input make;
    const void *data;
    size_t n;
    const fm_template_name *names;
    size_t n_names;
} rendering_input;

static fm_status run(tpl_run *r, const rendering_input *input) {
    tpl_value variables;
    FM_TRY(input->make(r, input->data, input->n, &variables));
    if (variables.kind != TPL_DICT)
        return error_set(r->err, FM_ERR_FORMAT,
                         "the input of the template is %s: give an object with messages",
                         tpl_kind_name(variables));
    r->input = variables.dict;
    FM_TRY(set_names(r, input->names, input->n_names));
    return tpl_run_template(r);
}

static fm_status render(const fm_template *t, const rendering_input *input, int64_t now,
                        fm_rendering **out, fm_error *err) {
    fm_error unused;
    fenv_t caller;
    *out = NULL;
    tpl_run r = {.t = t, .now = now, .err = err ? err : &unused, .steps_left = TPL_MAX_STEPS};
    r.memory.limit = TPL_MAX_MEMORY;
    r.memory.arena = arena_new();
    r.out = calloc(1, sizeof *r.out);
    fm_status status = FM_ERR_MEMORY;
    if (r.memory.arena && r.out) {
        fp_begin(&caller);
        status = run(&r, input);
        fp_end(&caller);
    } else {
        error_set(err, FM_ERR_MEMORY, "out of memory for the text of a template");
    }
    arena_free(r.memory.arena);
    if (status == FM_OK) {
        rendering_complete(r.out);
        *out = r.out;
    } else {
        fm_rendering_free(r.out);
    }
    return status;
}

static fm_status make_json(tpl_run *r, const void *input, size_t n, tpl_value *out) {
    return tpl_json_read(r, input, n, out);
}

fm_status fm_template_render(const fm_template *t, const char *input, size_t length,
                             const fm_template_name *names, size_t n_names, int64_t now,
                             fm_rendering **out, fm_error *err) {
    const rendering_input what = {make_json, input, length, names, n_names};
    return render(t, &what, now, out, err);
}

/* ---- Messages -------------------------------------------------------------------------------- */

static fm_status set_member(tpl_run *r, tpl_dict *d, const char *key, tpl_value v) {
    const tpl_text *text = NULL;
    FM_TRY(tpl_text_new(r, key, strlen(key), false, &text));
    return tpl_dict_set(r, d, tpl_string(text), v);
}

static fm_status set_text(tpl_run *r, tpl_dict *d, const char *key, const char *value) {
    const tpl_text *text = NULL;
    FM_TRY(tpl_text_new(r, value, strlen(value), false, &text));
    return set_member(r, d, key, tpl_string(text));
}

static fm_status make_messages(tpl_run *r, const void *input, size_t n, tpl_value *out) {
    const fm_message *messages = input;
    tpl_items items = {0};
    tpl_value list;
    tpl_dict *all, *message;
    for (size_t i = 0; i < n; i++) {
        FM_TRY(tpl_dict_new(r, &message));
        FM_TRY(set_text(r, message, "role", messages[i].role));
        FM_TRY(set_text(r, message, "content", messages[i].content));
        FM_TRY(tpl_items_add(r, &items, (tpl_value){.kind = TPL_DICT, .dict = message}));
    }
    FM_TRY(tpl_list_new(r, TPL_LIST, items.items, items.count, &list));
    FM_TRY(tpl_dict_new(r, &all));
    FM_TRY(set_member(r, all, "messages", list));
    FM_TRY(set_member(r, all, "add_generation_prompt", tpl_bool(true)));
    *out = (tpl_value){.kind = TPL_DICT, .dict = all};
    return FM_OK;
}

fm_status template_render_messages(const fm_template *t, const fm_message *messages,
                                   size_t n_messages, fm_rendering **out, fm_error *err) {
    const rendering_input what = {make_messages, messages, n_messages, NULL, 0};
    return render(t, &what, 0, out, err);
}
