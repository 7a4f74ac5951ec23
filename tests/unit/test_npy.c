/* test_npy.c - the bytes of written arrays, and that a file appears whole or not at all. */
#include "data/npy.h"
#include "support/expect.h"
#include "support/full_disk.h"
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
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 0, 1, &n, NULL), FM_OK);
    temp_dir_write_text(dir, "a.npy/inside", "x"); /* after it was looked at */
    assert_int_equal(npy_close(n, &err), FM_ERR_IO);
    assert_non_null(strstr(err.text, "cannot be written"));
    assert_int_equal(temp_dir_count(dir), 1);
}

/* ---- What stands under the name already ------------------------------------------------------- */

/** Writes an array of one value; the status of whatever failed first. */
static fm_status write_one(const char *path, fm_error *err) {
    npy *n;
    const float value = 1;
    fm_status status = npy_create(path, 1, 1, &n, err);
    if (status != FM_OK) return status;
    assert_int_equal(npy_write(n, &value, 1, err), FM_OK);
    return npy_close(n, err);
}

/** Type and permissions of what `name` is itself, links not followed. */
static mode_t mode_of(const temp_dir *dir, const char *name) {
    char path[TEMP_PATH_SIZE];
    struct stat st;
    temp_dir_path(dir, name, path);
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

static void expect_left_alone(const temp_dir *dir, const char *name, const char *word) {
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    npy *n;
    mode_t before = mode_of(dir, name);
    int count = temp_dir_count(dir);
    temp_dir_path(dir, name, path);
    expect_error(name, npy_create(path, 1, 1, &n, &err), &err, FM_ERR_IO, word);
    assert_null(n);
    assert_int_equal(mode_of(dir, name), before);
    assert_int_equal(temp_dir_count(dir), count);
}

static void npy_create_leaves_alone_what_is_no_plain_file(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    temp_dir_write_text(dir, "folder/inside", "x");
    static const char *const links[][2] = {
        {"pipe", "to_pipe"}, {"folder", "to_folder"}, {"absent", "to_nothing"}, {"loop", "loop"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        temp_dir_path(dir, links[i][1], path);
        assert_int_equal(symlink(links[i][0], path), 0);
    }
    expect_left_alone(dir, "pipe", "is a directory, device or pipe");
    expect_left_alone(dir, "folder", "is a directory, device or pipe");
    expect_left_alone(dir, "to_pipe", "is a directory, device or pipe");
    expect_left_alone(dir, "to_folder", "is a directory, device or pipe");
    expect_left_alone(dir, "to_nothing", "is a link that leads nowhere");
    expect_left_alone(dir, "loop", "cannot be examined");
}

static void npy_close_writes_through_a_link(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE], target[TEMP_PATH_SIZE];
    fm_error err = {0};
    size_t size;
    temp_dir_write_text(dir, "elsewhere/a.npy", "older");
    temp_dir_path(dir, "link.npy", path);
    temp_dir_path(dir, "elsewhere/a.npy", target);
    assert_int_equal(symlink("elsewhere/a.npy", path), 0);
    assert_int_equal(write_one(path, &err), FM_OK);
    assert_true(S_ISLNK(mode_of(dir, "link.npy")));
    free(read_file(target, &size));
    assert_int_equal(size, 132);
    assert_int_equal(temp_dir_count(dir), 2);
}

static void npy_close_keeps_an_older_files_permissions(void **state) {
    const temp_dir *dir = *state;
    static const mode_t modes[] = {0600, 0640, 0666, 0755};
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    temp_dir_path(dir, "a.npy", path);
    mode_t mask = umask(027);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        temp_dir_write_text(dir, "a.npy", "older");
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(write_one(path, &err), FM_OK);
        assert_int_equal(mode_of(dir, "a.npy") & 0777, modes[i]);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write_one(path, &err), FM_OK);
    umask(mask);
    assert_int_equal(mode_of(dir, "a.npy") & 0777, 0640);
}

static void npy_full_disk_is_an_error(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    npy *n;
    fm_error err = {0};
    float *rows = calloc(1 << 16, sizeof *rows);
    assert_non_null(rows);
    temp_dir_path(dir, "a.npy", path);
    assert_int_equal(npy_create(path, 1 << 16, 1, &n, NULL), FM_OK);
    full_disk full = full_disk_begin(1000);
    fm_status wrote = npy_write(n, rows, 1 << 16, &err);
    fm_status closed = npy_close(n, NULL);
    full_disk_end(&full);
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
        WITH_DIR(npy_create_leaves_alone_what_is_no_plain_file),
        WITH_DIR(npy_close_writes_through_a_link),
        WITH_DIR(npy_close_keeps_an_older_files_permissions),
        WITH_DIR(npy_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
