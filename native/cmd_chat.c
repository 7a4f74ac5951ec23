/* cmd_chat.c - one question in a chat layout that is built in. */
#include "answer.h"
#include "command.h"
#include "profile.h"
#include "prompt.h"
#include "session.h"
#include "terminal.h"

#include <string.h>

/* Appends the conversation's ids. Contents are C strings there, so a NUL byte would cut the
 * question. */
static int encode_question(const options *o, const fm_tokenizer *t, fm_tokens *out) {
    fm_error err;
    bytes question = {0};
    int status = prompt_read(o->prompt, &question);
    if (status == STATUS_DONE && memchr(question.data ? question.data : "", 0, question.length))
        status = terminal_fail("the question holds a NUL byte; give text");
    if (status == STATUS_DONE && !bytes_append(&question, "", 1))
        status = terminal_fail("out of memory for the question");
    if (status == STATUS_DONE) {
        fm_message messages[2];
        size_t n_messages = 0;
        if (o->system) messages[n_messages++] = (fm_message){"system", o->system};
        messages[n_messages++] = (fm_message){"user", question.data};
        if (fm_chat_encode(t, o->layout, messages, n_messages, out, &err) != FM_OK)
            status = terminal_fail("%s", err.text);
    }
    bytes_free(&question);
    return status;
}

int cmd_chat(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    if (!o->prompt)
        return terminal_refuse("the interactive mode is not part of this version; ask one "
                               "question: fathom chat MODEL -p 'Why is the sky blue?'");
    status = answer_check_options(o);
    if (status != STATUS_DONE) return status;
    session s = {0};
    fm_tokens prompt = {0};
    status = session_open_tokenizer(&s, o, true);
    if (status == STATUS_DONE) status = encode_question(o, s.tokenizer, &prompt);
    if (status == STATUS_DONE) status = session_open_engine(&s, o);
    if (status == STATUS_DONE) status = answer_run(o, &s, &prompt);
    if (status == STATUS_DONE && o->profile) profile_print(s.model);
    fm_tokens_free(&prompt);
    session_close(&s);
    return status;
}
