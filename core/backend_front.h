/*
 * backend_front.h - what the files of the checking front share. backend.c has the device, its
 * buffers and weights; backend_ops.c the operations; backend_profile.c what is counted;
 * backend_plan.c the table of a device that only plans.
 */
#ifndef FATHOM_BACKEND_FRONT_H
#define FATHOM_BACKEND_FRONT_H

#include "backend.h"

/* The calls that are counted, timed and made to fail. */
#define FRONT_CALL_LIST(X)                                                                         \
    FM_OP_ALL_LIST(X)                                                                              \
    X(write)                                                                                       \
    X(read)                                                                                        \
    X(copy)                                                                                        \
    X(submit)                                                                                      \
    X(wait)                                                                                        \
    X(replay)

typedef enum front_call {
#define FRONT_CALL_ENUM(name) FRONT_CALL_##name,
    FRONT_CALL_LIST(FRONT_CALL_ENUM)
#undef FRONT_CALL_ENUM
        FRONT_CALL_COUNT
} front_call;

typedef struct front_count {
    int64_t calls;
    double seconds;
    uint64_t bytes;
} front_count;

typedef struct front_injected {
    int64_t left; /* calls until it strikes, that one included; 0: none */
    fm_status status;
} front_injected;

struct fm_device {
    const fm_backend *backend;
    fm_device_state *state;
    fm_device_params params;
    fm_device_info info;
    fm_status lost;     /* FM_OK, or FM_ERR_DEVICE for good */
    bool encoded;       /* writes or operations since the last submit */
    bool recording;     /* between record and record_end, and the backend keeps what comes */
    bool in_record;     /* the same, whether the backend keeps it or not */
    uint64_t submitted; /* last ticket given out */
    uint64_t waited;    /* last ticket waited for */
    uint64_t bytes;     /* of buffers and weights that live */
    uint64_t bytes_peak;
    front_injected injected[FM_FAULT_COUNT];
    bool profiling;
    front_count counts[FRONT_CALL_COUNT];
    char fault[200];
};

/** Notes what is wrong with a call; always false, so that checks can be chained with &&. */
bool front_fault(fm_device *dev, const char *format, ...) FM_PRINTF(2, 3);

/** Remembers the loss of a device; any other status passes through. */
fm_status front_keep_loss(fm_device *dev, fm_status status);

/** The status that a test set for this call, or FM_OK. */
fm_status front_injected_status(fm_device *dev, fm_fault kind);

/** Stands before a call of the table, behind the checks: FM_OK, or what a test set, with which the
 * caller returns. *start is for front_end. */
fm_status front_begin(fm_device *dev, double *start);
/** Stands behind the call: counts it, with the bytes it moved (of no interest while `profiling` is
 * off), and remembers a loss. Returns `status`. */
fm_status front_end(fm_device *dev, front_call call, double start, uint64_t bytes,
                    fm_status status);

/** uint64_t traffic_NAME(const fm_NAME *args): bytes that an operation moves, by the rules beside
 * device_profile. */
#define FRONT_TRAFFIC_DECLARE(name) uint64_t traffic_##name(const fm_##name *args);
FM_OP_ALL_LIST(FRONT_TRAFFIC_DECLARE)
#undef FRONT_TRAFFIC_DECLARE

/** Opens a planning device for `of`: its table and state, which stand in for the backend's own. */
fm_status plan_open(const fm_backend *of, const fm_device_params *params, fm_log log,
                    const fm_backend **table, fm_device_state **out, fm_error *err);

/** A tensor of the stated format and rank, wholly inside a buffer of this device, its last
 * dimension dense. */
bool front_check_tensor(fm_device *dev, const char *name, const fm_tensor *t, fm_dtype dtype,
                        int32_t n_dims);

#endif
