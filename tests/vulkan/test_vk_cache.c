/*
 * test_vk_cache.c - the file of compiled pipelines: written when a device is closed, handed to the driver by
 * the next one, and left alone when it is not to the last bit what was written for this device. Whatever
 * lies in its place, the results are the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/temp_dir.h"
#include "vk_work.h"

/* ---- The file ----------------------------------------------------------------------------------- */

typedef struct cache_file {
    char name[300]; /* in its directory */
    uint8_t *bytes;
    size_t size;
} cache_file;

/** The directory's only file. */
static cache_file read_only_file(const temp_dir *dir) {
    cache_file f = {0};
    char path[TEMP_PATH_SIZE];
    DIR *stream = opendir(dir->path);
    assert_non_null(stream);
    for (const struct dirent *e = readdir(stream); e; e = readdir(stream))
        if (e->d_name[0] != '.') snprintf(f.name, sizeof f.name, "%s", e->d_name);
    closedir(stream);
    temp_dir_path(dir, f.name, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    f.size = (size_t)ftell(file);
    rewind(file);
    f.bytes = malloc(f.size + 1);
    assert_non_null(f.bytes);
    assert_int_equal(fread(f.bytes, 1, f.size, file), f.size);
    fclose(file);
    return f;
}

/* ---- Runs --------------------------------------------------------------------------------------- */

/** A run with the directory as its cache; returns the bytes that the driver was handed. */
static uint64_t run_with_cache_at(const char *path) {
    static const char *options;
    char with_cache[TEMP_PATH_SIZE + 1024];
    shim_control *shim = options ? shim_open() : vk_work_shim(&options);
    vk_work work = {.backend = "vulkan", .options = with_cache};
    fm_error err = {0};
    snprintf(with_cache, sizeof with_cache, "%s,cache=%s", options, path);
    if (vk_work_run(&work, &err) != FM_OK) fail_msg("%s", err.text);
    vk_work_check(&work);
    vk_work_check_clean("a run with a cache", shim, &work);
    return shim->cache_bytes;
}

static uint64_t run_with_cache(const temp_dir *dir) {
    return run_with_cache_at(dir->path);
}

static void vk_cache_is_written_and_used(void **state) {
    const temp_dir *dir = *state;
    assert_int_equal(run_with_cache(dir), 0);
    assert_int_equal(temp_dir_count(dir), 1);
    cache_file f = read_only_file(dir);
    uint64_t used = run_with_cache(dir);
    assert_true(used > 0 && used < f.size); /* less a header of ours */
    assert_int_equal(temp_dir_count(dir), 1);
    free(f.bytes);
}

/** Puts these bytes in the file's place: they are not used, and the run writes a good file again. */
static void expect_ignored(const temp_dir *dir, const cache_file *good, const char *what,
                           const void *bytes, size_t size) {
    temp_dir_write(dir, good->name, bytes, size);
    if (run_with_cache(dir) != 0) fail_msg("%s: the driver was handed it", what);
    if (run_with_cache(dir) == 0) fail_msg("%s: no good file is in its place", what);
}

static void vk_cache_truncated_file_is_ignored(void **state) {
    const temp_dir *dir = *state;
    run_with_cache(dir);
    cache_file f = read_only_file(dir);
    const size_t sizes[] = {0, 1, 8, 60, f.size / 2, f.size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        expect_ignored(dir, &f, "cut off", f.bytes, sizes[i]);
    f.bytes[f.size] = 0;
    expect_ignored(dir, &f, "too long", f.bytes, f.size + 1);
    free(f.bytes);
}

static void vk_cache_damaged_file_is_ignored(void **state) {
    const temp_dir *dir = *state;
    run_with_cache(dir);
    cache_file f = read_only_file(dir);
    /* One bit, anywhere: of the header, and of what is the driver's. */
    for (int32_t i = 0; i < 24; i++) {
        size_t at = i < 12 ? (size_t)i * 7 : (f.size - 1) * (size_t)(i - 11) / 12;
        char what[64];
        snprintf(what, sizeof what, "bit of byte %zu of %zu", at, f.size);
        f.bytes[at] ^= (uint8_t)(1 << i % 8);
        expect_ignored(dir, &f, what, f.bytes, f.size);
        f.bytes[at] ^= (uint8_t)(1 << i % 8);
    }
    free(f.bytes);
}

static void vk_cache_foreign_file_is_ignored(void **state) {
    static const char text[] = "This is a letter, and no file of compiled pipelines.\n";
    const temp_dir *dir = *state;
    run_with_cache(dir);
    cache_file f = read_only_file(dir);
    expect_ignored(dir, &f, "a letter", text, sizeof text);
    memset(f.bytes, 0, f.size);
    expect_ignored(dir, &f, "zeros", f.bytes, f.size);
    memset(f.bytes, 0xff, f.size);
    expect_ignored(dir, &f, "ones", f.bytes, f.size);
    free(f.bytes);
}

/* A directory stands where the file would: nothing can be read or written there. */
static void vk_cache_that_cannot_be_written_is_done_without(void **state) {
    const temp_dir *dir = *state;
    char below[400];
    run_with_cache(dir);
    cache_file f = read_only_file(dir);
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, f.name, path);
    assert_int_equal(unlink(path), 0);
    snprintf(below, sizeof below, "%s/x", f.name);
    temp_dir_write_text(dir, below, "x");
    assert_int_equal(run_with_cache(dir), 0);
    assert_int_equal(run_with_cache(dir), 0);
    free(f.bytes);
}

static void vk_cache_absent_directory_is_done_without(void **state) {
    const temp_dir *dir = *state;
    char absent[TEMP_PATH_SIZE];
    temp_dir_path(dir, "absent", absent);
    assert_int_equal(run_with_cache_at(absent), 0);
    assert_int_equal(temp_dir_count(dir), 0);
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHE_TEST(vk_cache_is_written_and_used),
        CACHE_TEST(vk_cache_truncated_file_is_ignored),
        CACHE_TEST(vk_cache_damaged_file_is_ignored),
        CACHE_TEST(vk_cache_foreign_file_is_ignored),
        CACHE_TEST(vk_cache_that_cannot_be_written_is_done_without),
        CACHE_TEST(vk_cache_absent_directory_is_done_without),
    };
    return cmocka_run_group_tests_name("test_vk_cache", tests, NULL, NULL);
}
