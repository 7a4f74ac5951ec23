/*
 * expect.h - what every failure has to look like: the right status, and one line that names the
 * fault.
 */
#ifndef FATHOM_TESTS_EXPECT_H
#define FATHOM_TESTS_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fathom.h"

/** Fails the test unless `got` and the error say `status`, in one line that contains `word`. `what`
 * names the case. */
static inline void expect_error(const char *what, fm_status got, const fm_error *err,
                                fm_status status, const char *word) {
    if (got != status || err->status != status)
        fail_msg("%s: status %d (\"%s\"), not %d", what, got, err->text, status);
    if (!memchr(err->text, '\0', sizeof err->text)) fail_msg("%s: text without an end", what);
    if (err->text[0] == '\0' || strpbrk(err->text, "\r\n"))
        fail_msg("%s: not one line: \"%s\"", what, err->text);
    if (!strstr(err->text, word)) fail_msg("%s: \"%s\" lacks \"%s\"", what, err->text, word);
}

#endif
