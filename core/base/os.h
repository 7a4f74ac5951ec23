/*
 * os.h - what the core asks of the operating system: files mapped into memory, whole files read,
 * the clock, the number of cores. Threads are in pool.h.
 */
#ifndef FATHOM_BASE_OS_H
#define FATHOM_BASE_OS_H

#include "error.h"

/** Says that a system call on `path` failed with errno `code`: "PATH: cannot be ACTION: REASON",
 * with FM_ERR_NOT_FOUND for an absent file, else FM_ERR_MEMORY or FM_ERR_IO. Returns it. */
fm_status os_fail(const char *path, const char *action, int code, fm_error *err);

/** A file mapped read-only. `data` is NULL when `size` is 0. */
typedef struct os_map {
    const uint8_t *data;
    size_t size; /* bytes */
} os_map;

/** Maps a regular file whole. Fails on directories, devices and files that cannot be read. */
fm_status os_map_open(const char *path, os_map *out, fm_error *err);
void os_map_close(os_map *map);

/** Reads a regular file of at most `max_size` bytes into malloc'ed memory; one more NUL byte
 * follows the contents and is not counted in *size. The caller frees *data. FM_ERR_NOT_FOUND when
 * absent. A file that is cut while it is read gives the bytes that are left. */
fm_status os_file_read(const char *path, size_t max_size, char **data, size_t *size, fm_error *err);

/** Reads the first bytes of a regular file, `size` at most: *n_read says how many there were, and
 * *file_size how many the whole file has. FM_ERR_NOT_FOUND when absent. */
fm_status os_file_read_start(const char *path, void *data, size_t size, size_t *n_read,
                             size_t *file_size, fm_error *err);

/** False only when nothing is there under that name. What is there may still be unreadable, no
 * plain file, or a link that leads nowhere: opening it says so. */
bool os_path_exists(const char *path);

/** True when `path` names an existing directory. */
bool os_dir_exists(const char *path);

/** Joins with one '/': the result is written to `out`. Fails when it does not fit. */
fm_status os_path_join(const char *dir, const char *name, char *out, size_t out_size,
                       fm_error *err);

/** Seconds of a monotonic clock. */
double os_seconds(void);

/** Physical cores this process may use: the affinity mask with hyper-threads counted once, and not
 * more than the cgroup's CPU quota (rounded up). At least 1. */
int os_core_count(void);

/** Bytes of memory this process may still use: available memory, or the cgroup's limit if lower. */
uint64_t os_memory_available(void);

/** Bytes of memory the machine has. */
uint64_t os_memory_total(void);

/** Opens a shared library and finds a symbol in it; the library stays open until the program ends.
 * NULL when there is no such library or symbol: then `why` (may be NULL) says so, as the system
 * does. */
void *os_library_symbol(const char *path, const char *symbol, char *why, size_t why_size);

/** The directory that holds the code of this library, or the program that it is linked into. */
fm_status os_code_dir(char *out, size_t out_size, fm_error *err);

#endif
