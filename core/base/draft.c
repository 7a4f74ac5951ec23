/*
 * draft.c - the temporary file: how it is named, opened and put in the place of an older one.
 */
#include "draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "os.h"

struct draft {
    arena *names;
    const char *path;      /* as the caller gave it, for messages */
    const char *target;    /* the file that appears: what `path` leads to */
    const char *part_path; /* the temporary one, beside the target */
    bool replaces;         /* the target is an older file */
    mode_t mode;           /* permissions of that file, which the new one takes over */
    FILE *file;
    bool has_failed;
};

void draft_abandon(draft *d) {
    if (!d) return;
    if (d->file) {
        fclose(d->file);
        unlink(d->part_path);
    }
    arena_free(d->names);
    free(d);
}

/** Looks at what `path` names already. Renaming would put a file in the place of whatever is there:
 * a device, a pipe, or the link itself instead of the file that it leads to. */
static fm_status examine_target(draft *d, fm_error *err) {
    struct stat st;
    if (stat(d->path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return error_set(err, FM_ERR_IO,
                             "%s: is a directory, device or pipe: name a plain file to write to",
                             d->path);
        d->replaces = true;
        d->mode = st.st_mode & 0777;
        return FM_OK;
    }
    int code = errno;
    if (code == ENOENT && lstat(d->path, &st) == 0)
        return error_set(err, FM_ERR_IO, "%s: is a link that leads nowhere: remove it", d->path);
    return code == ENOENT ? FM_OK : os_fail(d->path, "examined", code, err);
}

/** "TARGET.part-PID": of this process alone, so that two of them cannot mix their bytes. */
static fm_status name_part(draft *d, fm_error *err) {
    enum { SUFFIX_SIZE = 32 };
    size_t length = strlen(d->target);
    char *part = arena_alloc(d->names, length + SUFFIX_SIZE, 1);
    if (!part) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", d->path);
    memcpy(part, d->target, length);
    snprintf(part + length, SUFFIX_SIZE, ".part-%ld", (long)getpid());
    d->part_path = part;
    return FM_OK;
}

/** Finds out which file is to appear, and names the temporary one. */
static fm_status name_files(draft *d, const char *path, fm_error *err) {
    d->names = arena_new();
    d->path = d->target = d->names ? arena_strndup(d->names, path, strlen(path)) : NULL;
    if (!d->path) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", path);
    FM_TRY(examine_target(d, err));
    if (d->replaces) {
        char *real = realpath(path, NULL);
        if (!real) return os_fail(path, "examined", errno, err);
        d->target = arena_strndup(d->names, real, strlen(real));
        free(real);
        if (!d->target)
            return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", path);
    }
    return name_part(d, err);
}

/** O_EXCL: a file that is already there is another writer's, or a link somebody laid. The older
 * file's permissions are given at once, so that nobody reads the new bytes who might not read the
 * old ones. */
static fm_status open_part(draft *d, fm_error *err) {
    int fd = open(d->part_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  d->replaces ? d->mode & 0600 : 0666);
    if (fd < 0 && errno == EEXIST)
        return error_set(err, FM_ERR_IO, "%s: is in the way of writing: remove it", d->part_path);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, FM_ERR_NOT_FOUND, "%s: its directory does not exist: make it first",
                         d->path);
    if (fd < 0) return os_fail(d->path, "created", errno, err);
    bool has_mode = !d->replaces || fchmod(fd, d->mode) == 0;
    if (has_mode) d->file = fdopen(fd, "wb");
    if (d->file) return FM_OK;
    int code = errno;
    close(fd);
    unlink(d->part_path);
    return os_fail(d->path, "opened", code, err);
}

fm_status draft_create(const char *path, draft **out, fm_error *err) {
    *out = NULL;
    draft *d = calloc(1, sizeof *d);
    if (!d) return error_set(err, FM_ERR_MEMORY, "%s: out of memory for writing it", path);
    fm_status status = name_files(d, path, err);
    if (status == FM_OK) status = open_part(d, err);
    if (status == FM_OK)
        *out = d;
    else
        draft_abandon(d);
    return status;
}

const char *draft_path(const draft *d) {
    return d->path;
}

fm_status draft_write(draft *d, const void *bytes, size_t size, fm_error *err) {
    if (size == 0 || fwrite(bytes, 1, size, d->file) == size) return FM_OK;
    d->has_failed = true;
    return os_fail(d->path, "written", errno, err);
}

/** Closes the file; what the system kept back until now may still fail. */
static fm_status finish(draft *d, fm_error *err) {
    if (d->has_failed) return error_set(err, FM_ERR_STATE, "%s: an earlier write failed", d->path);
    if (fflush(d->file) != 0) return os_fail(d->path, "written", errno, err);
    int result = fclose(d->file);
    d->file = NULL;
    if (result == 0 && rename(d->part_path, d->target) == 0) return FM_OK;
    int code = errno;
    unlink(d->part_path);
    return os_fail(d->path, "written", code, err);
}

fm_status draft_close(draft *d, fm_error *err) {
    fm_status status = finish(d, err);
    draft_abandon(d);
    return status;
}
