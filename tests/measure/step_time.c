/*
 * step_time.c - times steps of the forward pass in which 1 … 16 sequences advance by one token each,
 * logits included. Sizes take turns, so that a slower minute of the machine meets all of them.
 *
 *   step_time MODEL THREADS ROUNDS SEQUENCES...
 *
 * prints "sequences steps min_ms median_ms max_ms steps_per_s", one line per number of sequences;
 * steps per second are those of the median.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "support/forward_rig.h"

enum { MAX_SIZES = 16, MAX_ROUNDS = 10000 };

typedef struct timing {
    int32_t n_sequences;
    double seconds[MAX_ROUNDS];
} timing;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_timing(timing *t, int32_t n) {
    qsort(t->seconds, (size_t)n, sizeof *t->seconds, compare);
    double median = t->seconds[n / 2];
    printf("%9d %6d %9.2f %9.2f %9.2f %9.2f\n", (int)t->n_sequences, (int)n, 1e3 * t->seconds[0],
           1e3 * median, 1e3 * t->seconds[n - 1], 1 / median);
}

/** Round 0 warms up: it brings the file into memory and the threads to their places. */
static fm_status run(forward_rig *r, timing *timings, int n_sizes, int32_t n_rounds) {
    for (int32_t i = 0; i <= n_rounds; i++)
        for (int k = 0; k < n_sizes; k++) {
            double start = os_seconds();
            FM_TRY(forward_rig_step(r, 0, timings[k].n_sequences, i % RIG_CONTEXT));
            if (i > 0) timings[k].seconds[i - 1] = os_seconds() - start;
        }
    return FM_OK;
}

static bool parse(int argc, char **argv, int32_t *n_threads, int32_t *n_rounds, timing *timings) {
    if (argc < 5 || argc - 4 > MAX_SIZES) return false;
    *n_threads = (int32_t)strtol(argv[2], NULL, 10);
    *n_rounds = (int32_t)strtol(argv[3], NULL, 10);
    for (int i = 4; i < argc; i++) {
        int32_t n = (int32_t)strtol(argv[i], NULL, 10);
        if (n < 1 || n > RIG_SEQUENCES) return false;
        timings[i - 4].n_sequences = n;
    }
    return *n_threads > 0 && *n_rounds > 0 && *n_rounds <= MAX_ROUNDS;
}

int main(int argc, char **argv) {
    timing *timings = calloc(MAX_SIZES, sizeof *timings);
    int32_t n_threads, n_rounds;
    if (!timings || !parse(argc, argv, &n_threads, &n_rounds, timings)) {
        fprintf(stderr, "usage: step_time MODEL THREADS ROUNDS SEQUENCES... (1 to %d each)\n",
                RIG_SEQUENCES);
        free(timings);
        return 2;
    }
    forward_rig r;
    fm_error err = {0};
    fm_status status = forward_rig_open(&r, argv[1], &fm_backend_cpu, n_threads, &err);
    if (status == FM_OK) {
        printf("device: %s\n", device_info(r.dev)->name);
        printf("sequences  steps    min_ms median_ms    max_ms   steps/s\n");
        status = run(&r, timings, argc - 4, n_rounds);
    }
    if (status == FM_OK)
        for (int i = 0; i < argc - 4; i++) print_timing(&timings[i], n_rounds);
    else
        fprintf(stderr, "step_time: %s: %s\n", fm_status_text(status), err.text);
    forward_rig_close(&r);
    free(timings);
    return status == FM_OK ? 0 : 1;
}
