/*
 * npy.c - writes a NumPy array row by row. The header is written first, with the shape that was
 * promised; the file takes its name only after every row of it arrived.
 */
#include "npy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"
#include "../base/draft.h"

enum {
    HEADER_SIZE = 128, /* bytes; a multiple of 64, as the format asks, and enough for any shape */
    PREFIX_SIZE = 10,  /* magic, version and the length of the rest */
};

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define DESCR ">f4"
#else
#define DESCR "<f4"
#endif

struct npy {
    draft *file;
    int64_t n_rows; /* promised */
    int64_t n_cols;
    int64_t n_written; /* rows */
    bool has_failed;
};

void npy_abandon(npy *n) {
    if (!n) return;
    draft_abandon(n->file);
    free(n);
}

static fm_status write_header(npy *n, fm_error *err) {
    char header[HEADER_SIZE];
    int rest = HEADER_SIZE - PREFIX_SIZE;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(rest & 0xFF);
    header[9] = (char)(rest >> 8);
    int length = snprintf(header + PREFIX_SIZE, (size_t)rest,
                          "{'descr': '" DESCR "', 'fortran_order': False, "
                          "'shape': (%lld, %lld), }",
                          (long long)n->n_rows, (long long)n->n_cols);
    header[PREFIX_SIZE + length] = ' '; /* over the terminator */
    header[HEADER_SIZE - 1] = '\n';
    return draft_write(n->file, header, sizeof header, err);
}

fm_status npy_create(const char *path, int64_t n_rows, int64_t n_cols, npy **out, fm_error *err) {
    size_t bytes;
    *out = NULL;
    if (n_rows < 0 || n_cols < 0 || (uint64_t)n_rows > SIZE_MAX || (uint64_t)n_cols > SIZE_MAX ||
        !checked_mul((size_t)n_rows, (size_t)n_cols, &bytes) ||
        !checked_mul(bytes, sizeof(float), &bytes))
        return error_set(err, FM_ERR_ARG, "%s: an array of %lld x %lld values cannot be written",
                         path, (long long)n_rows, (long long)n_cols);
    npy *n = calloc(1, sizeof *n);
    if (!n) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", path);
    n->n_rows = n_rows;
    n->n_cols = n_cols;
    fm_status status = draft_create(path, &n->file, err);
    if (status == FM_OK) status = write_header(n, err);
    if (status == FM_OK)
        *out = n;
    else
        npy_abandon(n);
    return status;
}

fm_status npy_write(npy *n, const float *rows, int64_t n_rows, fm_error *err) {
    if (n_rows < 0 || n_rows > n->n_rows - n->n_written) {
        n->has_failed = true;
        return error_set(err, FM_ERR_ARG, "%s: %lld rows more than the %lld that are still to come",
                         draft_path(n->file), (long long)n_rows,
                         (long long)(n->n_rows - n->n_written));
    }
    size_t count = (size_t)n_rows * (size_t)n->n_cols; /* npy_create checked the whole product */
    FM_TRY(draft_write(n->file, rows, count * sizeof *rows, err));
    n->n_written += n_rows;
    return FM_OK;
}

/** What keeps the array from being complete. */
static fm_status check_complete(const npy *n, fm_error *err) {
    const char *path = draft_path(n->file);
    if (n->has_failed) return error_set(err, FM_ERR_STATE, "%s: an earlier write failed", path);
    if (n->n_written == n->n_rows) return FM_OK;
    return error_set(err, FM_ERR_STATE, "%s: only %lld of %lld rows were written", path,
                     (long long)n->n_written, (long long)n->n_rows);
}

fm_status npy_close(npy *n, fm_error *err) {
    fm_status status = check_complete(n, err);
    if (status == FM_OK) {
        status = draft_close(n->file, err);
        n->file = NULL;
    }
    npy_abandon(n);
    return status;
}
