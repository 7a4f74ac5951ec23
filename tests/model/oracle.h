/*
 * oracle.h - reads what the reference implementation computed: a directory of cases.txt and raw
 * logits, in the format of tests/oracle/README.md. Asserts on malformed files: they are ours.
 */
#ifndef TESTS_MODEL_ORACLE_H
#define TESTS_MODEL_ORACLE_H

#include <assert.h>
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

static inline void oracle_read_ints(FILE *f, int32_t n, int32_t *out) {
    assert(n >= 0 && n <= ORACLE_MAX_IDS);
    for (int32_t i = 0; i < n; i++) assert(fscanf(f, "%d", &out[i]) == 1);
}

static inline float *oracle_read_logits(const char *dir, const char *file, long offset, size_t n) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    FILE *f = fopen(path, "rb");
    float *logits = malloc(n * sizeof *logits);
    assert(f && logits && fseek(f, offset, SEEK_SET) == 0);
    assert(fread(logits, sizeof *logits, n, f) == n);
    fclose(f);
    return logits;
}

static inline bool oracle_read_case(FILE *f, const char *dir, int32_t vocab, oracle_case *c) {
    char file[64];
    long offset;
    if (fscanf(f, " case %63s ids %d", c->name, &c->n_ids) != 2) return false;
    oracle_read_ints(f, c->n_ids, c->ids);
    assert(fscanf(f, " rows %d", &c->n_rows) == 1);
    oracle_read_ints(f, c->n_rows, c->rows);
    assert(fscanf(f, " logits %63s %ld range %f greedy %d", file, &offset, &c->range,
                  &c->n_greedy) == 4);
    oracle_read_ints(f, c->n_greedy, c->greedy);
    assert(fscanf(f, " margin %*f") == 0);
    c->logits = oracle_read_logits(dir, file, offset, (size_t)c->n_rows * (size_t)vocab);
    return true;
}

/** Reads DIR/cases.txt; false when it does not exist. */
static inline bool oracle_read(const char *dir, oracle *out) {
    char path[4096];
    snprintf(path, sizeof path, "%s/cases.txt", dir);
    FILE *f = fopen(path, "r");
    if (!f) return false;
    memset(out, 0, sizeof *out);
    assert(fscanf(f, " vocab %d", &out->vocab) == 1);
    while (out->n_cases < ORACLE_MAX_CASES &&
           oracle_read_case(f, dir, out->vocab, &out->cases[out->n_cases]))
        out->n_cases++;
    assert(out->n_cases > 0);
    fclose(f);
    return true;
}

static inline void oracle_free(oracle *o) {
    for (int32_t i = 0; i < o->n_cases; i++) free(o->cases[i].logits);
}

#endif
