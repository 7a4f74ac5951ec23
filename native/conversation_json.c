/* conversation_json.c - a conversation as JSON and back. What is read may be anybody's file. */
#include "base/json.h"
#include "conversation.h"
#include "json_out.h"
#include "terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX_BYTES = 2 * CONVERSATION_MAX_BYTES, /* with what JSON adds */
    FILE_MAX_DEPTH = 64,                         /* arrays and objects inside each other */
    MAX_SHOWN = 60,                              /* bytes of a key or role in a message */
};

/* ---- Writing ------------------------------------------------------------------------------------- */

/* Bytes of the character at the head of terminated text; 0 when that is no UTF-8. */
static size_t char_length(const char *text) {
    const unsigned char *u = (const unsigned char *)text;
    bool is_control = u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0);
    if (is_control) return u[0] == 0xc2 ? 2 : 1;
    return terminal_char(text);
}

/* Appends a string of JSON, in runs that are whole characters. */
static bool write_text(const conversation_message *m, bytes *out) {
    bytes clean = {0};
    bool ok = true;
    for (size_t at = 0; ok && at < m->length;) {
        size_t length = char_length(m->text + at);
        ok = length > 0 ? bytes_append(&clean, m->text + at, length)
                        : bytes_append(&clean, "\xef\xbf\xbd", 3);
        at += length > 0 ? length : 1;
    }
    ok = ok && json_out_quote(out, clean.data ? clean.data : "", clean.length);
    bytes_free(&clean);
    return ok;
}

static bool write_words(bytes *out, const char *words) {
    return bytes_append(out, words, strlen(words));
}

bool conversation_write_json(const conversation *c, bytes *out) {
    bool ok = write_words(out, "{\"messages\":[");
    for (size_t i = 0; ok && i < c->count; i++)
        ok = write_words(out, i > 0 ? ",\n{\"role\":\"" : "\n{\"role\":\"") &&
             write_words(out, c->messages[i].role) && write_words(out, "\",\"content\":") &&
             write_text(&c->messages[i], out) && write_words(out, "}");
    return ok && write_words(out, "\n]}\n");
}

/* ---- Reading ------------------------------------------------------------------------------------- */

/* The conversation that is being read, and the message. */
typedef struct reader {
    conversation c;
    const char *name;
    size_t number; /* of the message, from 1 */
    fm_error *err;
} reader;

/* "NAME: message 3: what is wrong" */
__attribute__((format(printf, 3, 4))) static fm_status refuse(reader *r, fm_status status,
                                                              const char *format, ...) {
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    r->err->status = status;
    snprintf(r->err->text, sizeof r->err->text, "%.150s: message %zu: %s", r->name, r->number,
             what);
    terminal_clean(r->err->text);
    return status;
}

/* A part of OpenAI's form: {"type": "text", "text": "…"}. */
static fm_status read_part(reader *r, const json *part, bytes *text) {
    const char *type = json_string(json_find(part, "type"));
    const char *piece = json_string(json_find(part, "text"));
    if (!type || strcmp(type, "text") != 0 || !piece || json_count(part) != 2)
        return refuse(r, FM_ERR_UNSUPPORTED,
                      "a part of \"content\" is no {\"type\": \"text\", \"text\": …}");
    if (bytes_append(text, piece, strlen(piece))) return FM_OK;
    return refuse(r, FM_ERR_MEMORY, "out of memory");
}

static fm_status read_content(reader *r, const json *content, bytes *text) {
    const char *whole = json_string(content);
    if (whole && bytes_append(text, whole, strlen(whole))) return FM_OK;
    if (whole) return refuse(r, FM_ERR_MEMORY, "out of memory");
    if (!json_is_array(content))
        return refuse(r, FM_ERR_FORMAT, "\"content\" takes a text, or a list of text parts");
    json_for_each(part, content) {
        fm_status status = read_part(r, part, text);
        if (status != FM_OK) return status;
    }
    return FM_OK;
}

/* A member without a value says nothing. */
static fm_status check_keys(reader *r, const json *message) {
    json_for_each(member, message) {
        const char *key = json_key(member);
        if (strcmp(key, "role") != 0 && strcmp(key, "content") != 0 && !json_is_null(member))
            return refuse(r, FM_ERR_UNSUPPORTED,
                          "\"%.*s\" can not be taken over: a message has \"role\" and \"content\"",
                          MAX_SHOWN, key);
    }
    return FM_OK;
}

static fm_status read_message(reader *r, const json *message) {
    fm_error err;
    bytes text = {0};
    if (!json_is_object(message)) return refuse(r, FM_ERR_FORMAT, "an object is needed, in {}");
    const char *role = json_string(json_find(message, "role"));
    if (!role) return refuse(r, FM_ERR_FORMAT, "\"role\" takes system, user or assistant");
    fm_status status = check_keys(r, message);
    if (status == FM_OK) status = read_content(r, json_find(message, "content"), &text);
    if (status == FM_OK) {
        status = conversation_add(&r->c, role, text.data, text.length, &err);
        if (status != FM_OK) refuse(r, status, "%s", err.text);
    }
    bytes_free(&text);
    return status;
}

static fm_status read_messages(reader *r, const json *root) {
    const json *list = json_is_object(root) ? json_find(root, "messages") : root;
    if (!json_is_array(list)) {
        snprintf(r->err->text, sizeof r->err->text,
                 "%.300s: no conversation: give {\"messages\": […]} or the list alone", r->name);
        terminal_clean(r->err->text);
        return r->err->status = FM_ERR_FORMAT;
    }
    json_for_each(message, list) {
        r->number++;
        fm_status status = read_message(r, message);
        if (status != FM_OK) return status;
    }
    return FM_OK;
}

/* Replaces *out by what the tree says; frees the tree. */
static fm_status take_tree(conversation *out, const char *name, json_doc *doc, fm_error *err) {
    reader r = {.name = name, .err = err};
    fm_status status = read_messages(&r, json_root(doc));
    json_free(doc);
    if (status != FM_OK) {
        conversation_free(&r.c);
        return status;
    }
    conversation_free(out);
    *out = r.c;
    return FM_OK;
}

static const json_limits limits = {.max_bytes = FILE_MAX_BYTES, .max_depth = FILE_MAX_DEPTH};

fm_status conversation_parse_json(conversation *out, const char *name, const char *text,
                                  size_t length, fm_error *err) {
    json_doc *doc;
    fm_status status = json_parse(name, text, length, limits, &doc, err);
    return status == FM_OK ? take_tree(out, name, doc, err) : status;
}

fm_status conversation_read_json(conversation *out, const char *path, fm_error *err) {
    json_doc *doc;
    fm_status status = json_read(path, limits, &doc, err);
    return status == FM_OK ? take_tree(out, path, doc, err) : status;
}
