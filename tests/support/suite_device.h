/*
 * suite_device.h - the device that a suite runs on: its argument, NAME or NAME:INDEX as
 * backend_find and the device list know them, "cpu" without one. CTest and tests/run.sh start every
 * suite that reads it once without an argument, and once with each other device that they know:
 * they find it by its main, which has arguments.
 */
#ifndef TESTS_SUPPORT_SUITE_DEVICE_H
#define TESTS_SUPPORT_SUITE_DEVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct suite_device {
    char text[32]; /* as given */
    char backend[20];
    int32_t index;
} suite_device;

static inline suite_device suite_device_of(int argc, char **argv) {
    suite_device d = {0};
    snprintf(d.text, sizeof d.text, "%s", argc > 1 ? argv[1] : "cpu");
    const char *colon = strchr(d.text, ':');
    size_t n = colon ? (size_t)(colon - d.text) : strlen(d.text);
    snprintf(d.backend, sizeof d.backend, "%.*s", (int)n, d.text);
    d.index = colon ? (int32_t)strtol(colon + 1, NULL, 10) : 0;
    return d;
}

static inline void suite_skip_case(void **state) {
    print_message("skip: %s\n", (const char *)*state);
    skip();
}

/** In place of a suite's tests: one that is skipped, with the reason. Returns the suite's status.
 */
static inline int suite_skip(const char *name, const char *reason) {
    char text[600];
    snprintf(text, sizeof text, "%s", reason);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(suite_skip_case, text)};
    return _cmocka_run_group_tests(name, tests, 1, NULL, NULL);
}

#endif
