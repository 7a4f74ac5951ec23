/*
 * tpl_json_in.c - JSON into values. The text was checked as a whole before, so reading it cannot
 * fail but for memory and limits; cJSON is not used since it keeps every number as a double.
 */
#include <string.h>

#include "../base/json_check.h"
#include "../base/utf8.h"
#include "tpl_eval.h"
#include "tpl_number.h"

typedef struct reader {
    tpl_run *r;
    const char *text; /* [length] */
    size_t length, at;
} reader;

static fm_status read_value(reader *in, tpl_value *out);

static char here(const reader *in) {
    return in->at < in->length ? in->text[in->at] : '\0';
}

static void skip_space(reader *in) {
    while (here(in) == ' ' || here(in) == '\t' || here(in) == '\n' || here(in) == '\r') in->at++;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static uint32_t read_hex4(const char *text) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        value = value * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

/** Writes what the escape at text[0], a backslash, means; returns the bytes of the escape. */
static size_t read_escape(const char *text, char *out, size_t *n_out) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    *n_out = 1;
    if (text[1] != 'u') {
        *out = meanings[strchr(letters, text[1]) - letters];
        return 2;
    }
    uint32_t code = read_hex4(text + 2);
    bool is_pair = code >= 0xD800 && code < 0xDC00;
    if (is_pair) code = 0x10000 + ((code - 0xD800) << 10) + (read_hex4(text + 8) - 0xDC00);
    *n_out = utf8_encode(code, out);
    return is_pair ? 12 : 6;
}

static fm_status read_string(reader *in, const tpl_text **out) {
    size_t start = ++in->at, n = 0;
    bool has_escapes = false;
    for (; here(in) != '"'; in->at++) {
        if (here(in) != '\\') continue;
        has_escapes = true;
        in->at++;
    }
    size_t end = in->at++;
    if (!has_escapes) return tpl_text_new(in->r, in->text + start, end - start, false, out);
    char *meaning = tpl_new(in->r, end - start, 1); /* never longer than its escapes */
    if (!meaning) return in->r->status;
    for (size_t i = start, n_written; i < end; n += n_written) {
        n_written = 1;
        if (in->text[i] == '\\')
            i += read_escape(in->text + i, meaning + n, &n_written);
        else
            meaning[n] = in->text[i++];
    }
    return tpl_text_new(in->r, meaning, n, false, out);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static fm_status read_number(reader *in, tpl_value *out) {
    size_t start = in->at;
    bool is_real = false;
    double real = 0;
    int64_t whole = 0;
    const tpl_text *digits = NULL;
    for (; here(in) && strchr("+-.0123456789eE", here(in)); in->at++)
        is_real |= strchr(".eE", here(in)) != NULL;
    const char *text = in->text + start;
    size_t length = in->at - start;
    if (is_real) {
        tpl_number_read(text, length, &real);
        *out = tpl_float(real);
    } else if (tpl_number_read_whole(text, length, 10, &whole)) {
        *out = tpl_int(whole);
    } else {
        FM_TRY(tpl_text_new(in->r, text, length, false, &digits));
        *out = (tpl_value){.kind = TPL_BIG, .text = digits};
    }
    out->from_input = true;
    return FM_OK;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static fm_status read_array(reader *in, tpl_value *out) {
    tpl_items items = {0};
    in->at++;
    for (skip_space(in); here(in) != ']'; skip_space(in)) {
        tpl_value item;
        FM_TRY(read_value(in, &item));
        FM_TRY(tpl_items_add(in->r, &items, item));
        skip_space(in);
        if (here(in) == ',') in->at++;
    }
    in->at++;
    return tpl_list_new(in->r, TPL_LIST, items.items, items.count, out);
}

static fm_status read_object(reader *in, tpl_value *out) {
    tpl_dict *d;
    FM_TRY(tpl_dict_new(in->r, &d));
    in->at++;
    for (skip_space(in); here(in) != '}'; skip_space(in)) {
        const tpl_text *key = NULL;
        tpl_value value;
        FM_TRY(read_string(in, &key));
        skip_space(in);
        in->at++; /* ':' */
        FM_TRY(read_value(in, &value));
        FM_TRY(tpl_dict_set(in->r, d, tpl_string(key), value));
        skip_space(in);
        if (here(in) == ',') in->at++;
    }
    in->at++;
    *out = (tpl_value){.kind = TPL_DICT, .dict = d};
    return FM_OK;
}

static fm_status read_value(reader *in, tpl_value *out) {
    const tpl_text *text = NULL;
    skip_space(in);
    switch (here(in)) {
    case '{':
        return read_object(in, out);
    case '[':
        return read_array(in, out);
    case '"':
        FM_TRY(read_string(in, &text));
        *out = tpl_string(text);
        return FM_OK;
    case 't':
    case 'f':
        *out = tpl_bool(here(in) == 't');
        in->at += out->boolean ? 4 : 5;
        break;
    case 'n':
        *out = tpl_none();
        in->at += 4;
        break;
    default:
        return read_number(in, out);
    }
    out->from_input = true;
    return FM_OK;
}

fm_status tpl_json_read(tpl_run *r, const char *text, size_t length, tpl_value *out) {
    enum { MAX_DEPTH = 64 };
    const json_limits limits = {
        .max_bytes = TPL_MAX_MEMORY, .max_depth = MAX_DEPTH, .keys_repeat = true};
    r->status = json_check("the input of the template", text, length, limits, r->err);
    if (r->status != FM_OK) return r->status;
    reader in = {.r = r, .text = text, .length = length};
    return read_value(&in, out);
}
