/*
 * npy.c - writes a NumPy array row by row. The header is written first, with the shape that was
 * promised; the temporary file takes its final name only after every row of it arrived.
 */
#include "npy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/arena.h"
#include "../base/checked.h"
#include "../base/os.h"

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
    arena *names;
    const char *path;      /* as the caller gave it, for messages */
    const char *target;    /* the file that appears: what `path` leads to */
    const char *part_path; /* the temporary one, beside the target */
    bool replaces;         /* the target is an older file */
    mode_t mode;           /* permissions of that file, which the new one takes over */
    FILE *file;
    int64_t n_rows; /* promised */
    int64_t n_cols;
    int64_t n_written; /* rows */
    bool has_failed;
};

void npy_abandon(npy *n) {
    if (!n) return;
    if (n->file) {
        fclose(n->file);
        unlink(n->part_path);
    }
    arena_free(n->names);
    free(n);
}

/** Looks at what `path` names already. Renaming would put a file in the place of whatever is there:
 * a device, a pipe, or the link itself instead of the file that it leads to. */
static fm_status examine_target(npy *n, fm_error *err) {
    struct stat st;
    if (stat(n->path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return error_set(err, FM_ERR_IO,
                             "%s: is a directory, device or pipe: name a plain file to write to",
                             n->path);
        n->replaces = true;
        n->mode = st.st_mode & 0777;
        return FM_OK;
    }
    int code = errno;
    if (code == ENOENT && lstat(n->path, &st) == 0)
        return error_set(err, FM_ERR_IO, "%s: is a link that leads nowhere: remove it", n->path);
    return code == ENOENT ? FM_OK : os_fail(n->path, "examined", code, err);
}

/** "TARGET.part-PID": of this process alone, so that two of them cannot mix their rows. */
static fm_status name_part(npy *n, fm_error *err) {
    enum { SUFFIX_SIZE = 32 };
    size_t length = strlen(n->target);
    char *part = arena_alloc(n->names, length + SUFFIX_SIZE, 1);
    if (!part) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", n->path);
    memcpy(part, n->target, length);
    snprintf(part + length, SUFFIX_SIZE, ".part-%ld", (long)getpid());
    n->part_path = part;
    return FM_OK;
}

/** Finds out which file is to appear, and names the temporary one. */
static fm_status name_files(npy *n, const char *path, fm_error *err) {
    n->names = arena_new();
    n->path = n->target = n->names ? arena_strndup(n->names, path, strlen(path)) : NULL;
    if (!n->path) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", path);
    FM_TRY(examine_target(n, err));
    if (n->replaces) {
        char *real = realpath(path, NULL);
        if (!real) return os_fail(path, "examined", errno, err);
        n->target = arena_strndup(n->names, real, strlen(real));
        free(real);
        if (!n->target)
            return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", path);
    }
    return name_part(n, err);
}

/** O_EXCL: a file that is already there is another writer's, or a link somebody laid. The older
 * file's permissions are given at once, so that nobody reads the rows who might not read that. */
static fm_status open_part(npy *n, fm_error *err) {
    int fd = open(n->part_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  n->replaces ? n->mode & 0600 : 0666);
    if (fd < 0 && errno == EEXIST)
        return error_set(err, FM_ERR_IO, "%s: is in the way of writing: remove it", n->part_path);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, FM_ERR_NOT_FOUND, "%s: its directory does not exist: make it first",
                         n->path);
    if (fd < 0) return os_fail(n->path, "created", errno, err);
    bool has_mode = !n->replaces || fchmod(fd, n->mode) == 0;
    if (has_mode) n->file = fdopen(fd, "wb");
    if (n->file) return FM_OK;
    int code = errno;
    close(fd);
    unlink(n->part_path);
    return os_fail(n->path, "opened", code, err);
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
    if (fwrite(header, 1, sizeof header, n->file) == sizeof header) return FM_OK;
    return os_fail(n->path, "written", errno, err);
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
    fm_status status = name_files(n, path, err);
    if (status == FM_OK) status = open_part(n, err);
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
                         n->path, (long long)n_rows, (long long)(n->n_rows - n->n_written));
    }
    size_t count = (size_t)n_rows * (size_t)n->n_cols; /* npy_create checked the whole product */
    if (count > 0 && fwrite(rows, sizeof *rows, count, n->file) != count) {
        n->has_failed = true;
        return os_fail(n->path, "written", errno, err);
    }
    n->n_written += n_rows;
    return FM_OK;
}

/** Closes the file; what the system kept back until now may still fail. */
static fm_status finish(npy *n, fm_error *err) {
    if (n->has_failed) return error_set(err, FM_ERR_STATE, "%s: an earlier write failed", n->path);
    if (n->n_written != n->n_rows)
        return error_set(err, FM_ERR_STATE, "%s: only %lld of %lld rows were written", n->path,
                         (long long)n->n_written, (long long)n->n_rows);
    if (fflush(n->file) != 0) return os_fail(n->path, "written", errno, err);
    int result = fclose(n->file);
    n->file = NULL;
    if (result == 0 && rename(n->part_path, n->target) == 0) return FM_OK;
    int code = errno;
    unlink(n->part_path);
    return os_fail(n->path, "written", code, err);
}

fm_status npy_close(npy *n, fm_error *err) {
    fm_status status = finish(n, err);
    npy_abandon(n);
    return status;
}
