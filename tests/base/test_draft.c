/* test_draft.c - a draft becomes the file or leaves nothing. What may stand under the name already
 * is in test_npy.c, whose files are drafts. */
#include "base/draft.h"
#include "support/expect.h"
#include "support/full_disk.h"
#include "support/temp_dir.h"

static draft *begin(const temp_dir *dir, char *path) {
    draft *d;
    temp_dir_path(dir, "file", path);
    assert_int_equal(draft_create(path, &d, NULL), FM_OK);
    assert_string_equal(draft_path(d), path);
    return d;
}

static void expect_contents(const char *path, const char *text) {
    char bytes[64] = {0};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes - 1, file), strlen(text));
    fclose(file);
    assert_string_equal(bytes, text);
}

static void draft_becomes_the_file_when_it_is_closed(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_write_text(dir, "file", "older");
    draft *d = begin(dir, path);
    assert_int_equal(draft_write(d, "new", 3, NULL), FM_OK);
    assert_int_equal(draft_write(d, NULL, 0, NULL), FM_OK);
    assert_int_equal(draft_write(d, "er", 2, NULL), FM_OK);
    expect_contents(path, "older");
    assert_int_equal(draft_close(d, NULL), FM_OK);
    expect_contents(path, "newer");
    assert_int_equal(temp_dir_count(dir), 1);
}

static void draft_that_is_abandoned_leaves_nothing(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    draft *d = begin(dir, path);
    assert_int_equal(draft_write(d, "new", 3, NULL), FM_OK);
    draft_abandon(d);
    draft_abandon(NULL);
    assert_int_equal(temp_dir_count(dir), 0);
}

/** The disk has room again before the draft is closed, and bytes are missing all the same. */
static void draft_keeps_a_failed_write_in_mind(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    char *bytes = calloc(1, 1 << 20);
    assert_non_null(bytes);
    draft *d = begin(dir, path);
    full_disk full = full_disk_begin(1000);
    fm_status wrote = draft_write(d, bytes, 1 << 20, &err);
    full_disk_end(&full);
    expect_error("full", wrote, &err, FM_ERR_IO, "cannot be written");
    assert_int_equal(draft_write(d, bytes, 1, NULL), FM_OK);
    expect_error("close", draft_close(d, &err), &err, FM_ERR_STATE, "an earlier write failed");
    assert_int_equal(temp_dir_count(dir), 0);
    free(bytes);
}

static void draft_close_finds_what_was_kept_back(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    draft *d = begin(dir, path);
    full_disk full = full_disk_begin(2);
    fm_status wrote = draft_write(d, "new", 3, NULL);
    fm_status closed = draft_close(d, &err);
    full_disk_end(&full);
    assert_int_equal(wrote, FM_OK);
    expect_error("full", closed, &err, FM_ERR_IO, "cannot be written");
    assert_int_equal(temp_dir_count(dir), 0);
}

int main(void) {
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(draft_becomes_the_file_when_it_is_closed),
        WITH_DIR(draft_that_is_abandoned_leaves_nothing),
        WITH_DIR(draft_keeps_a_failed_write_in_mind),
        WITH_DIR(draft_close_finds_what_was_kept_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
