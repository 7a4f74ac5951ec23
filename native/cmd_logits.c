/* cmd_logits.c - the logits of every token of a prompt, as a NumPy file. */
#include "command.h"
#include "prompt.h"
#include "session.h"
#include "terminal.h"

int cmd_logits(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    if (!o->prompt == !o->ids)
        return terminal_refuse("logits takes one prompt: -p TEXT, -p @FILE, -p - (standard input) "
                               "or --ids 1,2,3");
    if (!o->out) return terminal_refuse("logits needs a file to write: --out F.npy");
    session s = {0};
    fm_tokens prompt = {0};
    fm_error err;
    status = session_open_tokenizer(&s, o, o->prompt != NULL);
    if (status == STATUS_DONE) status = prompt_encode(o, s.tokenizer, &prompt);
    if (status == STATUS_DONE) status = session_open_engine(&s, o);
    if (status == STATUS_DONE &&
        fm_engine_write_logits(s.engine, prompt.ids, prompt.count, o->out, &err) != FM_OK)
        status = terminal_fail("%s", err.text);
    fm_tokens_free(&prompt);
    session_close(&s);
    return status;
}
