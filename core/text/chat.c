/*
 * chat.c - the chat layouts that are built in. A layout is a row of texts; in them, what stands
 * between '<' and '>' is a mark and becomes the one id of that token. Everything else, and above
 * all what people write, is joined to runs of plain text before it is encoded: the reference
 * tokenises the rendered prompt as a whole, so a newline of the layout may merge with one that a
 * content begins with, while a mark that is spelt out in a content stays plain text.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/array.h"
#include "../base/checked.h"
#include "tokenizer.h"
#include "tokens.h"

typedef enum chat_role {
    CHAT_ROLE_SYSTEM,
    CHAT_ROLE_USER,
    CHAT_ROLE_ASSISTANT,
    CHAT_ROLE_COUNT
} chat_role;

static const char *const role_names[CHAT_ROLE_COUNT] = {"system", "user", "assistant"};

typedef struct chat_layout {
    const char *name;
    const char *begin;                 /* before the first message */
    const char *open[CHAT_ROLE_COUNT]; /* around a message of each role */
    const char *close[CHAT_ROLE_COUNT];
    const char *answer; /* where the assistant's answer begins */
    /* All system messages together stand in front, two newlines between them. */
    bool gathers_system;
    /* Of an earlier answer only what follows its last </think> is kept. */
    bool drops_reasoning;
} chat_layout;

#define BOS "<｜begin▁of▁sentence｜>"
#define EOS "<｜end▁of▁sentence｜>"

static const chat_layout layouts[] = {
    {
        .name = "deepseek-v3",
        .begin = BOS,
        .open = {"", "<｜User｜>", "<｜Assistant｜>"},
        .close = {"", "", EOS},
        .answer = "<｜Assistant｜>",
        .gathers_system = true,
    },
    {
        .name = "deepseek-r1",
        .begin = BOS,
        .open = {"", "<｜User｜>", "<｜Assistant｜>"},
        .close = {"", "", EOS},
        .answer = "<｜Assistant｜><think>\n",
        .gathers_system = true,
        .drops_reasoning = true,
    },
    {
        .name = "chatml",
        .begin = "",
        .open = {"<|im_start|>system\n", "<|im_start|>user\n", "<|im_start|>assistant\n"},
        .close = {"<|im_end|>\n", "<|im_end|>\n", "<|im_end|>\n"},
        .answer = "<|im_start|>assistant\n",
    },
};

const char *fm_chat_layout(const fm_tokenizer *t) {
    if (fm_tokenizer_find(t, "<｜User｜>") >= 0)
        return t->opens_reasoning ? "deepseek-r1" : "deepseek-v3";
    return fm_tokenizer_find(t, "<|im_start|>") >= 0 ? "chatml" : NULL;
}

static fm_status find_layout(const fm_tokenizer *t, const char *name, const chat_layout **out,
                             fm_error *err) {
    const char *wanted = name ? name : fm_chat_layout(t);
    if (!wanted)
        return error_set(
            err, FM_ERR_NOT_FOUND,
            "the vocabulary has the marks of no known chat layout: use raw completion");
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (strcmp(layouts[i].name, wanted) == 0) {
            *out = &layouts[i];
            return FM_OK;
        }
    }
    return error_set(
        err, FM_ERR_ARG,
        "the chat layout \"%.80s\" is not known: use deepseek-v3, deepseek-r1 or chatml", wanted);
}

/* ---- The prompt being written ---------------------------------------------------------------- */

typedef struct prompt {
    const fm_tokenizer *t;
    const chat_layout *layout;
    char *run;                       /* plain text that waits for the next mark */
    size_t run_length, run_capacity; /* bytes */
    fm_tokens *out;
    fm_error *err;
} prompt;

static fm_status add_text(prompt *p, const char *text, size_t length) {
    size_t needed;
    if (length == 0) return FM_OK;
    char *run = NULL;
    if (checked_add(p->run_length, length, &needed))
        run = array_grow(p->run, &p->run_capacity, needed, 1);
    if (!run) return error_set(p->err, FM_ERR_MEMORY, "out of memory for a prompt");
    p->run = run;
    memcpy(p->run + p->run_length, text, length);
    p->run_length = needed;
    return FM_OK;
}

