/*
 * parts.c - the text of an answer -> its parts. All bytes that are not told yet lie in one buffer:
 *
 *     0 ... told ............ at .......... length
 *           text, or a call   not looked
 *           not yet complete  at yet
 *
 * Every literal text of a format that is looked for begins with '<' or follows a call directly. A
 * call that turns out to be none costs nothing: the state is text again, and what lies before `at`
 * is part of it. Nothing before `at` is looked at twice, but for a literal that does not match, and
 * literals are short: so time is linear, and cuts between pushes have no meaning.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/json_check.h"
#include "../base/utf8.h"
#include "parts.h"

enum {
    PIECE_SIZE = 4096, /* bytes taken in at once, so that a long push needs no long buffer */
    JSON_DEPTH = 256,
};

typedef enum parts_state {
    PARTS_STATE_OPENING, /* at the beginning, where reasoning may open */
    PARTS_STATE_REASONING,
    PARTS_STATE_ANSWER,    /* text outside a block of calls */
    PARTS_STATE_BLOCK,     /* text inside one */
    PARTS_STATE_BETWEEN,   /* directly behind a call */
    PARTS_STATE_NAME,      /* of a call */
    PARTS_STATE_ARGUMENTS, /* of a call */
} parts_state;

typedef enum parts_match { PARTS_MATCH_NO, PARTS_MATCH_PARTIAL, PARTS_MATCH_FULL } parts_match;

struct fm_parts {
    const parts_layout *layout;
    fm_part_fn on_part;
    void *user;
    fm_status status; /* of the stream: a failure stays */
    parts_state state;
    bool is_ended;
    char *buffer;
    size_t length, capacity; /* bytes */
    size_t told, at;         /* places in the buffer, see above */
    int32_t n_calls;         /* told */
    bool in_block;           /* a call was told, and its block has not ended */
    bool is_bare;            /* the call under way stands directly behind another one where the
                                format has a separator */
    size_t name, name_length, arguments; /* of the call under way: places, and bytes */
    bool in_string, is_escaped;          /* in its arguments */
};

/* ---- Telling --------------------------------------------------------------------------------- */

static void tell(fm_parts *p, fm_part part) {
    p->on_part(p->user, &part);
}

static bool is_text(const fm_parts *p) {
    return p->state <= PARTS_STATE_BLOCK;
}

/** Tells the text before `at`. */
static void tell_text(fm_parts *p) {
    bool reasons = p->state == PARTS_STATE_REASONING;
    fm_part part = {.kind = reasons ? FM_PART_REASONING : FM_PART_ANSWER,
                    .call = -1,
                    .text = p->buffer + p->told,
                    .length = p->at - p->told};
    if (part.length > 0) tell(p, part);
    p->told = p->at;
}

/** Drops a mark of `length` bytes that stands at `at`, and tells the empty part that it means. */
static void tell_mark(fm_parts *p, size_t length, fm_part_kind kind, parts_state next) {
    tell_text(p);
    p->at += length;
    p->told = p->at;
    p->state = next;
    tell(p, (fm_part){.kind = kind, .call = -1, .text = ""});
}

/** Tells the call whose arguments are [arguments, end), and drops it. */
static void tell_call(fm_parts *p, size_t end) {
    const json_limits limits = {.max_bytes = FM_MAX_CALL_ARGUMENTS, .max_depth = JSON_DEPTH};
    fm_part part = {.kind = FM_PART_CALL,
                    .call = p->n_calls,
                    .name = p->buffer + p->name,
                    .name_length = p->name_length,
                    .text = p->buffer + p->arguments,
                    .length = end - p->arguments};
    fm_status status = json_check("arguments", part.text, part.length, limits, NULL);
    if (status == FM_ERR_MEMORY) {
        p->status = status;
        return;
    }
    part.is_json = status == FM_OK;
    if (p->is_bare) tell(p, (fm_part){.kind = FM_PART_ANSWER, .call = -1, .text = ""});
    tell(p, part);
    p->n_calls++;
    p->in_block = true;
    p->told = p->at;
    p->state = PARTS_STATE_BETWEEN;
}

/* ---- Looking --------------------------------------------------------------------------------- */

/** What the bytes from `at` on have of a literal text. Behind the end of the answer nothing comes
 * that could complete it. */
static parts_match match_at(const fm_parts *p, size_t at, const char *literal) {
    size_t wanted = strlen(literal), there = p->length - at;
    size_t n = there < wanted ? there : wanted;
    if (memcmp(p->buffer + at, literal, n) != 0) return PARTS_MATCH_NO;
    if (n == wanted) return PARTS_MATCH_FULL;
    return p->is_ended ? PARTS_MATCH_NO : PARTS_MATCH_PARTIAL;
}

static parts_match match_text(const fm_parts *p, const char *literal) {
    return match_at(p, p->at, literal);
}

