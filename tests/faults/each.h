/*
 * each.h - runs a piece of work again and again, with the first, the second, the third … allocation
 * failing, until one run needs no more: that one has to succeed.
 */
#ifndef TESTS_FAULTS_EACH_H
#define TESTS_FAULTS_EACH_H

#include <stdio.h>

#include "alloc.h"
#include "support/expect.h"

enum { EACH_MAX_ALLOCATIONS = 100000 };

/** What runs out of memory. It frees all that it made, and fills `err` when it fails. */
typedef fm_status (*each_fn)(void *user, fm_error *err);

/** Ends the test unless every failed allocation comes back as FM_ERR_MEMORY, in words. Returns how
 * many there were. */
static inline int32_t each_allocation_fails(const char *what, each_fn fn, void *user) {
    for (int32_t nth = 1; nth < EACH_MAX_ALLOCATIONS; nth++) {
        fm_error err = {0};
        char name[300];
        alloc_fail((uint64_t)nth);
        fm_status status = fn(user, &err);
        bool has_failed = alloc_has_failed();
        alloc_fail(0);
        snprintf(name, sizeof name, "%s, allocation %d", what, (int)nth);
        if (has_failed) {
            expect_error(name, status, &err, FM_ERR_MEMORY, "memory");
            continue;
        }
        if (status != FM_OK) fail_msg("%s: %s", name, err.text);
        return nth - 1;
    }
    fail_msg("%s: allocates without end", what);
    return 0;
}

#endif
