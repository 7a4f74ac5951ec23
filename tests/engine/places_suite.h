/*
 * places_suite.h - included in front of a suite, it runs that suite on two devices: the first layer
 * on one, the others on the other.
 */
#ifndef TESTS_ENGINE_PLACES_SUITE_H
#define TESTS_ENGINE_PLACES_SUITE_H

#include "asked.h"

#define SUITE_RUNS_AGAIN 1 /* for suites that do less the second time */

static inline fm_model *places_asked_open(const char *dir, const fm_model_params *params) {
    fm_model_params on_two = params ? *params : (fm_model_params){0};
    on_two.device = "cpu*1+cpu";
    return asked_open(dir, &on_two);
}

#define asked_open places_asked_open

#endif
