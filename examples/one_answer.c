/*
 * one_answer.c - the smallest whole program: a prompt in, text out as it is made.
 *
 *   one_answer MODEL-DIRECTORY TEXT
 *   cc one_answer.c -o one_answer $(pkg-config --cflags --libs fathom)
 */
#include "fathom.h"

#include <stdio.h>
#include <string.h>

/* The engine calls this once for each new token, and once more when the answer has ended. */
static bool on_event(void *user, const fm_event *event) {
    fm_status *result = user;
    if (event->finish == FM_FINISH_ERROR) *result = event->status;
    if (event->text_length > 0) fwrite(event->text, 1, event->text_length, stdout);
    if (event->finish != FM_FINISH_NONE) putchar('\n');
    return fflush(stdout) == 0; /* false would cancel the request */
}

static fm_status answer(const char *dir, const char *text, fm_error *err) {
    fm_tokenizer *tokenizer = NULL;
    fm_model *model = NULL;
    fm_engine *engine = NULL;
    fm_tokens prompt = {0};
    int32_t active = 1;
    fm_status result = FM_OK;

    /* Every call that can fail returns a status, and writes one line that says why. */
    fm_status status = fm_tokenizer_open(dir, &tokenizer, err);
    if (status == FM_OK)
        status = fm_tokenizer_encode(tokenizer, text, strlen(text), FM_ENCODE_PROMPT, &prompt, err);
    if (status == FM_OK) status = fm_model_open(dir, NULL, &model, err);
    if (status == FM_OK) status = fm_engine_new(model, NULL, &engine, err);

    fm_request request = {.ids = prompt.ids, .n_ids = prompt.count, .max_new = 64};
    request.tokenizer = tokenizer; /* so that events bring text */
    request.on_event = on_event;
    request.user = &result;
    if (status == FM_OK) status = fm_engine_submit(engine, &request, NULL, err);
    /* What a failed step held is tried once more; the last event says when that fails, too. */
    while (status == FM_OK && active > 0) fm_engine_step(engine, &active, err);

    fm_engine_free(engine); /* the reverse order; NULL is fine */
    fm_model_close(model);
    fm_tokens_free(&prompt);
    fm_tokenizer_close(tokenizer);
    return status != FM_OK ? status : result;
}

int main(int argc, char **argv) {
    fm_error err = {0};
    if (argc != 3) return fputs("usage: one_answer DIRECTORY TEXT\n", stderr), 2;
    fm_status status = answer(argv[1], argv[2], &err);
    if (status == FM_OK) return 0;
    fprintf(stderr, "one_answer: %s\n", err.text[0] ? err.text : fm_status_text(status));
    return 1;
}
