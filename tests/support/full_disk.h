/*
 * full_disk.h - a limit on the sizes of files, which stands for a full disk.
 */
#ifndef FATHOM_TESTS_FULL_DISK_H
#define FATHOM_TESTS_FULL_DISK_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

/** What full_disk_end puts back. */
typedef struct full_disk {
    struct rlimit before;
} full_disk;

/** From now on, no file of this process can grow beyond `size` bytes: writes fail. */
static inline full_disk full_disk_begin(size_t size) {
    full_disk d;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &d.before), 0);
    struct rlimit tight = d.before;
    tight.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    return d;
}

static inline void full_disk_end(const full_disk *d) {
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &d->before), 0);
    signal(SIGXFSZ, SIG_DFL);
}

#endif
