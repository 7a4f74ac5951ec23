/* fp.c - saves, sets and restores the floating-point environment. */
#include "fp.h"

void fp_begin(fenv_t *caller) {
    fegetenv(caller);
    fp_set_default();
}

void fp_end(const fenv_t *caller) {
    fesetenv(caller);
}

void fp_set_default(void) {
    fesetenv(FE_DFL_ENV);
}
