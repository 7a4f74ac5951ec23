/* file_out.c - a temporary file beside the one that is written, and a rename. */
#include "file_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int file, const char *data, size_t length) {
    while (length > 0) {
        ssize_t n = write(file, data, length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Fills the file that `temporary` names; nothing is left of it after a failure. */
static int fill(int file, const char *temporary, mode_t mode, const char *data, size_t length) {
    int error = fchmod(file, mode) == 0 ? write_all(file, data, length) : errno;
    if (close(file) != 0 && error == 0) error = errno;
    if (error != 0) unlink(temporary);
    return error;
}

static int replace(const char *path, mode_t mode, const char *data, size_t length) {
    static const char suffix[] = ".XXXXXX";
    size_t path_length = strlen(path);
    char *temporary = malloc(path_length + sizeof suffix);
    if (!temporary) return ENOMEM;
    memcpy(temporary, path, path_length);
    memcpy(temporary + path_length, suffix, sizeof suffix);
    int file = mkstemp(temporary);
    int error = file < 0 ? errno : fill(file, temporary, mode, data, length);
    if (error == 0 && rename(temporary, path) != 0) {
        error = errno;
        unlink(temporary);
    }
    free(temporary);
    return error;
}

int file_out_write(const char *path, const char *data, size_t length) {
    struct stat info;
    if (stat(path, &info) != 0)
        return errno == ENOENT ? replace(path, S_IRUSR | S_IWUSR, data, length) : errno;
    if (S_ISDIR(info.st_mode)) return EISDIR;
    if (!S_ISREG(info.st_mode)) return EINVAL;
    char *target = realpath(path, NULL);
    if (!target) return errno;
    int error = replace(target, info.st_mode & 0777, data, length);
    free(target);
    return error;
}
