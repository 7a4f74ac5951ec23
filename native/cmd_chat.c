/* cmd_chat.c - one question, or a conversation. */
#include "answer.h"
#include "chat.h"
#include "command.h"
#include "profile.h"
#include "prompt.h"
#include "terminal.h"

#include <string.h>

static int set_system(const options *o, conversation *c) {
    fm_error err;
    if (!o->system || conversation_set_system(c, o->system, strlen(o->system), &err) == FM_OK)
        return STATUS_DONE;
    return terminal_fail("%s", err.text);
}

/* ---- One question -------------------------------------------------------------------------------- */

static int encode_question(const options *o, const fm_tokenizer *t, fm_tokens *out) {
    fm_error err;
    bytes question = {0};
    conversation c = {0};
    int status = prompt_read(o->prompt, &question);
    if (status == STATUS_DONE) status = set_system(o, &c);
    if (status == STATUS_DONE &&
        (conversation_add(&c, "user", question.data, question.length, &err) != FM_OK ||
         conversation_encode(&c, t, o->layout, out, &err) != FM_OK))
        status = terminal_fail("%s", err.text);
    bytes_free(&question);
    conversation_free(&c);
    return status;
}

static int ask_once(const options *o) {
    session s = {0};
    fm_tokens prompt = {0};
    int status = session_open_tokenizer(&s, o, true);
    if (status == STATUS_DONE) status = encode_question(o, s.tokenizer, &prompt);
    if (status == STATUS_DONE) status = session_open_engine(&s, o);
    if (status == STATUS_DONE) status = answer_run(o, &s, &prompt);
    if (status == STATUS_DONE && o->profile) profile_print(s.model);
    fm_tokens_free(&prompt);
    session_close(&s);
    return status;
}

/* ---- A conversation ------------------------------------------------------------------------------ */

/* A layout that does not fit is told before anything is typed. */
static int check_layout(const chat *c) {
    fm_error err;
    conversation probe = {0};
    fm_tokens ids = {0};
    int status = STATUS_DONE;
    if (conversation_add(&probe, "user", "", 0, &err) != FM_OK ||
        conversation_encode(&probe, c->session.tokenizer, c->options->layout, &ids, &err) != FM_OK)
        status = terminal_fail("%s", err.text);
    fm_tokens_free(&ids);
    conversation_free(&probe);
    return status;
}

static int open_model(chat *c) {
    int status = session_open_tokenizer(&c->session, c->options, true);
    if (status == STATUS_DONE) status = check_layout(c);
    if (status == STATUS_DONE) status = set_system(c->options, &c->conversation);
    if (status == STATUS_DONE) status = session_open_engine(&c->session, c->options);
    return status;
}

static int take_turn(chat *c, const bytes *text) {
    bool is_slash = text->data[0] == '/';
    bool is_escaped = is_slash && text->data[1] == '/'; /* a NUL stands behind the text */
    if (memchr(text->data, 0, text->length))
        return terminal_fail("the question holds a NUL byte; give text");
    if (is_slash && !is_escaped) return chat_command_run(c, text->data);
    size_t skipped = is_escaped ? 1 : 0;
    return chat_ask(c, text->data + skipped, text->length - skipped);
}

static bool goes_on(const chat *c) {
    return !c->leaves && !terminal_output_failed() && (c->input.editor || !terminal_interrupted());
}

/* Turns until the input ends, from the first one, which *text holds. What fails is told and the
 * next one taken; without a person who saw it, the exit status tells, too. */
static int take_turns(chat *c, bytes *text, input_got got) {
    int worst = STATUS_DONE;
    while (got == INPUT_TEXT) {
        int status = take_turn(c, text);
        if (status != STATUS_DONE) worst = status;
        if (c->input.editor) terminal_take_interrupt(); /* it was the answer's */
        if (!goes_on(c)) break;
        got = chat_input_read(&c->input, text);
    }
    if (got == INPUT_FAILED) return STATUS_FAILED;
    if (c->input.editor) return STATUS_DONE;
    if (terminal_interrupted())
        return terminal_fail("interrupted: what stands behind line %zu was not answered",
                             c->input.lines.count);
    return worst;
}

/* Without a terminal the first line is read before the model is opened: there may be none. */
static int converse(chat *c) {
    bytes text = {0};
    input_got got = INPUT_TEXT;
    int status = STATUS_DONE;
    if (!c->input.editor) got = chat_input_read(&c->input, &text);
    if (got == INPUT_END)
        status =
            terminal_refuse("no question came; fathom chat MODEL -p 'Why is the sky blue?' asks "
                            "one, and the lines of the input ask one each");
    else if (got == INPUT_FAILED)
        status = STATUS_FAILED;
    if (status == STATUS_DONE) status = open_model(c);
    if (status == STATUS_DONE && c->input.editor) {
        terminal_catch_interrupts();
        chat_note(c, "%s; /help lists the commands", fm_model_summary(c->session.model));
        got = chat_input_read(&c->input, &text);
    } else if (status == STATUS_DONE) {
        terminal_watch_interrupt();
    }
    if (status == STATUS_DONE) status = take_turns(c, &text, got);
    bytes_free(&text);
    return status;
}

static int run_conversation(const options *o) {
    chat c = {.options = o};
    int status = chat_input_open(&c.input);
    if (status == STATUS_DONE) status = converse(&c);
    if (c.session.model && o->profile) profile_print(c.session.model);
    chat_prefix_free(&c.prefix);
    conversation_free(&c.conversation);
    session_close(&c.session);
    chat_input_close(&c.input);
    return status;
}

int cmd_chat(const options *o) {
    int status = session_check_model(o);
    if (status == STATUS_DONE) status = answer_check_options(o);
    if (status != STATUS_DONE) return status;
    return o->prompt ? ask_once(o) : run_conversation(o);
}
