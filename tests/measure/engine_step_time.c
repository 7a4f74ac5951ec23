/*
 * engine_step_time.c - times fm_engine_step while 1 … 16 greedy requests generate: the forward
 * pass, the search for the best token, the scheduler, the events. Sizes take turns, each in an
 * engine of its own over one model, so that a slower minute of the machine meets all of them.
 *
 *   engine_step_time MODEL THREADS ROUNDS SEQUENCES...
 *
 * prints what step_time prints. The model's context has to hold ROUNDS tokens and a few more.
 */
#include "fathom.h"
#include "timing.h"

enum { N_WARM = 2 /* steps: the prompts, of one token each, and the first that only generates */ };

static bool count_token(void *user, const fm_event *event) {
    int32_t *n_tokens = user;
    *n_tokens += event->finish == FM_FINISH_NONE;
    return true;
}

static fm_status submit_all(fm_engine *e, const timing_plan *p, int32_t n, int32_t *n_tokens,
                            fm_error *err) {
    static const int32_t no_end = -1;
    fm_status status = FM_OK;
    for (int32_t i = 0; i < n && status == FM_OK; i++) {
        const int32_t prompt = 1 + i;
        const fm_request request = {.ids = &prompt,
                                    .n_ids = 1,
                                    .max_new = p->n_rounds + N_WARM,
                                    .end_ids = &no_end,
                                    .n_end_ids = 1,
                                    .on_event = count_token,
                                    .user = n_tokens};
        status = fm_engine_submit(e, &request, NULL, err);
    }
    return status;
}

/** Times one step of n requests, each of which has to bring one token. */
static fm_status step(fm_engine *e, int32_t n, int32_t *n_tokens, double *seconds, fm_error *err) {
    int32_t active, n_before = *n_tokens;
    double start = os_seconds();
    fm_status status = fm_engine_step(e, &active, err);
    *seconds = os_seconds() - start;
    if (status != FM_OK || *n_tokens - n_before == n) return status;
    snprintf(err->text, sizeof err->text, "a step of %d requests brought %d tokens", (int)n,
             (int)(*n_tokens - n_before));
    return FM_ERR_STATE;
}

static fm_status run(fm_engine *const *engines, const timing_plan *p, fm_error *err) {
    int32_t n_tokens = 0;
    fm_status status = FM_OK;
    for (int k = 0; k < p->n_sizes && status == FM_OK; k++)
        status = submit_all(engines[k], p, p->sizes[k].n_sequences, &n_tokens, err);
    for (int32_t i = -N_WARM; i < p->n_rounds; i++)
        for (int k = 0; k < p->n_sizes && status == FM_OK; k++) {
            double seconds;
            status = step(engines[k], p->sizes[k].n_sequences, &n_tokens, &seconds, err);
            if (i >= 0) p->sizes[k].seconds[i] = seconds;
        }
    return status;
}

int main(int argc, char **argv) {
    timing_plan plan;
    fm_model *model = NULL;
    fm_engine *engines[TIMING_MAX_SIZES] = {0};
    fm_error err = {0};
    if (!timing_parse("engine_step_time", argc, argv, &plan)) {
        free(plan.sizes);
        return 2;
    }
    /* No chunk is larger than the context, and one chunk has to hold all prompts. */
    const fm_model_params limits = {.device = "cpu",
                                    .n_threads = plan.n_threads,
                                    .max_context = plan.n_rounds + N_WARM + TIMING_MAX_SEQUENCES,
                                    .max_sequences = TIMING_MAX_SEQUENCES};
    fm_status status = fm_model_open(plan.model, &limits, &model, &err);
    for (int k = 0; k < plan.n_sizes && status == FM_OK; k++) {
        /* Twice what they need: a prompt is admitted while there are pages to spare. */
        int32_t room = 2 * (limits.max_context / 64 + 2) * 64; /* tokens, in whole pages */
        const fm_engine_params params = {.cache_tokens = plan.sizes[k].n_sequences * room};
        status = fm_engine_new(model, &params, &engines[k], &err);
    }
    if (status == FM_OK) printf("device: %s\n", fm_model_summary(model));
    if (status == FM_OK) status = run(engines, &plan, &err);
    if (status == FM_OK)
        timing_print(&plan);
    else
        fprintf(stderr, "engine_step_time: %s: %s\n", fm_status_text(status), err.text);
    for (int k = 0; k < plan.n_sizes; k++) fm_engine_free(engines[k]);
    fm_model_close(model);
    free(plan.sizes);
    return status == FM_OK ? 0 : 1;
}
