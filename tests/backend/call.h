/*
 * call.h - one valid call of every operation, as large as the mock's limits allow, for a test to
 * break in one place or to vary. Tensors lie each in a buffer of its own that they fill.
 */
#ifndef TESTS_BACKEND_CALL_H
#define TESTS_BACKEND_CALL_H

#include "mock.h"

enum { CALL_MAX_BUFS = 16, CALL_MAX_OPERANDS = 13 };

typedef struct op_call {
    op_kind op;
    const fm_device *dev;
    op_args args;
    fm_weight weight;
    int32_t n_bufs;
    fm_buf bufs[CALL_MAX_BUFS];
} op_call;

typedef struct call_operand {
    const char *name; /* as in the argument struct */
    size_t offset;    /* of the fm_tensor there */
    bool optional;    /* may have no buffer */
} call_operand;

/** Initialises `c` in place, on a device: its tensors point into it. */
void call_init(op_call *c, const fm_device *dev, op_kind op);
fm_status call_run(fm_device *dev, const op_call *c);
const char *call_name(op_kind op);

/** The tensors of an operation; ends at a NULL name. */
const call_operand *call_operands(op_kind op);
fm_tensor *call_tensor(op_call *c, const call_operand *operand);

#endif
