/* clock.c - the monotonic clock. */
#include "clock.h"

#include <time.h>

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double clock_rate(uint64_t count, double seconds) {
    return seconds > 0 ? (double)count / seconds : 0;
}
