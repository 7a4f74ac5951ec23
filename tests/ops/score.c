/* score.c - owns the three measures of score.h. */
#include "score.h"

#include <math.h>

score score_of(const double *expected, const double *got, size_t n) {
    double error = 0, square = 0, product = 0, got_square = 0, worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (isinf(expected[i]) && got[i] == expected[i]) continue;
        if (!isfinite(got[i])) return (score){HUGE_VAL, HUGE_VAL, HUGE_VAL};
        double d = fabs(got[i] - expected[i]);
        error += d * d;
        square += expected[i] * expected[i];
        got_square += got[i] * got[i];
        product += got[i] * expected[i];
        worst = fmax(worst, d);
        largest = fmax(largest, fabs(expected[i]));
    }
    if (square == 0) return error == 0 ? (score){0} : (score){HUGE_VAL, HUGE_VAL, HUGE_VAL};
    double cosine = got_square > 0 ? product / (sqrt(square) * sqrt(got_square)) : 0;
    return (score){error / square, worst / largest, fmax(0, 1 - cosine)};
}

bool score_within(const score *s, const tolerance *limit) {
    return s->nmse <= limit->nmse && s->max_abs <= limit->max_abs &&
           s->cosine_gap <= limit->cosine_gap;
}

void score_worsen(score *worst, const score *s) {
    worst->nmse = fmax(worst->nmse, s->nmse);
    worst->max_abs = fmax(worst->max_abs, s->max_abs);
    worst->cosine_gap = fmax(worst->cosine_gap, s->cosine_gap);
}
