/*
 * device_speed.c - times one sequence on a device: how fast a prompt is read, and how fast tokens
 * are generated behind it.
 *
 *   device_speed MODEL DEVICE ROUNDS [deterministic]
 *
 * prints "what tokens min_per_s median_per_s max_per_s", one line for the prompt and one for the
 * answer. The first round warms up and is not counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "fathom.h"

enum { N_PROMPT = 512, N_NEW = 64, MAX_ROUNDS = 1000 };

typedef struct round {
    double first, last; /* seconds at which the first and the last token came */
    int32_t n;
} round;

static bool note_token(void *user, const fm_event *event) {
    round *r = user;
    if (event->finish != FM_FINISH_NONE) return true;
    r->last = os_seconds();
    if (r->n++ == 0) r->first = r->last;
    return true;
}

/** Runs one request; rates [2] in tokens per second: of the prompt, of the answer. */
static fm_status run_round(fm_engine *e, int32_t vocab, double rates[2], fm_error *err) {
    int32_t ids[N_PROMPT], active = 1;
    round r = {0};
    for (int32_t i = 0; i < N_PROMPT; i++) ids[i] = (i * 7919 + 5) % vocab;
    const fm_request request = {.ids = ids,
                                .n_ids = N_PROMPT,
                                .max_new = N_NEW,
                                .end_ids = ids, /* none of these: it ends with max_new */
                                .n_end_ids = 0,
                                .on_event = note_token,
                                .user = &r};
    fm_status status = fm_engine_submit(e, &request, NULL, err);
    double start = os_seconds();
    while (status == FM_OK && active > 0) status = fm_engine_step(e, &active, err);
    rates[0] = N_PROMPT / (r.first - start);
    rates[1] = (r.n - 1) / (r.last - r.first);
    return status;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_rates(const char *what, int32_t n_tokens, double *rates, int32_t n) {
    qsort(rates, (size_t)n, sizeof *rates, compare);
    printf("%-7s %6d %9.1f %12.1f %9.1f\n", what, (int)n_tokens, rates[0], rates[n / 2],
           rates[n - 1]);
}

/** All rounds of an open model. */
static fm_status run(fm_model *m, int32_t n_rounds, fm_error *err) {
    static double prompt[MAX_ROUNDS], answer[MAX_ROUNDS];
    fm_engine *e = NULL;
    const fm_engine_params params = {.no_prefix_sharing = true};
    fm_status status = fm_engine_new(m, &params, &e, err);
    for (int32_t i = -1; i < n_rounds && status == FM_OK; i++) {
        double rates[2];
        status = run_round(e, fm_model_vocab_size(m), rates, err);
        if (i < 0) continue;
        prompt[i] = rates[0];
        answer[i] = rates[1];
    }
    fm_engine_free(e);
    if (status != FM_OK) return status;
    printf("what    tokens min_per_s median_per_s max_per_s\n");
    print_rates("prompt", N_PROMPT, prompt, n_rounds);
    print_rates("answer", N_NEW - 1, answer, n_rounds);
    return FM_OK;
}

int main(int argc, char **argv) {
    bool deterministic = argc == 5 && strcmp(argv[4], "deterministic") == 0;
    long n_rounds = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    if (n_rounds < 1 || n_rounds > MAX_ROUNDS || (argc != 4 && !deterministic)) {
        fprintf(stderr, "usage: device_speed MODEL DEVICE ROUNDS [deterministic]\n");
        return 2;
    }
    fm_model *m = NULL;
    fm_error err = {0};
    const fm_model_params params = {.device = argv[2],
                                    .max_context = 1024,
                                    .max_chunk = N_PROMPT,
                                    .max_sequences = 1,
                                    .deterministic = deterministic};
    fm_status status = fm_model_open(argv[1], &params, &m, &err);
    if (status == FM_OK) {
        printf("%s\n", fm_model_summary(m));
        status = run(m, (int32_t)n_rounds, &err);
    }
    if (status != FM_OK) fprintf(stderr, "device_speed: %s\n", err.text);
    fm_model_close(m);
    return status == FM_OK ? 0 : 1;
}
