/* os.c - files, paths and the clock, over POSIX. The machine's share is in os_limits.c. */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "checked.h"

fm_status os_fail(const char *path, const char *action, int code, fm_error *err) {
    char reason[128];
    if (strerror_r(code, reason, sizeof reason) != 0) reason[0] = '\0';
    if (code == ENOENT || code == ENOTDIR)
        return error_set(err, FM_ERR_NOT_FOUND, "%s: no such file: check the path", path);
    return error_set(err, code == ENOMEM ? FM_ERR_MEMORY : FM_ERR_IO, "%s: cannot be %s: %s", path,
                     action, reason);
}

/** Why a file could not be opened. */
static fm_status refuse_open(const char *path, int code, fm_error *err) {
    struct stat st;
    if (code == ENOENT && lstat(path, &st) == 0)
        return error_set(err, FM_ERR_NOT_FOUND,
                         "%s: is a link that leads nowhere: restore the file it names", path);
    return os_fail(path, "opened", code, err);
}

/** Opens a regular file for reading and gets its size. O_NONBLOCK: opening a FIFO must not wait. */
static fm_status open_regular(const char *path, int *out, size_t *size, fm_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return refuse_open(path, errno, err);
    struct stat st;
    fm_status status = FM_OK;
    if (fstat(fd, &st) != 0)
        status = os_fail(path, "examined", errno, err);
    else if (S_ISDIR(st.st_mode))
        status = error_set(err, FM_ERR_IO, "%s: is a directory: a file is needed here", path);
    else if (!S_ISREG(st.st_mode))
        status = error_set(err, FM_ERR_IO, "%s: is a device or pipe: a plain file is needed", path);
    else if ((uintmax_t)st.st_size > SIZE_MAX - 1)
        status = error_set(err, FM_ERR_LIMIT, "%s: is larger than this machine's addresses", path);
    if (status != FM_OK) {
        close(fd);
        return status;
    }
    *out = fd;
    *size = (size_t)st.st_size;
    return FM_OK;
}

/* ---- Mapped files ---------------------------------------------------------------------------- */

/** A file that was cut between its measurement and the map would fault on the first read behind its
 * end, so the size is taken again once the map stands. */
static fm_status map_fd(const char *path, int fd, os_map *map, fm_error *err) {
    void *data = mmap(NULL, map->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) return os_fail(path, "mapped", errno, err);
    map->data = data;
    struct stat st;
    if (fstat(fd, &st) == 0 && (uintmax_t)st.st_size == map->size) return FM_OK;
    os_map_close(map);
    return error_set(err, FM_ERR_IO, "%s: changed while it was opened: try again", path);
}

fm_status os_map_open(const char *path, os_map *out, fm_error *err) {
    *out = (os_map){0};
    int fd = -1;
    size_t size = 0;
    FM_TRY(open_regular(path, &fd, &size, err));
    fm_status status = FM_OK;
    if (size > 0) {
        out->size = size;
        status = map_fd(path, fd, out, err);
    }
    close(fd);
    if (status != FM_OK) *out = (os_map){0};
    return status;
}

void os_map_close(os_map *map) {
    /* munmap takes a plain pointer; the pages themselves stay read-only. */
    if (map->data) munmap((void *)(uintptr_t)map->data, map->size);
    *map = (os_map){0};
}

/* ---- Whole files ----------------------------------------------------------------------------- */

/** Reads until `size` bytes or the end of the file; *got is what was read. */
static fm_status read_fd(const char *path, int fd, char *data, size_t size, size_t *got,
                         fm_error *err) {
    *got = 0;
    while (*got < size) {
        ssize_t n = read(fd, data + *got, size - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return os_fail(path, "read", errno, err);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return FM_OK;
}

fm_status os_file_read(const char *path, size_t max_size, char **data, size_t *size,
                       fm_error *err) {
    int fd = -1;
    size_t file_size = 0;
    *data = NULL;
    *size = 0;
    FM_TRY(open_regular(path, &fd, &file_size, err));
    fm_status status = FM_OK;
    char *text = NULL;
    if (file_size > max_size) {
        status = error_set(err, FM_ERR_LIMIT, "%s: has %zu bytes, at most %zu are read", path,
                           file_size, max_size);
        goto end;
    }
    text = malloc(file_size + 1);
    if (!text) {
        status =
            error_set(err, FM_ERR_MEMORY, "%s: out of memory for its %zu bytes", path, file_size);
        goto end;
    }
    status = read_fd(path, fd, text, file_size, size, err);
    if (status != FM_OK) goto end;
    text[*size] = '\0';
    *data = text;
    text = NULL;
end:
    free(text);
    close(fd);
    if (status != FM_OK) *size = 0;
    return status;
}

fm_status os_file_read_start(const char *path, void *data, size_t size, size_t *n_read,
                             size_t *file_size, fm_error *err) {
    int fd = -1;
    *n_read = *file_size = 0;
    FM_TRY(open_regular(path, &fd, file_size, err));
    fm_status status = read_fd(path, fd, data, size, n_read, err);
    close(fd);
    if (status != FM_OK) *n_read = *file_size = 0;
    return status;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

bool os_path_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool os_dir_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

fm_status os_path_join(const char *dir, const char *name, char *out, size_t out_size,
                       fm_error *err) {
    size_t dir_length = strlen(dir);
    bool is_relative = dir_length == 0;
    while (dir_length > 0 && dir[dir_length - 1] == '/') dir_length--;
    while (name[0] == '/') name++;
    size_t name_length = strlen(name);
    size_t slash_length = is_relative ? 0 : 1;
    size_t total;
    if (!checked_add(dir_length, slash_length, &total) ||
        !checked_add(total, name_length, &total) || total >= out_size)
        return error_set(err, FM_ERR_LIMIT, "%s/%s: the path is longer than %zu bytes", dir, name,
                         out_size - 1);
    memcpy(out, dir, dir_length);
    if (slash_length > 0) out[dir_length] = '/';
    memcpy(out + dir_length + slash_length, name, name_length + 1);
    return FM_OK;
}

/* ---- Clock ----------------------------------------------------------------------------------- */

double os_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
