/* rows.h - the table of op cases. */
#ifndef TESTS_OPS_ROWS_H
#define TESTS_OPS_ROWS_H

#include "case.h"

enum { ROW_MAX_SIZES = 10 };

/** Calls of one operation: the product of its lists of sizes, weight formats and cache formats.
 * Lists end at 0; what is left out is 1. The letters are those of op_shape. */
typedef struct op_row {
    op_kind op;
    uint32_t flags;
    int32_t T[ROW_MAX_SIZES], K[ROW_MAX_SIZES], N[ROW_MAX_SIZES];
    int32_t H, G, E;
    int32_t window[ROW_MAX_SIZES]; /* attend; left out: none */
} op_row;

extern const op_row op_rows[];
extern const size_t n_op_rows;

/** Calls `visit` for every shape of a row. */
void row_expand(const op_row *row, void (*visit)(void *user, const op_shape *shape), void *user);

#endif