static fm_status flush_text(prompt *p) {
    size_t length = p->run_length;
    p->run_length = 0;
    return fm_tokenizer_encode(p->t, p->run, length, FM_ENCODE_PLAIN, p->out, p->err);
}

/** `mark` is the token from its '<' to its '>', not terminated. */
static fm_status add_mark(prompt *p, const char *mark, size_t length) {
    FM_TRY(flush_text(p));
    int32_t id = vocab_find(&p->t->vocab, mark, length);
    if (id < 0)
        return error_set(p->err, FM_ERR_NOT_FOUND,
                         "the vocabulary has no token %.*s, which the chat layout %s needs: choose "
                         "another layout",
                         (int)length, mark, p->layout->name);
    return tokens_append(p->out, id, p->err);
}

/** A text of the layout's: plain text and marks. */
static fm_status add_layout(prompt *p, const char *text) {
    while (*text) {
        if (*text == '<') {
            size_t length = (size_t)(strchr(text, '>') - text) + 1;
            FM_TRY(add_mark(p, text, length));
            text += length;
        } else {
            size_t length = strcspn(text, "<");
            FM_TRY(add_text(p, text, length));
            text += length;
        }
    }
    return FM_OK;
}

/* ---- Messages -------------------------------------------------------------------------------- */

/** The role of a checked message. */
static chat_role role_of(const fm_message *message) {
    int role = 0;
    while (strcmp(message->role, role_names[role]) != 0) role++;
    return (chat_role)role;
}

static fm_status check_messages(const fm_message *messages, size_t n_messages, fm_error *err) {
    if (n_messages == 0) return error_set(err, FM_ERR_ARG, "a conversation needs a message");
    for (size_t i = 0; i < n_messages; i++) {
        const char *role = messages[i].role;
        bool known = false;
        for (int r = 0; role && r < CHAT_ROLE_COUNT; r++) known |= strcmp(role, role_names[r]) == 0;
        if (!known)
            return error_set(err, FM_ERR_ARG,
                             "message %zu has the role \"%.80s\": use system, user or assistant",
                             i + 1, role ? role : "");
        if (!messages[i].content)
            return error_set(err, FM_ERR_ARG, "message %zu has no content", i + 1);
    }
    return FM_OK;
}

static const char *after_reasoning(const char *content) {
    static const char tag[] = "</think>";
    for (const char *found; (found = strstr(content, tag));) content = found + strlen(tag);
    return content;
}

static fm_status add_message(prompt *p, const fm_message *message) {
    chat_role role = role_of(message);
    const char *content = message->content;
    if (role == CHAT_ROLE_ASSISTANT && p->layout->drops_reasoning)
        content = after_reasoning(content);
    FM_TRY(add_layout(p, p->layout->open[role]));
    FM_TRY(add_text(p, content, strlen(content)));
    return add_layout(p, p->layout->close[role]);
}

static fm_status add_system(prompt *p, const fm_message *messages, size_t n_messages) {
    bool first = true;
    for (size_t i = 0; i < n_messages; i++) {
        if (role_of(&messages[i]) != CHAT_ROLE_SYSTEM) continue;
        if (!first) FM_TRY(add_text(p, "\n\n", 2));
        FM_TRY(add_message(p, &messages[i]));
        first = false;
    }
    return FM_OK;
}

static fm_status write_prompt(prompt *p, const fm_message *messages, size_t n_messages) {
    bool gathers = p->layout->gathers_system;
    FM_TRY(add_layout(p, p->layout->begin));
    if (gathers) FM_TRY(add_system(p, messages, n_messages));
    for (size_t i = 0; i < n_messages; i++) {
        if (gathers && role_of(&messages[i]) == CHAT_ROLE_SYSTEM) continue;
        FM_TRY(add_message(p, &messages[i]));
    }
    FM_TRY(add_layout(p, p->layout->answer));
    return flush_text(p);
}

fm_status fm_chat_encode(const fm_tokenizer *t, const char *layout, const fm_message *messages,
                         size_t n_messages, fm_tokens *out, fm_error *err) {
    prompt p = {.t = t, .out = out, .err = err};
    size_t count = out->count;
    FM_TRY(find_layout(t, layout, &p.layout, err));
    FM_TRY(check_messages(messages, n_messages, err));
    fm_status status = write_prompt(&p, messages, n_messages);
    if (status != FM_OK) out->count = count;
    free(p.run);
    return status;
}
