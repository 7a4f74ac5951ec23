/*
 * column.h - the columns of the op table: one opened device each, and a call brought onto it.
 *
 *   subject   a backend and how to open it; one row in column.c adds a column to every suite here.
 *   column    an open device of a subject.
 *   binding   a case's slabs and weight on a column's device. Frees them.
 *
 * A suite runs the subjects of one backend: the CPU's, or those of the device that its argument
 * names.
 */
#ifndef TESTS_OPS_COLUMN_H
#define TESTS_OPS_COLUMN_H

#include "case.h"
#include "score.h"
#include "support/suite_device.h"
#include "support/vulkan_shim.h"

typedef struct subject {
    const char *name;
    const char *backend;   /* as in backend_find */
    const char *isa;       /* as in fm_device_params */
    int32_t n_threads;     /* as in fm_device_params */
    const char *options;   /* as in fm_device_params; with `validate` no message may come */
    const shim_mask *mask; /* the device is opened through the shim, which hides this; NULL: not */
    bool deterministic;    /* as in fm_device_params */
    /* All such columns of one backend give the same bits. */
    bool same_bits;
    /* An output is one chain of its own inputs and of K, whatever else is in the step. */
    bool by_rule;
    const tolerance *tolerances; /* [FM_DTYPE_COUNT], by the format of weights or cache */
} subject;

typedef struct column {
    const subject *subject;
    fm_device *dev;
    int32_t n_messages; /* errors that the device wrote to its log */
} column;

enum { MAX_COLUMNS = 16 };

typedef struct columns {
    int32_t n;
    int32_t n_skipped;
    column at[MAX_COLUMNS];
} columns;

/** A suite's main: opens the columns of the device that the arguments name, and runs the tests with
 * a `columns` as their state. A subject whose device is absent prints `skip: reason` and has no
 * column; without any the whole suite is skipped, on the CPU it fails. So it does when a device
 * said something of the log's errors, or when one is not closed to the last of its objects. */
int columns_run(int argc, char **argv, const char *name, const struct CMUnitTest *tests, size_t n);
#define COLUMNS_RUN(name, tests)                                                                   \
    columns_run(argc, argv, name, tests, sizeof(tests) / sizeof((tests)[0]))

/** Puts on what the column's device was opened with: bindings do it, before other calls it is the
 * test's. */
void column_wear(const column *col);

/** Why a device cannot run a case. */
typedef enum column_lack {
    LACKS_NOTHING,
    LACKS_OPERATION, /* an optional one */
    LACKS_FORMAT,    /* of weights or caches */
    LACKS_ROOM,      /* its buffers are shorter than a slab */
    N_LACKS
} column_lack;

column_lack column_lacks(const column *col, const op_case *c);

typedef struct binding {
    const op_case *host;
    fm_device *dev;
    op_args args; /* host->args on the device */
    fm_buf *bufs[CASE_MAX_SLABS];
    fm_weight *weight;
} binding;

/** Brings a case onto a device. A failure ends the test. */
void binding_open(binding *b, const column *col, const op_case *host);
void binding_close(binding *b);
/** Writes the slabs as the case has them, over whatever calls made of them. */
void binding_reset(binding *b);
/** Runs one call to its end. */
void binding_run(binding *b, op_kind op, const op_args *args);
/** The bytes of a slab on the device now; the caller frees them. */
uint8_t *binding_read(binding *b, int32_t slab_index);
/** Index of the slab that a host tensor views. */
int32_t case_slab_index(const op_case *c, const fm_tensor *t);

#endif
