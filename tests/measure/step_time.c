/*
 * step_time.c - times steps of the forward pass in which 1 … 16 sequences advance by one token
 * each, logits included. Sizes take turns, so that a slower minute of the machine meets all of
 * them.
 *
 *   step_time MODEL THREADS ROUNDS SEQUENCES...
 *
 * prints "sequences steps min_ms median_ms max_ms steps_per_s", one line per number of sequences.
 * engine_step_time.c does the same with the engine on top.
 */
#include "support/forward_rig.h"
#include "timing.h"

_Static_assert((int)TIMING_MAX_SEQUENCES <= (int)RIG_SEQUENCES, "the rig has room for every size");

/** Round 0 warms up: it brings the file into memory and the threads to their places. */
static fm_status run(forward_rig *r, const timing_plan *p) {
    for (int32_t i = 0; i <= p->n_rounds; i++)
        for (int k = 0; k < p->n_sizes; k++) {
            double start = os_seconds();
            FM_TRY(forward_rig_step(r, 0, p->sizes[k].n_sequences, i % RIG_CONTEXT));
            if (i > 0) p->sizes[k].seconds[i - 1] = os_seconds() - start;
        }
    return FM_OK;
}

int main(int argc, char **argv) {
    timing_plan plan;
    forward_rig r = {0};
    fm_error err = {0};
    if (!timing_parse("step_time", argc, argv, &plan)) {
        free(plan.sizes);
        return 2;
    }
    fm_status status = forward_rig_open(&r, plan.model, &fm_backend_cpu, plan.n_threads, &err);
    if (status == FM_OK) printf("device: %s\n", device_info(r.dev)->name);
    if (status == FM_OK) status = run(&r, &plan);
    if (status == FM_OK)
        timing_print(&plan);
    else
        fprintf(stderr, "step_time: %s: %s\n", fm_status_text(status), err.text);
    forward_rig_close(&r);
    free(plan.sizes);
    return status == FM_OK ? 0 : 1;
}
