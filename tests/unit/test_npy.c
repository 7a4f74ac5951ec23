/* test_npy.c - the bytes of written arrays, and that a file appears whole or not at all. */
#include <signal.h>
#include <sys/resource.h>

#include "data/npy.h"
#include "support/temp_dir.h"

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void npy_file_has_header_and_rows(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    const float rows[6] = {0, -1.5f, 2, 3.25f, 4, 5};
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 3, 2, &n, NULL), FM_OK);
    assert_int_equal(npy_write(n, rows, 1, NULL), FM_OK);
    assert_int_equal(npy_write(n, rows + 2, 0, NULL), FM_OK);
    assert_int_equal(npy_write(n, rows + 2, 2, NULL), FM_OK);
    assert_int_equal(access(path, F_OK), -1); /* not before it is complete */
    assert_int_equal(npy_close(n, NULL), FM_OK);
    assert_int_equal(temp_dir_count(dir), 1);

    size_t size;
    char *bytes = read_file(path, &size);
    assert_int_equal(size, 128 + sizeof rows);
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char *dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
    assert_memory_equal(bytes + 10, dict, strlen(dict));
    for (size_t i = 10 + strlen(dict); i < 127; i++) assert_int_equal(bytes[i], ' ');
    assert_int_equal(bytes[127], '\n');
    assert_memory_equal(bytes + 128, rows, sizeof rows);
    free(bytes);
}

static void npy_empty_arrays_are_legal(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    static const int64_t shapes[][2] = {{0, 5}, {5, 0}, {0, 0}};
    temp_dir_path(dir, "a.npy", path);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        npy *n;
        size_t size;
        assert_int_equal(npy_create(path, shapes[i][0], shapes[i][1], &n, NULL), FM_OK);
        assert_int_equal(npy_write(n, NULL, shapes[i][0], NULL), FM_OK);
        assert_int_equal(npy_close(n, NULL), FM_OK);
        free(read_file(path, &size));
        assert_int_equal(size, 128);
    }
}

static void npy_largest_shape_fits_its_header(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, INT64_MAX, 0, &n, NULL), FM_OK);
    assert_int_equal(npy_write(n, NULL, INT64_MAX, NULL), FM_OK);
    assert_int_equal(npy_close(n, NULL), FM_OK);
    size_t size;
    char *bytes = read_file(path, &size);
    bytes[127] = '\0';
    assert_non_null(strstr(bytes + 10, "(9223372036854775807, 0), }"));
    free(bytes);
}

static void npy_missing_rows_leave_no_file(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    fm_error err = {0};
    const float row[2] = {1, 2};
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 2, 2, &n, NULL), FM_OK);
    assert_int_equal(npy_write(n, row, 1, NULL), FM_OK);
    assert_int_equal(npy_close(n, &err), FM_ERR_STATE);
    assert_non_null(strstr(err.text, "only 1 of 2 rows"));
    assert_int_equal(temp_dir_count(dir), 0);
}

static void npy_surplus_rows_are_refused(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    fm_error err = {0};
    const float rows[6] = {0};
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 2, 2, &n, NULL), FM_OK);
    assert_int_equal(npy_write(n, rows, 3, &err), FM_ERR_ARG);
    assert_non_null(strstr(err.text, "3 rows more than the 2"));
    assert_int_equal(npy_write(n, rows, -1, NULL), FM_ERR_ARG);
    assert_int_equal(npy_write(n, rows, 2, NULL), FM_OK);
    /* A writer that failed once does not pass as complete. */
    assert_int_equal(npy_close(n, &err), FM_ERR_STATE);
    assert_int_equal(temp_dir_count(dir), 0);
}

static void npy_abandon_removes_the_part(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    const float row[2] = {1, 2};
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 1, 2, &n, NULL), FM_OK);
    assert_int_equal(npy_write(n, row, 1, NULL), FM_OK);
    npy_abandon(n);
    npy_abandon(NULL);
    assert_int_equal(temp_dir_count(dir), 0);
}

static void npy_close_replaces_an_older_file(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    size_t size;
    float value = 1;
    temp_dir_write_text(dir, "a.npy", "older");
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 1, 1, &n, NULL), FM_OK);
    free(read_file(path, &size));
    assert_int_equal(size, 5);
    assert_int_equal(npy_write(n, &value, 1, NULL), FM_OK);
    assert_int_equal(npy_close(n, NULL), FM_OK);
    free(read_file(path, &size));
    assert_int_equal(size, 132);
}

static void npy_create_refuses_senseless_shapes(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    static const int64_t shapes[][2] = {
        {-1, 1}, {1, -1}, {INT64_MAX, INT64_MAX}, {INT64_MAX, 2}, {INT64_C(1) << 62, 1}};
    temp_dir_path(dir, "a.npy", path);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        npy *n = (npy *)&path;
        assert_int_equal(npy_create(path, shapes[i][0], shapes[i][1], &n, NULL), FM_ERR_ARG);
        assert_null(n);
    }
    assert_int_equal(temp_dir_count(dir), 0);
}

static void npy_create_says_why_it_cannot(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE], part[TEMP_PATH_SIZE];
    npy *n;
    fm_error err = {0};
    temp_dir_path(dir, "no/such/a.npy", path);
    assert_int_equal(npy_create(path, 1, 1, &n, &err), FM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "its directory does not exist"));
    snprintf(part, sizeof part, "a.npy.part-%ld", (long)getpid());
    temp_dir_write_text(dir, part, "another's");
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 1, 1, &n, &err), FM_ERR_IO);
    assert_non_null(strstr(err.text, "is in the way"));
    assert_int_equal(temp_dir_count(dir), 1); /* the other's file is still there */
}

static void npy_close_says_when_the_name_is_taken_by_a_directory(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    fm_error err = {0};
    temp_dir_write_text(dir, "a.npy/inside", "x");
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 0, 1, &n, NULL), FM_OK);
    assert_int_equal(npy_close(n, &err), FM_ERR_IO);
    assert_non_null(strstr(err.text, "cannot be written"));
    assert_int_equal(temp_dir_count(dir), 1);
}

/** A limit on file sizes stands for the full disk. */
static void npy_full_disk_is_an_error(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    fm_error err = {0};
    struct rlimit before, tight;
    float *rows = calloc(1 << 16, sizeof *rows);
    assert_non_null(rows);
    temp_dir_path(dir, "a.npy", path);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 1000;
    assert_int_equal(npy_create(path, 1 << 16, 1, &n, NULL), FM_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    fm_status wrote = npy_write(n, rows, 1 << 16, &err);
    fm_status closed = npy_close(n, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    free(rows);
    assert_int_equal(wrote, FM_ERR_IO);
    assert_non_null(strstr(err.text, "cannot be written"));
    assert_int_equal(closed, FM_ERR_STATE);
    assert_int_equal(temp_dir_count(dir), 0);
}

int main(void) {
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(npy_file_has_header_and_rows),
        WITH_DIR(npy_empty_arrays_are_legal),
        WITH_DIR(npy_largest_shape_fits_its_header),
        WITH_DIR(npy_missing_rows_leave_no_file),
        WITH_DIR(npy_surplus_rows_are_refused),
        WITH_DIR(npy_abandon_removes_the_part),
        WITH_DIR(npy_close_replaces_an_older_file),
        WITH_DIR(npy_create_refuses_senseless_shapes),
        WITH_DIR(npy_create_says_why_it_cannot),
        WITH_DIR(npy_close_says_when_the_name_is_taken_by_a_directory),
        WITH_DIR(npy_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
