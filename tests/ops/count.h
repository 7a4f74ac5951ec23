/*
 * count.h - the bytes of weights that the CPU's kernels load, counted where they are loaded: the
 * kernels are compiled once more with CPU_ROW_READ calling here. Rows of weights are known by their
 * addresses, so rows of caches and copies of rows do not count. One device at a time.
 */
#ifndef TESTS_OPS_COUNT_H
#define TESTS_OPS_COUNT_H

#include <stddef.h>
#include <stdint.h>

struct fm_backend;
struct fm_weight;

/** Called by the kernels, from any thread: `size` bytes of a row are loaded from `address`. */
void count_row_read(const void *address, size_t size);

/** The CPU backend with kernels that count, and an eye on the weights that are loaded. */
const struct fm_backend *count_backend(void);

/** Forgets what was counted. */
void count_reset(void);

/** Bytes of one matrix of a weight loaded since. */
uint64_t count_matrix(const struct fm_weight *w, int32_t matrix);
/** The same of all matrices of the device's weights. */
uint64_t count_all(void);

/** Bytes that one matrix of a weight has. */
uint64_t matrix_bytes(const struct fm_weight *w);

#endif
