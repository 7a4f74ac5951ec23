/*
 * fp.h - the floating-point environment of the calling thread: rounding mode, exception flags and
 * traps, and on machines that have it the flushing of denormals. Results are defined in the
 * default environment; a host program may run in another, and must find its own again.
 */
#ifndef FATHOM_BASE_FP_H
#define FATHOM_BASE_FP_H

#include <fenv.h>

/** Keeps the thread's environment in *caller and sets the default one: round to nearest even,
 * denormals kept, no traps. Costs some tens of nanoseconds. */
void fp_begin(fenv_t *caller);

/** Puts back what fp_begin kept, exception flags included. */
void fp_end(const fenv_t *caller);

/** Sets the default environment for good: the start of a thread of our own, which else inherits
 * that of whoever started it. */
void fp_set_default(void);

#endif
