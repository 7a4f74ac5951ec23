/*
 * mock.h - a backend that does nothing but remember, to test the checking front against.
 *
 * A test owns the mock and hands it over as the user of the log, the one pointer of the caller's
 * that a backend receives when it is opened:
 *
 *     mock m = {0};
 *     device_open(&mock_backend, &params, (fm_log){.user = &m}, &dev, &err);
 */
#ifndef TESTS_BACKEND_MOCK_H
#define TESTS_BACKEND_MOCK_H

#include "backend.h"

typedef enum op_kind {
#define OP_KIND(name) OP_##name,
    FM_OP_ALL_LIST(OP_KIND)
#undef OP_KIND
        OP_COUNT
} op_kind;

typedef union op_args {
#define OP_ARGS(name) fm_##name name;
    FM_OP_ALL_LIST(OP_ARGS)
#undef OP_ARGS
} op_args;

typedef struct fm_device_state {
    fm_status answer;  /* what every entry returns */
    int32_t n_calls;   /* of all entries that return a status, open aside */
    int32_t n_open;    /* devices open now */
    const char *entry; /* called last */
    op_args args;      /* of the operation called last */
    fm_device_params params;
    uint64_t tickets;                /* given out */
    size_t offset, src_offset, size; /* of the last transfer, bytes */
    bool profiled;                   /* for tables with a clock of their own */
    /* for tables that keep stretches */
    fm_record_key key; /* asked for last */
    bool has_kept;     /* what record answers */
    int32_t n_kept;    /* stretches that ended and were to be kept */
    int32_t n_dropped; /* that were to be dropped */
} mock;

/** Weights may be F32 and BF16, caches too. */
extern const fm_backend mock_backend;

/** The limits that tests open the mock with. */
extern const fm_device_params mock_params;

/** Opens the mock with mock_params; a failure ends the test. */
fm_device *mock_open(mock *m);
/** The same with a table of the test's own, which outlives the device. */
fm_device *mock_open_table(mock *m, const fm_backend *table);

/** Entries for a table that keeps stretches. */
fm_status mock_record(fm_device_state *m, const fm_record_key *key, bool *kept);
fm_status mock_record_end(fm_device_state *m, bool keep);

/** Submits and waits, so that transfers are allowed again. */
void mock_finish(fm_device *dev);

#endif
