/*
 * oracle.h - reads what the reference implementation computed: a directory of cases.txt and raw
 * logits, in the format of tests/oracle/README.md. Malformed files end the suite: they are ours.
 */
#ifndef TESTS_MODEL_ORACLE_H
#define TESTS_MODEL_ORACLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fathom.h"

enum { ORACLE_MAX_IDS = 512, ORACLE_MAX_CASES = 8 };

typedef struct oracle_case {
    char name[64];
    int32_t n_ids, ids[ORACLE_MAX_IDS];   /* the prompt */
    int32_t n_rows, rows[ORACLE_MAX_IDS]; /* positions whose logits are stored */
    float *logits;                        /* [n_rows, vocab] */
    float range;                          /* largest minus smallest logit of the case */
    int32_t n_greedy, greedy[ORACLE_MAX_IDS];
} oracle_case;

typedef struct oracle {
    int32_t vocab, n_cases;
    oracle_case cases[ORACLE_MAX_CASES];
} oracle;

/** Not assert(): the reads stand in the condition and must happen in every kind of build. */
static inline void oracle_need(bool holds) {
    if (holds) return;
    fprintf(stderr, "the oracle's data are malformed\n");
    abort();
}

static inline FILE *oracle_open(const char *dir, const char *file, const char *mode) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, file);
    oracle_need(n > 0 && n < (int)sizeof path);
    return fopen(path, mode);
}

static inline void oracle_read_ints(FILE *f, int32_t n, int32_t *out) {
    oracle_need(n >= 0 && n <= ORACLE_MAX_IDS);
    for (int32_t i = 0; i < n; i++) oracle_need(fscanf(f, "%d", &out[i]) == 1);
}

static inline float *oracle_read_logits(const char *dir, const char *file, long offset, size_t n) {
    FILE *f = oracle_open(dir, file, "rb");
    float *logits = malloc(n * sizeof *logits);
    oracle_need(f && logits && fseek(f, offset, SEEK_SET) == 0);
    oracle_need(fread(logits, sizeof *logits, n, f) == n);
    fclose(f);
    return logits;
}

static inline bool oracle_read_case(FILE *f, const char *dir, int32_t vocab, oracle_case *c) {
    char file[64];
    long offset;
    if (fscanf(f, " case %63s ids %d", c->name, &c->n_ids) != 2) return false;
    oracle_read_ints(f, c->n_ids, c->ids);
    oracle_need(fscanf(f, " rows %d", &c->n_rows) == 1);
    oracle_read_ints(f, c->n_rows, c->rows);
    oracle_need(fscanf(f, " logits %63s %ld range %f greedy %d", file, &offset, &c->range,
                       &c->n_greedy) == 4);
    oracle_read_ints(f, c->n_greedy, c->greedy);
    oracle_need(fscanf(f, " margin %*f") == 0);
    c->logits = oracle_read_logits(dir, file, offset, (size_t)c->n_rows * (size_t)vocab);
    return true;
}

/** Reads DIR/cases.txt; false when it does not exist. */
static inline bool oracle_read(const char *dir, oracle *out) {
    FILE *f = oracle_open(dir, "cases.txt", "r");
    if (!f) return false;
    memset(out, 0, sizeof *out);
    oracle_need(fscanf(f, " vocab %d", &out->vocab) == 1);
    while (out->n_cases < ORACLE_MAX_CASES &&
           oracle_read_case(f, dir, out->vocab, &out->cases[out->n_cases]))
        out->n_cases++;
    oracle_need(out->n_cases > 0);
    fclose(f);
    return true;
}

static inline void oracle_free(oracle *o) {
    for (int32_t i = 0; i < o->n_cases; i++) free(o->cases[i].logits);
}

#endif
