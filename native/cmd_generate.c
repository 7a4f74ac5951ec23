/* cmd_generate.c - raw completion of a prompt, or of many. */
#include "answer.h"
#include "batch.h"
#include "command.h"
#include "profile.h"
#include "prompt.h"
#include "session.h"
#include "terminal.h"

static int generate_batch(const options *o) {
    session s = {0};
    lines input;
    int status = lines_open(&input, o->batch);
    if (status != STATUS_DONE) return status;
    status = session_open_tokenizer(&s, o, o->parts);
    if (status == STATUS_DONE) status = session_open_engine(&s, o);
    if (status == STATUS_DONE) status = batch_run(o, &s, &input);
    if (o->profile && s.model) profile_print(s.model);
    session_close(&s);
    lines_close(&input);
    return status;
}

static int generate_one(const options *o) {
    session s = {0};
    fm_tokens prompt = {0};
    int status = session_open_tokenizer(&s, o, o->prompt || o->parts);
    if (status == STATUS_DONE) status = prompt_encode(o, s.tokenizer, &prompt);
    if (status == STATUS_DONE) status = session_open_engine(&s, o);
    if (status == STATUS_DONE) status = answer_run(o, &s, &prompt);
    if (status == STATUS_DONE && o->profile) profile_print(s.model);
    fm_tokens_free(&prompt);
    session_close(&s);
    return status;
}

int cmd_generate(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    int n_prompts = (o->prompt != NULL) + (o->ids != NULL) + (o->batch != NULL);
    if (n_prompts != 1)
        return terminal_refuse("generate takes one prompt: -p TEXT, -p @FILE, -p - (standard "
                               "input) or --ids 1,2,3; or many with --batch F.jsonl");
    if (o->sequences > 0 && !o->batch)
        return terminal_refuse("--parallel is for the requests of --batch F.jsonl");
    status = answer_check_options(o);
    if (status != STATUS_DONE) return status;
    return o->batch ? generate_batch(o) : generate_one(o);
}