/** A call, as far as its head, behind `before`: none begins where there are as many as may be. */
static parts_match match_call(const fm_parts *p, const char *before) {
    if (!p->layout->next_call || p->n_calls == FM_MAX_CALLS) return PARTS_MATCH_NO;
    parts_match match = match_text(p, before);
    if (match != PARTS_MATCH_FULL) return match;
    return match_at(p, p->at + strlen(before), p->layout->next_call);
}

/** Goes to the next '<'; false when none is there. */
static bool seek_mark(fm_parts *p) {
    const char *found = memchr(p->buffer + p->at, '<', p->length - p->at);
    p->at = found ? (size_t)(found - p->buffer) : p->length;
    return found != NULL;
}

/* ---- States ----------------------------------------------------------------------------------
 * Each function looks at what lies at `at`, and returns false when it needs more of the answer. */

/** What seemed to be a call is text, of which what lies at `at` is looked at again. */
static bool fail_call(fm_parts *p) {
    p->state = p->in_block ? PARTS_STATE_BLOCK : PARTS_STATE_ANSWER;
    return true;
}

/** Begins a call behind `before` and the head. What was text is told, all else waits. */
static bool begin_call(fm_parts *p, const char *before, bool is_bare) {
    if (is_text(p)) tell_text(p);
    p->at += strlen(before) + strlen(p->layout->next_call);
    p->name = p->at;
    p->is_bare = is_bare;
    p->state = PARTS_STATE_NAME;
    return true;
}

static bool read_opening(fm_parts *p) {
    while (p->at < p->length && parts_is_space(p->buffer[p->at])) p->at++;
    if (p->at == p->length) return false;
    parts_match match = match_text(p, PARTS_THINK);
    if (match == PARTS_MATCH_FULL)
        tell_mark(p, strlen(PARTS_THINK), FM_PART_REASONING, PARTS_STATE_REASONING);
    if (match == PARTS_MATCH_NO) p->state = PARTS_STATE_ANSWER;
    return match != PARTS_MATCH_PARTIAL;
}

static bool read_reasoning(fm_parts *p) {
    if (!seek_mark(p)) return false;
    parts_match match = match_text(p, PARTS_THINK_END);
    if (match == PARTS_MATCH_FULL)
        tell_mark(p, strlen(PARTS_THINK_END), FM_PART_REASONING_END, PARTS_STATE_ANSWER);
    if (match == PARTS_MATCH_NO) p->at++;
    return match != PARTS_MATCH_PARTIAL;
}

static bool read_answer(fm_parts *p) {
    if (!seek_mark(p)) return false;
    parts_match match = match_call(p, PARTS_CALLS);
    if (match == PARTS_MATCH_FULL) return begin_call(p, PARTS_CALLS, false);
    if (match == PARTS_MATCH_NO) p->at++;
    return match != PARTS_MATCH_PARTIAL;
}

static bool end_block(fm_parts *p) {
    p->in_block = false;
    tell_mark(p, strlen(PARTS_CALLS_END), FM_PART_CALLS_END, PARTS_STATE_ANSWER);
    return true;
}

static bool read_block(fm_parts *p) {
    if (!seek_mark(p)) return false;
    parts_match call = match_call(p, ""), end = match_text(p, PARTS_CALLS_END);
    if (call == PARTS_MATCH_FULL) return begin_call(p, "", false);
    if (end == PARTS_MATCH_FULL) return end_block(p);
    if (call == PARTS_MATCH_PARTIAL || end == PARTS_MATCH_PARTIAL) return false;
    p->at++;
    return true;
}

static bool read_between(fm_parts *p) {
    const char *separator = p->layout->separator;
    parts_match apart = match_call(p, separator), bare = match_call(p, "");
    parts_match end = match_text(p, PARTS_CALLS_END);
    if (apart == PARTS_MATCH_FULL) return begin_call(p, separator, false);
    if (bare == PARTS_MATCH_FULL) return begin_call(p, "", true);
    if (end == PARTS_MATCH_FULL) return end_block(p);
    if (apart == PARTS_MATCH_PARTIAL || bare == PARTS_MATCH_PARTIAL || end == PARTS_MATCH_PARTIAL)
        return false;
    p->state = PARTS_STATE_BLOCK;
    return true;
}

static bool read_name(fm_parts *p) {
    while (p->at < p->length && parts_name_has(p->buffer[p->at]) &&
           p->at - p->name < FM_MAX_CALL_NAME)
        p->at++;
    p->name_length = p->at - p->name;
    parts_match match = match_text(p, p->layout->open);
    if (match == PARTS_MATCH_PARTIAL) return false;
    if (match == PARTS_MATCH_NO || p->name_length == 0) return fail_call(p);
    p->at += strlen(p->layout->open);
    p->arguments = p->at;
    p->in_string = false;
    p->state = PARTS_STATE_ARGUMENTS;
    return true;
}

/** Follows the strings of the arguments, where a mark is content. No JSON string holds a control
 * character, so that a quote too many does not hide all that comes. */
