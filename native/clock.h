/* clock.h - time that only goes forward, and speeds. */
#ifndef FATHOM_NATIVE_CLOCK_H
#define FATHOM_NATIVE_CLOCK_H

#include <stdint.h>

/** Seconds since some moment in the past. */
double clock_seconds(void);

/** A number of things for each second; 0 where there is none of either. */
double clock_rate(uint64_t count, double seconds);

#endif
