/* profile.c - sorts and prints what the device counted. */
#include "profile.h"

#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>

static int compare_seconds(const void *left, const void *right) {
    const fm_profile *a = left, *b = right;
    return (a->seconds < b->seconds) - (a->seconds > b->seconds);
}

void profile_print(const fm_model *m) {
    fm_profile rows[FM_MAX_PROFILE];
    int32_t n_rows = fm_model_get_profile(m, rows);
    double total = 0;
    qsort(rows, (size_t)n_rows, sizeof rows[0], compare_seconds);
    for (int32_t i = 0; i < n_rows; i++) total += rows[i].seconds;
    terminal_note("%-16s %10s %12s %7s %12s %9s", "operation", "calls", "ms", "share", "MB",
                  "GB/s");
    for (int32_t i = 0; i < n_rows; i++) {
        double seconds = rows[i].seconds, bytes = (double)rows[i].bytes;
        terminal_note("%-16s %10" PRId64 " %12.2f %6.1f%% %12.1f %9.2f", rows[i].name,
                      rows[i].calls, seconds * 1e3, total > 0 ? seconds / total * 100 : 0,
                      bytes / 1e6, seconds > 0 ? bytes / seconds / 1e9 : 0);
    }
}
