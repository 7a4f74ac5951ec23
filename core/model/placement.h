/*
 * placement.h - which device each layer of a model is on. The nouns:
 *
 *   placement_request  what was asked for: devices by name, and how many layers each takes.
 *   placement          the same devices, opened, each with a run of layers, in the order of the
 *                      layers. It owns the devices.
 */
#ifndef FATHOM_MODEL_PLACEMENT_H
#define FATHOM_MODEL_PLACEMENT_H

#include "../backend.h"

enum { MODEL_MAX_DEVICES = FM_MAX_DEVICES };

typedef struct placement_part {
    char backend[20];
    int32_t index;
    char options[240]; /* "": none */
    int32_t n_layers;
} placement_part;

typedef struct placement_request {
    int32_t n;
    placement_part parts[MODEL_MAX_DEVICES];
} placement_request;

/** Reads the form that fm_model_params.device has, "auto" aside, for a model of n_layers layers. */
fm_status placement_parse(const char *text, int32_t n_layers, placement_request *out,
                          fm_error *err);

typedef struct placement_run {
    fm_device *dev;
    const fm_backend *backend;
    int32_t index; /* of the backend's devices */
    int32_t first_layer, n_layers;
} placement_run;

typedef struct placement {
    int32_t n;
    placement_run runs[MODEL_MAX_DEVICES];
} placement;

/** Where backends come from: backend_find, or what a test puts in its place. */
typedef fm_status (*placement_find_fn)(const char *name, const fm_backend **out, fm_error *err);

/** Opens the devices, each with `params` but for index and options. */
fm_status placement_open(const placement_request *request, const fm_device_params *params,
                         placement_find_fn find, fm_log log, placement *out, fm_error *err);
/** A zeroed struct is allowed. */
void placement_close(placement *p);

/** All layers on one device that is somebody else's to close. */
placement placement_on(fm_device *dev, int32_t n_layers);

/** The index of the run that a layer is in. */
int32_t placement_find(const placement *p, int32_t layer);
/** The device of the last layers. */
fm_device *placement_last(const placement *p);

/** The first run that takes its memory from where run i takes it: of the same device, opened twice,
 * or of devices that have none of their own. */
int32_t placement_memory(const placement *p, int32_t i);
/** Runs that may not take more than so much memory together. */
typedef struct placement_limit {
    uint32_t runs; /* bit i: run i */
    int32_t first; /* the first of them */
    uint64_t room; /* bytes that are free now */
} placement_limit;

enum { PLACEMENT_MAX_LIMITS = MODEL_MAX_DEVICES + 1 };

/** What the runs have to keep to: what is free on each device; and where several devices have the
 * host's memory, the most that is free on one of these, as a device may be let use a part of it
 * only. Returns how many limits there are. */
int32_t placement_limits(const placement *p, placement_limit out[PLACEMENT_MAX_LIMITS]);
/** What the runs of a limit take together of `bytes` [n]; UINT64_MAX when that is more. */
uint64_t placement_sum(const placement_limit *limit, const uint64_t *bytes);

/** Submits what is encoded on all, and waits for it: what is made once must not be lost with a step
 * that fails. */
fm_status placement_settle(const placement *p);
/** device_abandon on all. */
void placement_abandon(const placement *p);
/** device_fault of the device that has one; "" when none has. */
const char *placement_fault(const placement *p);

#endif
