/* conversation.c - the list of messages, and their ids. */
#include "conversation.h"

#include "terminal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const roles[] = {"system", "user", "assistant"};

__attribute__((format(printf, 3, 4))) static fm_status fail(fm_error *err, fm_status status,
                                                            const char *format, ...) {
    va_list args;
    va_start(args, format);
    err->status = status;
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    terminal_clean(err->text); /* a role may be anybody's */
    return status;
}

/* ---- The list ------------------------------------------------------------------------------------ */

static const char *find_role(const char *name) {
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i], name) == 0) return roles[i];
    return NULL;
}

static fm_status check_text(const conversation *c, const char *text, size_t length, fm_error *err) {
    if (length > 0 && memchr(text, 0, length))
        return fail(err, FM_ERR_ARG, "a message holds a NUL byte; give text");
    if (length > CONVERSATION_MAX_BYTES - c->n_bytes)
        return fail(err, FM_ERR_LIMIT, "the conversation has more than %d MB of text",
                    CONVERSATION_MAX_BYTES / 1000000);
    return FM_OK;
}

/* A terminated copy; NULL when memory is out. */
static char *copy_text(const char *text, size_t length) {
    char *copy = malloc(length + 1);
    if (!copy) return NULL;
    if (length > 0) memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static bool reserve_one(conversation *c) {
    if (c->count < c->capacity) return true;
    size_t capacity = c->capacity ? 2 * c->capacity : 8;
    conversation_message *messages = realloc(c->messages, capacity * sizeof *messages);
    if (!messages) return false;
    c->messages = messages;
    c->capacity = capacity;
    return true;
}

/* Puts a message in front of the one at `at`. */
static fm_status insert(conversation *c, size_t at, const char *role, const char *text,
                        size_t length, fm_error *err) {
    if (c->count == CONVERSATION_MAX_MESSAGES)
        return fail(err, FM_ERR_LIMIT, "the conversation has %d messages, the most there can be",
                    CONVERSATION_MAX_MESSAGES);
    fm_status status = check_text(c, text, length, err);
    if (status != FM_OK) return status;
    char *copy = reserve_one(c) ? copy_text(text, length) : NULL;
    if (!copy) return fail(err, FM_ERR_MEMORY, "out of memory for a message");
    conversation_message *place = c->messages + at;
    memmove(place + 1, place, (c->count - at) * sizeof *place);
    *place = (conversation_message){role, copy, length};
    c->count++;
    c->n_bytes += length;
    return FM_OK;
}

/* Takes the message at `at` out and gives its text away. */
static char *take(conversation *c, size_t at) {
    conversation_message *place = c->messages + at;
    char *text = place->text;
    c->n_bytes -= place->length;
    c->count--;
    memmove(place, place + 1, (c->count - at) * sizeof *place);
    return text;
}

fm_status conversation_add(conversation *c, const char *role, const char *text, size_t length,
                           fm_error *err) {
    const char *known = find_role(role);
    if (!known)
        return fail(err, FM_ERR_ARG,
                    "the role \"%.80s\" is not known: use system, user or assistant", role);
    return insert(c, c->count, known, text, length, err);
}

static bool has_system(const conversation *c) {
    return c->count > 0 && strcmp(c->messages[0].role, "system") == 0;
}

fm_status conversation_set_system(conversation *c, const char *text, size_t length, fm_error *err) {
    bool had_system = has_system(c);
    fm_status status = length > 0 ? insert(c, 0, roles[0], text, length, err) : FM_OK;
    if (status == FM_OK && had_system) free(take(c, length > 0 ? 1 : 0));
    return status;
}

const char *conversation_last_role(const conversation *c) {
    return c->count > 0 ? c->messages[c->count - 1].role : "";
}

char *conversation_take_last(conversation *c) {
    return c->count > 0 ? take(c, c->count - 1) : NULL;
}

void conversation_clear(conversation *c) {
    size_t n_kept = has_system(c) ? 1 : 0;
    while (c->count > n_kept) free(conversation_take_last(c));
}

void conversation_free(conversation *c) {
    while (c->count > 0) free(conversation_take_last(c));
    free(c->messages);
    *c = (conversation){0};
}

/* ---- The prompt ---------------------------------------------------------------------------------- */

fm_status conversation_encode(const conversation *c, const fm_tokenizer *t, const char *layout,
                              fm_tokens *out, fm_error *err) {
    fm_message *messages = calloc(c->count ? c->count : 1, sizeof *messages);
    if (!messages) return fail(err, FM_ERR_MEMORY, "out of memory for the prompt");
    for (size_t i = 0; i < c->count; i++)
        messages[i] = (fm_message){c->messages[i].role, c->messages[i].text};
    fm_status status = fm_chat_encode(t, layout, messages, c->count, out, err);
    free(messages);
    return status;
}
