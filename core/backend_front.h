/*
 * backend_front.h - what the two files of the checking front share. backend.c has the device, its
 * buffers and weights; backend_ops.c the operations.
 */
#ifndef FATHOM_BACKEND_FRONT_H
#define FATHOM_BACKEND_FRONT_H

#include "backend.h"

struct fm_device {
    const fm_backend *backend;
    fm_device_state *state;
    fm_device_params params;
    fm_device_info info;
    fm_status lost;     /* FM_OK, or FM_ERR_DEVICE for good */
    bool encoded;       /* writes or operations since the last submit */
    uint64_t submitted; /* last ticket given out */
    uint64_t waited;    /* last ticket waited for */
    char fault[200];
};

/** Notes what is wrong with a call; always false, so that checks can be chained with &&. */
bool front_fault(fm_device *dev, const char *format, ...) FM_PRINTF(2, 3);

/** Remembers the loss of a device; any other status passes through. */
fm_status front_keep_loss(fm_device *dev, fm_status status);

/** A tensor of the stated format and rank, wholly inside a buffer of this device, its last dimension
 * dense. */
bool front_check_tensor(fm_device *dev, const char *name, const fm_tensor *t, fm_dtype dtype,
                        int32_t n_dims);

#endif
