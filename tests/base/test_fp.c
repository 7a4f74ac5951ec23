/*
 * test_fp.c - the floating-point environment: what fp_begin sets, what fp_end puts back, and what
 * the threads of a pool run in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fp.h"
#include "base/pool.h"
#include "support/fp_modes.h"

static void fp_begin_sets_the_default_and_fp_end_restores(void **state) {
    (void)state;
    for (size_t i = 0; i < FP_MODE_COUNT; i++) {
        fenv_t caller;
        fp_mode_set(&fp_modes[i]);
        feclearexcept(FE_ALL_EXCEPT);
        feraiseexcept(FE_OVERFLOW);
        uint32_t before = fp_mode_get(), flags = (uint32_t)fetestexcept(FE_ALL_EXCEPT);
        fp_begin(&caller);
        uint32_t inside = fp_mode_get();
        feraiseexcept(FE_INVALID);
        fp_end(&caller);
        uint32_t after = fp_mode_get(), flags_after = (uint32_t)fetestexcept(FE_ALL_EXCEPT);
        fp_mode_reset();
        if (inside != fp_mode_get()) fail_msg("%s: not the default inside", fp_modes[i].name);
        if (before != after) fail_msg("%s: the mode changed", fp_modes[i].name);
        if (i > 0 && before == inside) fail_msg("%s: could not be set", fp_modes[i].name);
        assert_int_equal(flags, flags_after);
    }
}

/* Tasks that four threads must share, as each waits until all have begun. */
typedef struct meeting {
    atomic_int n_present;
    uint32_t mode[4]; /* of each worker; [0] is the caller */
} meeting;

static void look(void *user, int task, int worker) {
    meeting *m = user;
    (void)task;
    m->mode[worker] = fp_mode_get();
    atomic_fetch_add(&m->n_present, 1);
    while (atomic_load(&m->n_present) < 4) usleep(100);
}

static void pool_threads_run_in_the_default_environment(void **state) {
    (void)state;
    uint32_t plain = fp_mode_get();
    for (size_t i = 1; i < FP_MODE_COUNT; i++) {
        meeting m = {0};
        pool *p;
        fp_mode_set(&fp_modes[i]); /* which new threads inherit */
        uint32_t before = fp_mode_get();
        fm_status status = pool_new(4, &p, NULL);
        if (status == FM_OK) pool_run(p, 4, look, &m);
        uint32_t after = fp_mode_get();
        fp_mode_reset();
        assert_int_equal(status, FM_OK);
        pool_free(p);
        for (int worker = 1; worker < 4; worker++)
            if (m.mode[worker] != plain) fail_msg("%s: inherited", fp_modes[i].name);
        assert_int_equal(m.mode[0], before);
        assert_int_equal(after, before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp_begin_sets_the_default_and_fp_end_restores),
        cmocka_unit_test(pool_threads_run_in_the_default_environment),
    };
    return cmocka_run_group_tests_name("test_fp", tests, NULL, NULL);
}