static void follow_string(fm_parts *p, char c) {
    bool escapes = c == '\\' && !p->is_escaped;
    if ((unsigned char)c < 0x20)
        p->in_string = false;
    else if (c == '"' && !(p->in_string && p->is_escaped))
        p->in_string = !p->in_string;
    p->is_escaped = escapes;
}

/** The arguments end at `at`, before PARTS_CALL_END, if what closes them stands there. */
static bool end_arguments(fm_parts *p) {
    const char *close = p->layout->close;
    size_t n_close = strlen(close), length = p->at - p->arguments;
    if (length < n_close || memcmp(p->buffer + p->at - n_close, close, n_close) != 0)
        return fail_call(p);
    size_t end = p->at - n_close;
    p->at += strlen(PARTS_CALL_END);
    tell_call(p, end);
    return true;
}

/** A mark in the arguments: it ends them, or the call is none, or it is no mark. */
static bool read_arguments_mark(fm_parts *p) {
    static const char *const others[] = {PARTS_CALLS, PARTS_CALLS_END, PARTS_CALL, PARTS_SEP};
    parts_match match = match_text(p, PARTS_CALL_END);
    if (match == PARTS_MATCH_FULL) return end_arguments(p);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        parts_match other = match_text(p, others[i]);
        if (other == PARTS_MATCH_FULL) return fail_call(p);
        if (other == PARTS_MATCH_PARTIAL) match = other;
    }
    if (match == PARTS_MATCH_NO) p->at++;
    return match != PARTS_MATCH_PARTIAL;
}

static bool read_arguments(fm_parts *p) {
    size_t most = FM_MAX_CALL_ARGUMENTS + strlen(p->layout->close);
    for (; p->at < p->length; p->at++) {
        if (p->at - p->arguments > most) return fail_call(p);
        if (p->buffer[p->at] == '<' && !p->in_string) return read_arguments_mark(p);
        follow_string(p, p->buffer[p->at]);
    }
    return p->is_ended ? fail_call(p) : false;
}

static bool step(fm_parts *p) {
    switch (p->state) {
    case PARTS_STATE_OPENING:
        return read_opening(p);
    case PARTS_STATE_REASONING:
        return read_reasoning(p);
    case PARTS_STATE_ANSWER:
        return read_answer(p);
    case PARTS_STATE_BLOCK:
        return read_block(p);
    case PARTS_STATE_BETWEEN:
        return read_between(p);
    case PARTS_STATE_NAME:
        return read_name(p);
    case PARTS_STATE_ARGUMENTS:
        return read_arguments(p);
    }
    return false;
}

/** Looks at all that is there, tells the text of it, and keeps what waits. */
static fm_status run(fm_parts *p) {
    while (p->status == FM_OK && step(p)) {
    }
    if (p->status != FM_OK) return p->status;
    if (is_text(p)) tell_text(p);
    if (p->told == 0) return FM_OK;
    size_t drop = p->told;
    memmove(p->buffer, p->buffer + drop, p->length - drop);
    p->length -= drop;
    p->at -= drop;
    p->told = 0;
    if (p->state >= PARTS_STATE_NAME) p->name -= drop;
    if (p->state >= PARTS_STATE_ARGUMENTS) p->arguments -= drop;
    return FM_OK;
}

/* ---- The stream ------------------------------------------------------------------------------ */

fm_status fm_parts_new(fm_parts_format format, fm_part_fn on_part, void *user, fm_parts **out,
                       fm_error *err) {
    const parts_layout *layout;
    *out = NULL;
    FM_TRY(parts_layout_get(format, &layout, err));
    fm_parts *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, FM_ERR_MEMORY, "out of memory for the parts of an answer");
    p->layout = layout;
    p->on_part = on_part;
    p->user = user;
    p->state = format.in_reasoning ? PARTS_STATE_REASONING
               : layout->reasons   ? PARTS_STATE_OPENING
                                   : PARTS_STATE_ANSWER;
    *out = p;
    return FM_OK;
}

void fm_parts_free(fm_parts *p) {
    if (p) free(p->buffer);
    free(p);
}

static fm_status push_piece(fm_parts *p, const char *text, size_t length) {
    char *buffer = array_grow(p->buffer, &p->capacity, p->length + length, 1);
    if (!buffer) return p->status = FM_ERR_MEMORY;
    p->buffer = buffer;
    memcpy(p->buffer + p->length, text, length);
    p->length += length;
    return run(p);
}

fm_status fm_parts_push(fm_parts *p, const char *text, size_t length) {
    if (p->is_ended) return FM_ERR_STATE;
    while (p->status == FM_OK && length > 0) {
        size_t n = utf8_cut(text, length, PIECE_SIZE);
        if (n == 0) n = PIECE_SIZE; /* no UTF-8 at all */
        push_piece(p, text, n);
        text += n;
        length -= n;
    }
    return p->status;
}

fm_status fm_parts_end(fm_parts *p) {
    p->is_ended = true;
    return p->buffer ? run(p) : p->status;
}
