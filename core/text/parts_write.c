/*
 * parts_write.c - the parts of an answer -> its text. Walked twice: what is wrong is found before
 * anything is written.
 */
#include <string.h>

#include "parts.h"

typedef struct writer {
    const parts_layout *layout;
    fm_parts_write_fn on_text; /* NULL: only checks */
    void *user;
    bool in_reasoning;
    bool had_text;    /* more than white space: no reasoning may begin */
    bool in_block;    /* of calls */
    bool behind_call; /* the last part was a call of this block */
    int32_t n_calls;
    size_t part; /* number of the part, from 1 */
    fm_error *err;
} writer;

/* ---- Output ---------------------------------------------------------------------------------- */

static void put(const writer *w, const char *text, size_t length, bool is_mark) {
    if (w->on_text && length > 0) w->on_text(w->user, text, length, is_mark);
}

static void put_mark(const writer *w, const char *mark) {
    put(w, mark, strlen(mark), true);
}

/* ---- Parts ----------------------------------------------------------------------------------- */

static fm_status misplaced(const writer *w, const char *what) {
    return error_set(w->err, FM_ERR_ARG, "part %zu: %s in the answer format %s", w->part, what,
                     w->layout->name);
}

static fm_status write_answer(writer *w, const fm_part *part) {
    if (w->in_reasoning) return misplaced(w, "text needs the end of the reasoning before it");
    for (size_t i = 0; i < part->length; i++) w->had_text |= !parts_is_space(part->text[i]);
    put(w, part->text, part->length, false);
    return FM_OK;
}

static fm_status write_reasoning(writer *w, const fm_part *part) {
    if (!w->in_reasoning && (w->had_text || !w->layout->reasons))
        return misplaced(w, "reasoning has no place here");
    if (!w->in_reasoning) put_mark(w, PARTS_THINK);
    w->in_reasoning = true;
    put(w, part->text, part->length, false);
    return FM_OK;
}

static fm_status write_reasoning_end(writer *w) {
    if (!w->in_reasoning) return misplaced(w, "no reasoning to end");
    w->in_reasoning = false;
    w->had_text = true;
    put_mark(w, PARTS_THINK_END);
    return FM_OK;
}

static fm_status check_call(const writer *w, const fm_part *part) {
    if (!w->layout->next_call || w->in_reasoning) return misplaced(w, "a call has no place here");
    if (w->n_calls == FM_MAX_CALLS || part->name_length > FM_MAX_CALL_NAME ||
        part->length > FM_MAX_CALL_ARGUMENTS)
        return error_set(w->err, FM_ERR_LIMIT,
                         "part %zu: at most %d calls, with names of %d and arguments of %d bytes",
                         w->part, FM_MAX_CALLS, FM_MAX_CALL_NAME, FM_MAX_CALL_ARGUMENTS);
    bool fits = part->name_length > 0;
    for (size_t i = 0; i < part->name_length; i++) fits = fits && parts_name_has(part->name[i]);
    return fits ? FM_OK : misplaced(w, "a name is empty or has a '<' or control character");
}

static fm_status write_call(writer *w, const fm_part *part) {
    FM_TRY(check_call(w, part));
    if (!w->in_block) put_mark(w, PARTS_CALLS);
    if (w->behind_call) put_mark(w, w->layout->separator);
    put_mark(w, w->layout->next_call);
    put(w, part->name, part->name_length, false);
    put_mark(w, w->layout->open);
    put(w, part->text, part->length, false);
    put_mark(w, w->layout->close);
    put_mark(w, PARTS_CALL_END);
    w->in_block = true;
    w->had_text = true;
    w->n_calls++;
    return FM_OK;
}

static fm_status write_calls_end(writer *w) {
    if (!w->in_block) return misplaced(w, "no calls to end");
    w->in_block = false;
    put_mark(w, PARTS_CALLS_END);
    return FM_OK;
}

static fm_status write_part(writer *w, const fm_part *part) {
    switch (part->kind) {
    case FM_PART_ANSWER:
        return write_answer(w, part);
    case FM_PART_REASONING:
        return write_reasoning(w, part);
    case FM_PART_REASONING_END:
        return write_reasoning_end(w);
    case FM_PART_CALL:
        return write_call(w, part);
    case FM_PART_CALLS_END:
        return write_calls_end(w);
    }
    return misplaced(w, "a part of no known kind");
}

static fm_status write_parts(writer w, const fm_part *parts, size_t n_parts) {
    for (size_t i = 0; i < n_parts; i++) {
        w.part = i + 1;
        FM_TRY(write_part(&w, &parts[i]));
        w.behind_call = parts[i].kind == FM_PART_CALL;
    }
    return FM_OK;
}

fm_status fm_parts_write(fm_parts_format format, const fm_part *parts, size_t n_parts,
                         fm_parts_write_fn on_text, void *user, fm_error *err) {
    writer w = {.in_reasoning = format.in_reasoning, .user = user, .err = err};
    FM_TRY(parts_layout_get(format, &w.layout, err));
    FM_TRY(write_parts(w, parts, n_parts));
    w.on_text = on_text;
    return write_parts(w, parts, n_parts);
}
