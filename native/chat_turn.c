/* chat_turn.c - a question and its answer. */
#include "answer.h"
#include "chat.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The prompt's ids, in which *n_known answers are as the model gave them. */
static int encode(const chat *c, fm_tokens *prompt, size_t *n_known) {
    fm_error err;
    if (conversation_encode(&c->conversation, c->session.tokenizer, c->options->layout, prompt,
                            &err) != FM_OK)
        return terminal_fail("%s", err.text);
    *n_known = chat_prefix_apply(&c->prefix, c->session.tokenizer, prompt);
    int32_t room = fm_model_max_context(c->session.model);
    if (prompt->count < (size_t)room) return STATUS_DONE;
    return terminal_fail("the conversation has %zu tokens and the context %" PRId32
                         "; /clear begins anew, --ctx N makes more room where the model has it",
                         prompt->count, room);
}

/* Appends the answer as it was printed. A model may write a NUL byte, a message cannot hold one. */
static int add_answer(chat *c, reply *r) {
    fm_error err;
    bytes text = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < r->text.length; i++)
        ok = r->text.data[i] ? bytes_append(&text, r->text.data + i, 1)
                             : bytes_append(&text, "\xef\xbf\xbd", 3);
    int status = STATUS_DONE;
    if (!ok)
        status = terminal_fail("out of memory for the answer");
    else if (conversation_add(&c->conversation, "assistant", text.data, text.length, &err) != FM_OK)
        status = terminal_fail("%s", err.text);
    bytes_free(&text);
    return status;
}

/* Says why an answer stops short, where a person may wonder. */
static void note_end(const chat *c, const fm_event *end) {
    if (end->finish == FM_FINISH_CANCELLED) chat_note(c, "interrupted; /regen answers anew");
    if (end->finish != FM_FINISH_LENGTH) return;
    if (end->n_prompt + end->n_generated >= fm_model_max_context(c->session.model))
        chat_note(c, "the context is full; /clear begins anew");
    else
        chat_note(c, "cut at %" PRId32 " tokens; -n N allows more", end->n_generated);
}

/* Answers the question that the conversation ends with. *is_kept: an answer stands behind it. */
static int answer_question(chat *c, bool *is_kept) {
    fm_tokens prompt = {0};
    reply r = {0};
    size_t n_known = 0;
    *is_kept = false;
    int status = encode(c, &prompt, &n_known);
    if (status == STATUS_DONE) status = answer_turn(c->options, &c->session, &prompt, &r);
    bool is_nothing = r.text.length == 0 && r.end.finish == FM_FINISH_CANCELLED;
    if (status == STATUS_DONE && !is_nothing) {
        status = add_answer(c, &r);
        *is_kept = status == STATUS_DONE;
        chat_prefix_keep(&c->prefix, n_known, &prompt, r.ids.ids, r.ids.count);
    }
    if (status == STATUS_DONE) note_end(c, &r.end);
    reply_free(&r);
    fm_tokens_free(&prompt);
    return status;
}

int chat_ask(chat *c, const char *question, size_t length) {
    fm_error err;
    bool is_kept;
    if (conversation_add(&c->conversation, "user", question, length, &err) != FM_OK)
        return terminal_fail("%s", err.text);
    int status = answer_question(c, &is_kept);
    if (!is_kept) free(conversation_take_last(&c->conversation));
    return status;
}

int chat_answer_again(chat *c) {
    fm_error err;
    bool is_kept, was_answered = strcmp(conversation_last_role(&c->conversation), "assistant") == 0;
    char *former = was_answered ? conversation_take_last(&c->conversation) : NULL;
    int status = STATUS_DONE;
    if (strcmp(conversation_last_role(&c->conversation), "user") == 0) {
        status = answer_question(c, &is_kept);
    } else {
        status = terminal_fail("there is no question to answer anew");
        is_kept = false;
    }
    if (former && !is_kept &&
        conversation_add(&c->conversation, "assistant", former, strlen(former), &err) != FM_OK)
        status = terminal_fail("the former answer is lost: %s", err.text);
    free(former);
    return status;
}
