/*
 * many.c - many requests at once: they run together, and none changes what another one answers.
 *   many MODEL-DIRECTORY TEXT...        one request for each text, at most 100
 */
#include "fathom.h"
#include <stdio.h>
#include <string.h>

typedef struct job { /* a request, and what has come of it so far */
    char answer[4000];
    size_t length;
    bool failed;
} job;

/* Called inside fm_engine_step; `user` tells whose event this is. */
static bool on_event(void *user, const fm_event *event) {
    job *j = user;
    if (event->text_length > sizeof j->answer - j->length) return false; /* cancels the request */
    if (event->text_length > 0) memcpy(j->answer + j->length, event->text, event->text_length);
    j->length += event->text_length;
    j->failed = event->finish == FM_FINISH_ERROR;
    if (j->failed) printf("failed: %s\n", fm_status_text(event->status));
    if (event->finish == FM_FINISH_NONE) return true;
    fwrite(j->answer, 1, j->length, stdout);
    return puts("\n----") >= 0;
}

int main(int argc, char **argv) {
    static job jobs[100]; /* each stays where it is until its request has ended */
    fm_error err = {0};
    fm_tokenizer *t = NULL;
    fm_model *model = NULL;
    fm_engine *engine = NULL;
    int32_t active = 1; /* requests that have not ended */
    if (argc < 3 || argc - 2 > 100) return fputs("usage: many DIRECTORY TEXT...\n", stderr), 2;

    fm_model_params params = {.max_sequences = 8}; /* further ones wait for their turn */
    fm_status status = fm_tokenizer_open(argv[1], &t, &err);
    if (status == FM_OK) status = fm_model_open(argv[1], &params, &model, &err);
    if (status == FM_OK) status = fm_engine_new(model, NULL, &engine, &err);
    for (int i = 2; status == FM_OK && i < argc; i++) { /* nothing runs before the first step */
        fm_tokens ids = {0};
        status = fm_tokenizer_encode(t, argv[i], strlen(argv[i]), FM_ENCODE_PROMPT, &ids, &err);
        fm_request request = {.ids = ids.ids, .n_ids = ids.count, .max_new = 32, .tokenizer = t};
        request.on_event = on_event, request.user = &jobs[i - 2];
        if (status == FM_OK) status = fm_engine_submit(engine, &request, NULL, &err);
        fm_tokens_free(&ids); /* the engine has a copy */
    }
    bool failed = status != FM_OK;
    while (!failed && active > 0) fm_engine_step(engine, &active, &err); /* events tell failures */
    for (int i = 0; i < argc - 2; i++) failed = failed || jobs[i].failed;

    fm_engine_free(engine);
    fm_model_close(model);
    fm_tokenizer_close(t);
    if (failed) fprintf(stderr, "many: %s\n", err.text[0] ? err.text : "a request failed");
    return failed ? 1 : 0;
}
