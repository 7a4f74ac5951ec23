/*
 * temp_dir.h - a directory of its own for a test: made by the setup, filled by the test, removed
 * with all that is in it by the teardown. Failures are failures of the test.
 */
#ifndef FATHOM_TESTS_TEMP_DIR_H
#define FATHOM_TESTS_TEMP_DIR_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEMP_PATH_SIZE = 4096 }; /* bytes */

typedef struct temp_dir {
    char path[64];
} temp_dir;

static inline int temp_dir_setup(void **state) {
    temp_dir *dir = calloc(1, sizeof *dir);
    if (!dir) return -1;
    snprintf(dir->path, sizeof dir->path, "/tmp/fathom-test-XXXXXX");
    if (!mkdtemp(dir->path)) {
        free(dir);
        return -1;
    }
    *state = dir;
    return 0;
}

static inline void temp_dir_path(const temp_dir *dir, const char *name, char *out) {
    int n = snprintf(out, TEMP_PATH_SIZE, "%s/%s", dir->path, name);
    assert_true(n > 0 && n < TEMP_PATH_SIZE);
}

/* Makes the directories on the way to `name`. */
static inline void temp_dir_make_parents(const temp_dir *dir, const char *name) {
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, name, path);
    for (char *slash = strchr(path + strlen(dir->path) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

/** Writes a file, with the directories that its name has. */
static inline void temp_dir_write(const temp_dir *dir, const char *name, const void *bytes,
                                  size_t size) {
    char path[TEMP_PATH_SIZE];
    temp_dir_make_parents(dir, name);
    temp_dir_path(dir, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size > 0) assert_true(fwrite(bytes, 1, size, file) == size);
    assert_true(fclose(file) == 0);
}

static inline void temp_dir_write_text(const temp_dir *dir, const char *name, const char *text) {
    temp_dir_write(dir, name, text, strlen(text));
}

/** Entries of the directory itself, hidden ones included. */
static inline int temp_dir_count(const temp_dir *dir) {
    DIR *stream = opendir(dir->path);
    int count = 0;
    assert_non_null(stream);
    for (const struct dirent *e = readdir(stream); e; e = readdir(stream))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) count++;
    closedir(stream);
    return count;
}

static inline void temp_dir_remove(const char *path) {
    DIR *stream = opendir(path);
    if (stream) {
        for (const struct dirent *e = readdir(stream); e; e = readdir(stream)) {
            char child[TEMP_PATH_SIZE];
            struct stat st;
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
            int n = snprintf(child, sizeof child, "%s/%s", path, e->d_name);
            if (n < 0 || n >= TEMP_PATH_SIZE) continue;
            if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
                temp_dir_remove(child);
            else
                unlink(child);
        }
        closedir(stream);
    }
    rmdir(path);
}

static inline int temp_dir_teardown(void **state) {
    temp_dir *dir = *state;
    temp_dir_remove(dir->path);
    free(dir);
    return 0;
}

#endif
