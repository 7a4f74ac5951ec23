/*
 * npy.h - a two-dimensional float32 array written row by row in NumPy's .npy format, version 1.0.
 * The file appears under its name only when it is complete: rows go to a temporary file beside it,
 * which npy_close renames, and npy_abandon removes. Under a link, that is beside the file it leads
 * to.
 */
#ifndef FATHOM_DATA_NPY_H
#define FATHOM_DATA_NPY_H

#include "../base/error.h"

typedef struct npy npy;

/** Starts a file of shape [n_rows, n_cols]. An older file is replaced by one of the same
 * permissions, through a link too; FM_ERR_IO, before anything is made, where `path` names a
 * directory, a device, a pipe or a link that leads nowhere. FM_ERR_NOT_FOUND when its directory is
 * absent. */
fm_status npy_create(const char *path, int64_t n_rows, int64_t n_cols, npy **out, fm_error *err);
/** Appends `n_rows` rows of n_cols values each. */
fm_status npy_write(npy *n, const float *rows, int64_t n_rows, fm_error *err);
/** Finishes and frees; fails when rows are missing or the disk is full. Frees in every case. */
fm_status npy_close(npy *n, fm_error *err);
/** Drops what was written. NULL is allowed. */
void npy_abandon(npy *n);

#endif
