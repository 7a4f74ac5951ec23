/* score.h - how far computed values lie from their reference. */
#ifndef TESTS_OPS_SCORE_H
#define TESTS_OPS_SCORE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct score {
    double nmse;       /* sum of squared errors over sum of squares of the reference */
    double max_abs;    /* largest error over the largest reference */
    double cosine_gap; /* 1 - cosine of the angle between the two */
} score;

/** The most that a score may be. */
typedef score tolerance;

/** All values infinite when one computed value is not finite, unless it is the reference's
 * infinity, which counts for nothing; a reference of zeros alone demands zeros. */
score score_of(const double *expected, const double *got, size_t n);

bool score_within(const score *s, const tolerance *limit);

/** Raises `worst` to what is worse in `s`. */
void score_worsen(score *worst, const score *s);

#endif
