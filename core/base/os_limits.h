/*
 * os_limits.h - the share of the machine that this process may use, as Linux tells it in files.
 * `root` stands before every path: "" on a real machine, another directory in tests. What is absent
 * or cannot be understood sets no limit. Any thread.
 */
#ifndef FATHOM_BASE_OS_LIMITS_H
#define FATHOM_BASE_OS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/** Physical cores among the processors with `allowed[cpu]`, [n_cpus]: of the hyper-threads of one
 * core only the lowest allowed one counts. */
int limits_physical_cores(const char *root, const bool *allowed, int n_cpus);

/** Processors that the cgroup's CPU quota is worth, rounded up, of the tightest group on the way to
 * the root; INT_MAX without a quota. */
int limits_quota_cores(const char *root);

/** Bytes that the machine has available, and not more than the cgroup leaves; UINT64_MAX when
 * nothing is known. */
uint64_t limits_memory_left(const char *root);

#endif
