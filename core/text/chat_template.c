/* chat_template.c - the chat template that a model directory carries, and the names it is given. */
#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/json.h"
#include "../base/os.h"

#define CONFIG_NAME   "tokenizer_config.json"
#define TEMPLATE_NAME "chat_template.jinja"

enum {
    MAX_TEMPLATE = 1 << 20, /* bytes */
    MAX_NAMES = 64,
    PATH_SIZE = 4096, /* bytes */
};

struct fm_chat_template {
    arena *memory;
    char *text; /* [length], NULL when there is none */
    size_t length;
    fm_template_name names[MAX_NAMES]; /* [n_names] */
    size_t n_names;
};

static fm_status fail_memory(fm_error *err) {
    return error_set(err, FM_ERR_MEMORY, "out of memory for a chat template");
}

static fm_status keep_text(fm_chat_template *c, const char *text, size_t length, fm_error *err) {
    c->text = arena_strndup(c->memory, text, length);
    c->length = length;
    return c->text ? FM_OK : fail_memory(err);
}

/** A template of its own file, which then is the one that holds. */
static fm_status read_file(fm_chat_template *c, const char *dir, fm_error *err) {
    char path[PATH_SIZE];
    char *text;
    size_t length;
    FM_TRY(os_path_join(dir, TEMPLATE_NAME, path, sizeof path, err));
    if (!os_path_exists(path)) return FM_OK;
    FM_TRY(os_file_read(path, MAX_TEMPLATE, &text, &length, err));
    fm_status status = keep_text(c, text, length, err);
    free(text);
    return status;
}

/** The text of one of several templates, each with a name; NULL when there is none of that name. */
static const char *find_named(const json *list, const char *name) {
    json_for_each(entry, list) {
        const char *own = json_string(json_find(entry, "name"));
        const char *text = json_string(json_find(entry, "template"));
        if (own && text && strcmp(own, name) == 0) return text;
    }
    return NULL;
}

static fm_status read_key(fm_chat_template *c, const json *config, const char *name,
                          fm_error *err) {
    const json *key = json_find(config, "chat_template");
    const char *text = json_string(key);
    if (text && name) text = NULL;
    if (!text) text = find_named(key, name ? name : "default");
    if (!text && name)
        return error_set(err, FM_ERR_NOT_FOUND, CONFIG_NAME ": has no chat template \"%.80s\"",
                         name);
    return text ? keep_text(c, text, strlen(text), err) : FM_OK;
}

/** Keys like bos_token, whose value is a text or {"content": text}. */
static fm_status read_names(fm_chat_template *c, const json *config, fm_error *err) {
    static const char ending[] = "_token";
    json_for_each(node, config) {
        const char *key = json_key(node);
        const char *text = json_string(json_is_object(node) ? json_find(node, "content") : node);
        size_t length = strlen(key);
        if (!text || length < strlen(ending) || strcmp(key + length - strlen(ending), ending) != 0)
            continue;
        if (c->n_names == MAX_NAMES)
            return error_set(err, FM_ERR_LIMIT, CONFIG_NAME ": names more than %d special tokens",
                             MAX_NAMES);
        fm_template_name *name = &c->names[c->n_names++];
        name->name = arena_strndup(c->memory, key, length);
        name->text = arena_strndup(c->memory, text, strlen(text));
        if (!name->name || !name->text) return fail_memory(err);
    }
    return FM_OK;
}

static fm_status read_dir(fm_chat_template *c, const char *dir, const char *name, fm_error *err) {
    const json_limits limits = {.max_bytes = (size_t)64 << 20, .max_depth = 64};
    char path[PATH_SIZE];
    json_doc *doc;
    if (!os_dir_exists(dir))
        return error_set(err, FM_ERR_NOT_FOUND, "%s: no such directory: give a model directory",
                         dir);
    if (!name) FM_TRY(read_file(c, dir, err));
    FM_TRY(os_path_join(dir, CONFIG_NAME, path, sizeof path, err));
    if (!os_path_exists(path) && !name) return FM_OK;
    FM_TRY(json_read(path, limits, &doc, err));
    fm_status status = c->text ? FM_OK : read_key(c, json_root(doc), name, err);
    if (status == FM_OK) status = read_names(c, json_root(doc), err);
    json_free(doc);
    return status;
}

fm_status fm_chat_template_open(const char *dir, const char *name, fm_chat_template **out,
                                fm_error *err) {
    *out = NULL;
    arena *memory = arena_new();
    fm_chat_template *c = memory ? arena_alloc(memory, 1, sizeof *c) : NULL;
    if (!c) {
        arena_free(memory);
        return fail_memory(err);
    }
    c->memory = memory;
    fm_status status = read_dir(c, dir, name, err);
    if (status == FM_OK)
        *out = c;
    else
        arena_free(memory);
    return status;
}

void fm_chat_template_close(fm_chat_template *c) {
    if (c) arena_free(c->memory);
}

const char *fm_chat_template_text(const fm_chat_template *c, size_t *length) {
    *length = c->length;
    return c->text;
}

const fm_template_name *fm_chat_template_names(const fm_chat_template *c, size_t *n) {
    *n = c->n_names;
    return c->names;
}
