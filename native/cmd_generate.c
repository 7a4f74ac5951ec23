/* cmd_generate.c - raw completion of a prompt. */
#include "answer.h"
#include "command.h"
#include "prompt.h"
#include "session.h"
#include "terminal.h"

int cmd_generate(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    if (!o->prompt == !o->ids)
        return terminal_refuse("generate takes one prompt: -p TEXT, -p @FILE, -p - (standard "
                               "input) or --ids 1,2,3");
    session s = {0};
    fm_tokens prompt = {0};
    status = session_open_tokenizer(&s, o, o->prompt != NULL);
    if (status == STATUS_DONE) status = prompt_encode(o, s.tokenizer, &prompt);
    if (status == STATUS_DONE) status = session_open_engine(&s, o);
    if (status == STATUS_DONE) status = answer_run(o, &s, &prompt);
    fm_tokens_free(&prompt);
    session_close(&s);
    return status;
}
