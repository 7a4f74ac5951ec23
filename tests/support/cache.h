/*
 * cache.h - the folder where ./dev keeps models and what the oracle recorded of them, found as dev
 * finds it, and skipping with a reason when something is not in it.
 */
#ifndef TESTS_SUPPORT_CACHE_H
#define TESTS_SUPPORT_CACHE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/** Writes the path of `name` ("models/smollm2") in the cache to `out`. */
static inline void cache_path(const char *name, char *out, size_t out_size) {
    const char *cache = getenv("FATHOM_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (cache)
        n = snprintf(out, out_size, "%s/%s", cache, name);
    else if (xdg)
        n = snprintf(out, out_size, "%s/fathom/%s", xdg, name);
    else
        n = snprintf(out, out_size, "%s/.cache/fathom/%s", home ? home : "", name);
    assert_true(n > 0 && (size_t)n < out_size);
}

/** Skips the test when DIR/FILE is not there, naming the command that makes it. */
static inline void cache_need(const char *dir, const char *file, const char *command) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    FILE *f = fopen(path, "rb");
    if (!f) {
        print_message("skip: %s is not there; make it with %s\n", path, command);
        skip();
    }
    fclose(f);
}

#endif
