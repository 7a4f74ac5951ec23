/*
 * suite_model.h - what a suite of models does with the device that its argument names: parameters
 * that open a model there, and a log in which no error may stand at its end.
 */
#ifndef TESTS_SUPPORT_SUITE_MODEL_H
#define TESTS_SUPPORT_SUITE_MODEL_H

#include "fathom.h"
#include "suite_device.h"

typedef struct suite_model {
    bool is_cpu;
    char device[64];  /* as in fm_model_params: with the device's own checks, where these are
                         installed */
    char cut[2][80];  /* the first layer on it and the others on the CPU, and the other way round */
    int32_t n_errors; /* lines of the log at FM_LOG_ERROR */
} suite_model;

static inline void suite_model_keep(void *user, fm_log_level level, const char *line) {
    suite_model *s = user;
    if (level != FM_LOG_ERROR) return;
    if (s->n_errors++ < 10) print_error("%s\n", line);
}

/** The same parameters on the suite's device, and nothing but errors told. */
static inline fm_model_params suite_model_params(suite_model *s, const fm_model_params *params) {
    fm_model_params p = params ? *params : (fm_model_params){0};
    p.device = s->device;
    p.log = suite_model_keep;
    p.log_user = s;
    return p;
}

static inline bool suite_model_opens(suite_model *s, const char *dir, const char *device,
                                     fm_error *err) {
    fm_model *probe = NULL;
    snprintf(s->device, sizeof s->device, "%s", device);
    const fm_model_params params = suite_model_params(s, NULL);
    fm_status status = fm_model_open(dir, &params, &probe, err);
    fm_model_close(probe);
    return status == FM_OK;
}

/** False, with the reason, where the device is not there. The checkpoint in `dir` is opened on it.
 */
static inline bool suite_model_init(suite_model *s, const suite_device *device, const char *dir,
                                    fm_error *err) {
    char text[64];
    *s = (suite_model){.is_cpu = strcmp(device->backend, "cpu") == 0};
    if (s->is_cpu) return suite_model_opens(s, dir, "cpu", err);
    snprintf(text, sizeof text, "%.19s:%d,cache=off,validate", device->backend, (int)device->index);
    if (!suite_model_opens(s, dir, text, err)) {
        fm_error unchecked = *err;
        *strrchr(text, ',') = '\0';
        if (!suite_model_opens(s, dir, text, err)) return false;
        print_message("skip: without checks: %s\n", unchecked.text);
    }
    snprintf(s->cut[0], sizeof s->cut[0], "%s*1+cpu", s->device);
    snprintf(s->cut[1], sizeof s->cut[1], "cpu*1+%s", s->device);
    return true;
}

/** A suite's status: that of its tests, or failed when a device had something to say. */
static inline int suite_model_end(const suite_model *s, int n_failed) {
    if (s->n_errors > 0) print_error("%d errors were logged\n", (int)s->n_errors);
    return s->n_errors > 0 ? n_failed + 1 : n_failed;
}

#endif
