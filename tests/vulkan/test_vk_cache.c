/*
 * test_vk_cache.c - the file of compiled pipelines: written when a device is closed, handed to the
 * driver by the next one, and left alone when it is not to the last bit what was written for this
 * device. Whatever lies in its place, the results are the same. And where the file is when nobody
 * says where.
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

/** The name of the directory's last file that is not hidden; "": there is none. */
static void find_file(const char *dir, char name[300]) {
    DIR *stream = opendir(dir);
    *name = '\0';
    if (!stream) return;
    for (const struct dirent *e = readdir(stream); e; e = readdir(stream))
        if (e->d_name[0] != '.') snprintf(name, 300, "%s", e->d_name);
    closedir(stream);
}

/** The directory's only file. */
static cache_file read_only_file(const temp_dir *dir) {
    cache_file f = {0};
    char path[TEMP_PATH_SIZE];
    find_file(dir->path, f.name);
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

/** A run whose results are right, and that says nothing; returns the bytes that the driver was
 * handed. */
static uint64_t run_quietly(const shim_control *shim, const char *options) {
    vk_work work = {.backend = "vulkan", .options = options};
    fm_error err = {0};
    if (vk_work_run(&work, &err) != FM_OK) fail_msg("%s", err.text);
    vk_work_check(&work);
    vk_work_check_clean(options, shim, &work);
    assert_int_equal(work.n_told, 0);
    return shim->cache_bytes;
}

/** A run with the directory as its cache. */
static uint64_t run_with_cache_at(const char *path) {
    static const char *options;
    char with_cache[TEMP_PATH_SIZE + 1024];
    shim_control *shim = options ? shim_open() : vk_work_shim(&options);
    snprintf(with_cache, sizeof with_cache, "%s,cache=%s", options, path);
    return run_quietly(shim, with_cache);
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

/** Puts these bytes in the file's place: they are not used, and the run writes a good file again.
 */
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

/* ---- The user's cache --------------------------------------------------------------------------- */

/* The environment that says where it is; and with the last one the driver keeps no cache of its own
 * in a home that is the test's. */
static const char *const variables[] = {"FATHOM_CACHE", "XDG_CACHE_HOME", "HOME",
                                        "MESA_SHADER_CACHE_DISABLE"};
enum { N_PLACES = 3, N_VARIABLES = 4 };

/** A directory, and the environment to be put back. */
typedef struct place {
    temp_dir *dir;
    char *kept[N_VARIABLES];
} place;

static int place_setup(void **state) {
    place *p = calloc(1, sizeof *p);
    void *dir = NULL;
    if (!p || temp_dir_setup(&dir) != 0) return -1;
    p->dir = dir;
    for (int i = 0; i < N_VARIABLES; i++) {
        const char *value = getenv(variables[i]);
        p->kept[i] = value ? strdup(value) : NULL;
    }
    *state = p;
    return 0;
}

static int place_teardown(void **state) {
    place *p = *state;
    void *dir = p->dir;
    for (int i = 0; i < N_VARIABLES; i++) {
        if (p->kept[i])
            setenv(variables[i], p->kept[i], 1);
        else
            unsetenv(variables[i]);
        free(p->kept[i]);
    }
    free(p);
    return temp_dir_teardown(&dir);
}

/** The shim, and from here on an environment that knows of no place. */
static const shim_control *leave_home(void) {
    const char *unused;
    const shim_control *shim = vk_work_shim(&unused);
    for (int i = 0; i < N_PLACES; i++) unsetenv(variables[i]);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    return shim;
}

static void point_to(const place *p, const char *variable, const char *name) {
    char path[TEMP_PATH_SIZE];
    temp_dir_path(p->dir, name, path);
    setenv(variable, path, 1);
}

/** A run of a device that is told nothing about a cache. */
static uint64_t run_as_user(const shim_control *shim) {
    return run_quietly(shim, "loader=" SHIM_PATH);
}

/** The directory is of this user alone. */
static void expect_private(const place *p, const char *name) {
    char path[TEMP_PATH_SIZE];
    struct stat st;
    temp_dir_path(p->dir, name, path);
    assert_int_equal(stat(path, &st), 0);
    if ((st.st_mode & 07777) != 0700) fail_msg("%s has the mode %o", name, st.st_mode & 07777u);
}

static void expect_file_in(const place *p, const char *name, bool wanted) {
    char path[TEMP_PATH_SIZE], file[300];
    temp_dir_path(p->dir, name, path);
    find_file(path, file);
    if (!*file == wanted) fail_msg("%s: %s", path, wanted ? "has no file" : file);
}

/* Each variable is looked at when those before it are not set; empty is as good as not set. */
static void vk_cache_of_the_user_is_where_dev_keeps_things(void **state) {
    static const struct {
        const char *value, *above, *dir;
    } places[N_PLACES] = {{"own/cache", "own", "own/cache"},
                          {"xdg", "xdg", "xdg/fathom"},
                          {"home", "home/.cache", "home/.cache/fathom"}};
    const place *p = *state;
    const shim_control *shim = leave_home();
    char home[TEMP_PATH_SIZE];
    temp_dir_path(p->dir, "home", home);
    assert_int_equal(mkdir(home, 0755), 0);
    for (int i = 0; i < N_PLACES; i++) point_to(p, variables[i], places[i].value);
    for (int i = 0; i < N_PLACES; i++) {
        expect_file_in(p, places[i].dir, false);
        assert_int_equal(run_as_user(shim), 0);
        expect_file_in(p, places[i].dir, true);
        expect_private(p, places[i].above);
        expect_private(p, places[i].dir);
        assert_true(run_as_user(shim) > 0);
        setenv(variables[i], "", 1);
    }
    assert_int_equal(run_as_user(shim), 0); /* nowhere */
}

static void vk_cache_of_a_device_that_compiled_nothing_is_not_written(void **state) {
    const place *p = *state;
    const shim_control *shim = leave_home();
    const fm_device_params params = {1, 1, 1, 64, 1, .options = "loader=" SHIM_PATH};
    const fm_backend *backend;
    fm_device *dev = NULL;
    fm_error err = {0};
    point_to(p, "FATHOM_CACHE", "own");
    assert_int_equal(backend_find("vulkan", &backend, &err), FM_OK);
    if (device_open(backend, &params, (fm_log){0}, &dev, &err) != FM_OK) fail_msg("%s", err.text);
    device_close(dev);
    assert_int_equal(shim_live_count(shim), 0);
    assert_int_equal(temp_dir_count(p->dir), 0);
}

static void vk_cache_off_keeps_nothing(void **state) {
    const place *p = *state;
    const shim_control *shim = leave_home();
    point_to(p, "FATHOM_CACHE", "own");
    assert_int_equal(run_quietly(shim, "loader=" SHIM_PATH ",cache=off"), 0);
    assert_int_equal(temp_dir_count(p->dir), 0);
}

/* A file is in the way of its directory; the home is not there; a name is too long. */
static void vk_cache_of_the_user_that_cannot_be_made_is_done_without(void **state) {
    const place *p = *state;
    const shim_control *shim = leave_home();
    char name[2000];
    temp_dir_write_text(p->dir, "file", "x");
    point_to(p, "FATHOM_CACHE", "file/cache");
    assert_int_equal(run_as_user(shim), 0);
    assert_int_equal(run_as_user(shim), 0);
    unsetenv("FATHOM_CACHE");
    point_to(p, "HOME", "absent");
    assert_int_equal(run_as_user(shim), 0);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    point_to(p, "FATHOM_CACHE", name);
    assert_int_equal(run_as_user(shim), 0);
    assert_int_equal(temp_dir_count(p->dir), 1);
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHE_TEST(vk_cache_is_written_and_used),
        CACHE_TEST(vk_cache_truncated_file_is_ignored),
        CACHE_TEST(vk_cache_damaged_file_is_ignored),
        CACHE_TEST(vk_cache_foreign_file_is_ignored),
        CACHE_TEST(vk_cache_that_cannot_be_written_is_done_without),
        CACHE_TEST(vk_cache_absent_directory_is_done_without),
        PLACE_TEST(vk_cache_of_the_user_is_where_dev_keeps_things),
        PLACE_TEST(vk_cache_of_a_device_that_compiled_nothing_is_not_written),
        PLACE_TEST(vk_cache_off_keeps_nothing),
        PLACE_TEST(vk_cache_of_the_user_that_cannot_be_made_is_done_without),
    };
    return cmocka_run_group_tests_name("test_vk_cache", tests, NULL, NULL);
}
