/*
 * late_suite.h - included in front of a suite, it runs that suite on devices that compute late.
 * What the suite compares with, a request alone, is computed as ever.
 */
#ifndef TESTS_ENGINE_LATE_SUITE_H
#define TESTS_ENGINE_LATE_SUITE_H

#include "late.h"

#define SUITE_RUNS_AGAIN 1 /* for suites that do less the second time */

static inline fm_model *late_asked_open(const char *dir, const fm_model_params *params) {
    fm_model *m = asked_open(dir, params);
    late_enter(m->dev, true);
    return m;
}

static inline answer late_asked_alone(fm_model *m, const asked *a) {
    late_leave();
    const answer out = asked_alone(m, a);
    late_enter(m->dev, true);
    return out;
}

#define asked_open  late_asked_open
#define asked_alone late_asked_alone

#endif
