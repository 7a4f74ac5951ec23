/* cmd_logits.c - the logits of every token of a prompt, as a NumPy file. */
#include "command.h"
#include "profile.h"
#include "prompt.h"
#include "session.h"
#include "terminal.h"

static bool go_on(void *user) {
    (void)user;
    return !terminal_interrupted();
}

/* The first Ctrl-C ends the run between two groups of rows, and no part of the file stays. */
static int write_file(const options *o, const session *s, const fm_tokens *prompt) {
    fm_error err;
    terminal_watch_interrupt();
    if (fm_engine_write_logits(s->engine, prompt->ids, prompt->count, o->out, go_on, NULL, &err) ==
        FM_OK)
        return STATUS_DONE;
    if (terminal_interrupted())
        return terminal_fail("interrupted: %s was not written; run the command again", o->out);
    return terminal_fail("%s", err.text);
}

int cmd_logits(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    if (!o->prompt == !o->ids)
        return terminal_refuse("logits takes one prompt: -p TEXT, -p @FILE, -p - (standard input) "
                               "or --ids 1,2,3");
    if (!o->out || !*o->out) return terminal_refuse("logits needs a file to write: --out F.npy");
    session s = {0};
    fm_tokens prompt = {0};
    status = session_open_tokenizer(&s, o, o->prompt != NULL);
    if (status == STATUS_DONE) status = prompt_encode(o, s.tokenizer, &prompt);
    if (status == STATUS_DONE) status = session_open_engine(&s, o);
    if (status == STATUS_DONE) status = write_file(o, &s, &prompt);
    if (status == STATUS_DONE && o->profile) profile_print(s.model);
    fm_tokens_free(&prompt);
    session_close(&s);
    return status;
}
