/*
 * timing.h - times of repeated steps, and the line that a measurement prints of them.
 */
#ifndef TESTS_MEASURE_TIMING_H
#define TESTS_MEASURE_TIMING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"

enum { TIMING_MAX_SIZES = 16, TIMING_MAX_ROUNDS = 10000, TIMING_MAX_SEQUENCES = 16 };

typedef struct timing {
    int32_t n_sequences; /* of each step */
    double seconds[TIMING_MAX_ROUNDS];
} timing;

/** What the command line asks for. */
typedef struct timing_plan {
    const char *model;
    int32_t n_threads, n_rounds;
    int n_sizes;
    timing *sizes; /* [n_sizes] the caller frees them */
} timing_plan;

/** Reads "MODEL THREADS ROUNDS SEQUENCES..."; false, with a line of usage, for anything else. */
static inline bool timing_parse(const char *program, int argc, char **argv, timing_plan *out) {
    *out = (timing_plan){.n_sizes = argc - 4};
    bool ok = argc >= 5 && out->n_sizes <= TIMING_MAX_SIZES;
    if (ok) out->sizes = calloc((size_t)out->n_sizes, sizeof *out->sizes);
    if (ok && out->sizes) {
        out->model = argv[1];
        out->n_threads = (int32_t)strtol(argv[2], NULL, 10);
        out->n_rounds = (int32_t)strtol(argv[3], NULL, 10);
        for (int i = 0; i < out->n_sizes; i++) {
            int32_t n = (int32_t)strtol(argv[i + 4], NULL, 10);
            out->sizes[i].n_sequences = n;
            ok = ok && n >= 1 && n <= TIMING_MAX_SEQUENCES;
        }
    }
    ok = ok && out->sizes && out->n_threads > 0 && out->n_rounds > 0 &&
         out->n_rounds <= TIMING_MAX_ROUNDS;
    if (!ok)
        fprintf(stderr, "usage: %s MODEL THREADS ROUNDS SEQUENCES... (1 to %d each)\n", program,
                TIMING_MAX_SEQUENCES);
    return ok;
}

static inline int timing_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** One line for each size; steps per second are those of the median. */
static inline void timing_print(const timing_plan *p) {
    int32_t n = p->n_rounds;
    printf("sequences  steps    min_ms median_ms    max_ms   steps/s\n");
    for (int i = 0; i < p->n_sizes; i++) {
        timing *t = &p->sizes[i];
        qsort(t->seconds, (size_t)n, sizeof *t->seconds, timing_compare);
        double median = t->seconds[n / 2];
        printf("%9d %6d %9.2f %9.2f %9.2f %9.2f\n", (int)t->n_sequences, (int)n,
               1e3 * t->seconds[0], 1e3 * median, 1e3 * t->seconds[n - 1], 1 / median);
    }
}

#endif
