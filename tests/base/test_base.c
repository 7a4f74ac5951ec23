/* test_base.c - status texts, error lines, checked arithmetic, arenas, lists, the log, files. */
#include <fcntl.h>
#include <math.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/checked.h"
#include "base/log.h"
#include "base/os.h"
#include "support/temp_dir.h"

/* ---- Status and errors ----------------------------------------------------------------------- */

static void status_text_is_known_for_every_code(void **state) {
    (void)state;
#define CHECK_TEXT(name, value, text)                                                              \
    assert_int_equal(FM_##name, value);                                                            \
    assert_string_equal(fm_status_text(FM_##name), text);
    FM_STATUS_LIST(CHECK_TEXT)
#undef CHECK_TEXT
    assert_string_equal(fm_status_text((fm_status)-99), "unknown status");
    assert_string_equal(fm_status_text((fm_status)1), "unknown status");
}

static void error_set_returns_status_and_fills(void **state) {
    (void)state;
    fm_error err = {0};
    assert_int_equal(error_set(&err, FM_ERR_IO, "%s: %d left", "a.bin", 7), FM_ERR_IO);
    assert_int_equal(err.status, FM_ERR_IO);
    assert_string_equal(err.text, "a.bin: 7 left");
    assert_int_equal(error_set(NULL, FM_ERR_LIMIT, "x"), FM_ERR_LIMIT);
}

static void error_set_replaces_what_is_no_clean_line(void **state) {
    (void)state;
    static const struct {
        const char *argument, *wanted;
    } cases[] = {
        {"a\nb\r\tc", "a?b??c"},
        {"\x1b[31mred\x7f", "?[31mred?"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\xC2\x9B"
         "2J",
         "??2J"},                            /* C1: a terminal's control sequence */
        {"\xC2\xA0.", "\xC2\xA0."},          /* the first character above C1 */
        {"\xFF.\xC3.\x80", "?.?.?"},         /* no UTF-8 */
        {"\xE2\x82", "??"},                  /* incomplete, but not by our cut */
        {"\xED\xA0\x80|\xC0\xAF", "???|??"}, /* surrogate, overlong */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_error err;
        error_set(&err, FM_ERR_ARG, "%s", cases[i].argument);
        assert_string_equal(err.text, cases[i].wanted);
    }
}

static void error_set_cuts_at_utf8_border(void **state) {
    (void)state;
    fm_error err;
    char text[1200];
    size_t room = sizeof err.text - 1;
    for (size_t shift = 0; shift < 4; shift++) {
        /* `shift` letters, then code points of 4 bytes: the cut falls at every place in one. */
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4) memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        error_set(&err, FM_ERR_ARG, "%s", text);
        size_t wanted = shift + (room - shift) / 4 * 4;
        assert_int_equal(strlen(err.text), wanted);
        assert_memory_equal(err.text, text, wanted);
    }
}

static void error_set_keeps_what_fits_exactly(void **state) {
    (void)state;
    fm_error err;
    char text[sizeof err.text + 1];
    memset(text, 'x', sizeof text);
    text[sizeof err.text - 1] = '\0';
    error_set(&err, FM_ERR_ARG, "%s", text);
    assert_string_equal(err.text, text);
    text[sizeof err.text - 1] = 'y';
    text[sizeof err.text] = '\0';
    error_set(&err, FM_ERR_ARG, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void error_locate_names_the_place_and_keeps_the_text(void **state) {
    (void)state;
    fm_error err = {0};
    error_set(&err, FM_ERR_FORMAT, "tensor x is missing");
    assert_int_equal(error_locate(&err, FM_ERR_FORMAT, "a/b\n"), FM_ERR_FORMAT);
    assert_int_equal(err.status, FM_ERR_FORMAT);
    assert_string_equal(err.text, "a/b?: tensor x is missing");
    assert_int_equal(error_locate(NULL, FM_ERR_IO, "a"), FM_ERR_IO);
    assert_int_equal(error_locate(&err, FM_OK, "a"), FM_OK);
    assert_string_equal(err.text, "a/b?: tensor x is missing");
}

/** Texts of all lengths behind places of 4-byte code points and an end of 0 to 3 letters. */
static void error_locate_shortens_the_place_from_its_front(void **state) {
    (void)state;
    char place[700] = "", text[sizeof(fm_error)];
    for (size_t shift = 0; shift < 4; shift++) {
        for (size_t i = 0; i < 150; i++) memcpy(place + 4 * i, "\xF0\x9F\x98\x80", 4);
        memcpy(place + 600, "end", shift);
        place[600 + shift] = '\0';
        for (size_t n = 1; n < sizeof((fm_error *)0)->text; n++) {
            fm_error err;
            memset(text, 'x', n);
            text[n] = '\0';
            error_set(&err, FM_ERR_FORMAT, "%s", text);
            error_locate(&err, FM_ERR_FORMAT, place);
            size_t length = strlen(err.text);
            assert_null(strchr(err.text, '?'));
            assert_string_equal(err.text + length - n, text);
            if (n > 478) assert_int_equal(length, n); /* no room for 16 bytes of the place */
            if (n <= 478) {
                assert_memory_equal(err.text, "…", 3);
                assert_in_range(length, sizeof err.text - 1 - 3, sizeof err.text - 1);
                assert_memory_equal(err.text + length - n - 2 - shift, "end", shift);
            }
        }
    }
}

/* ---- Log ------------------------------------------------------------------------------------- */

typedef struct last_line {
    int n_lines;
    fm_log_level level;
    char text[600];
} last_line;

static void last_line_keep(void *user, fm_log_level level, const char *line) {
    last_line *last = user;
    last->n_lines++;
    last->level = level;
    snprintf(last->text, sizeof last->text, "%s", line);
}

static void log_line_is_clean_and_cut(void **state) {
    (void)state;
    last_line last = {0};
    fm_log log = {.fn = last_line_keep, .user = &last};
    char text[900];
    log_line(&log, FM_LOG_WARN, "one\ntwo %d", 3);
    assert_string_equal(last.text, "one?two 3");
    assert_int_equal(last.level, FM_LOG_WARN);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    log_line(&log, FM_LOG_INFO, "%s", text);
    assert_int_equal(strlen(last.text), 500);
    assert_int_equal(last.n_lines, 2);
}

static void log_line_without_callback_is_silent(void **state) {
    (void)state;
    fm_log log = {0};
    log_line(&log, FM_LOG_INFO, "nobody hears this");
    log_line(NULL, FM_LOG_INFO, "nor this");
}

/* ---- Checked arithmetic ---------------------------------------------------------------------- */

static void checked_refuses_what_does_not_fit(void **state) {
    (void)state;
    size_t out = 42;
    assert_false(checked_add(SIZE_MAX, 1, &out));
    assert_false(checked_mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_false(checked_mul(SIZE_MAX, SIZE_MAX, &out));
    assert_int_equal(out, 42);
    assert_true(checked_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_true(checked_mul(SIZE_MAX, 1, &out) && out == SIZE_MAX);
    assert_true(checked_mul(SIZE_MAX, 0, &out) && out == 0);
    assert_true(checked_mul(0, SIZE_MAX, &out) && out == 0);
}

static void checked_range_is_exact_at_the_borders(void **state) {
    (void)state;
    assert_true(checked_range(0, 10, 10));
    assert_true(checked_range(10, 0, 10));
    assert_true(checked_range(4, 6, 10));
    assert_false(checked_range(4, 7, 10));
    assert_false(checked_range(11, 0, 10));
    assert_false(checked_range(UINT64_MAX, 2, 10));
    assert_false(checked_range(2, UINT64_MAX, 10));
}

/* ---- Arena ----------------------------------------------------------------------------------- */

static void arena_alloc_is_aligned_zeroed_and_apart(void **state) {
    (void)state;
    arena *a = arena_new();
    assert_non_null(a);
    uint8_t *kept[300];
    size_t sizes[300];
    for (size_t i = 0; i < 300; i++) {
        sizes[i] = i * i % 5000;
        kept[i] = arena_alloc(a, sizes[i], 1);
        assert_non_null(kept[i]);
        assert_int_equal((uintptr_t)kept[i] % 64, 0);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(kept[i][k], 0);
        memset(kept[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(kept[i][k], i & 0xFF);
    arena_free(a);
    arena_free(NULL);
}

static void arena_alloc_of_zero_bytes_is_valid_and_distinct(void **state) {
    (void)state;
    arena *a = arena_new();
    const void *first = arena_alloc(a, 0, 8), *second = arena_alloc(a, 8, 0);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    arena_free(a);
}

static void arena_alloc_refuses_overflow(void **state) {
    (void)state;
    arena *a = arena_new();
    assert_null(arena_alloc(a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(a, SIZE_MAX, 1));
    assert_null(arena_alloc(a, SIZE_MAX - 63, 1));
    assert_null(arena_strndup(a, "", SIZE_MAX));
    assert_non_null(arena_alloc(a, 16, 1));
    arena_free(a);
}

static void arena_strndup_terminates_the_copy(void **state) {
    (void)state;
    arena *a = arena_new();
    char source[] = "abcdef";
    const char *copy = arena_strndup(a, source, 3);
    source[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(arena_strndup(a, NULL, 0), "");
    arena_free(a);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void array_grow_keeps_items_and_moves_seldom(void **state) {
    (void)state;
    size_t capacity = 0;
    int32_t *items = NULL;
    int n_growths = 0;
    for (size_t n = 0; n < 100000; n++) {
        size_t before = capacity;
        items = array_grow(items, &capacity, n + 1, sizeof *items);
        assert_non_null(items);
        assert_true(capacity > n);
        n_growths += capacity != before;
        items[n] = (int32_t)(n * 3);
    }
    for (size_t n = 0; n < 100000; n++) assert_int_equal(items[n], n * 3);
    assert_in_range(n_growths, 1, 17);
    items = array_grow(items, &capacity, 1000000, sizeof *items);
    assert_true(capacity >= 1000000);
    assert_int_equal(items[99999], 99999 * 3);
    free(items);
}

static void array_grow_refuses_overflow_and_changes_nothing(void **state) {
    (void)state;
    size_t capacity = SIZE_MAX / 8 - 1;
    int64_t items[1] = {7};
    assert_null(array_grow(items, &capacity, SIZE_MAX / 8 + 1, sizeof *items));
    assert_int_equal(capacity, SIZE_MAX / 8 - 1);
    capacity = SIZE_MAX - 1;
    assert_null(array_grow(items, &capacity, SIZE_MAX, sizeof *items));
    assert_true(capacity == SIZE_MAX - 1);
    assert_int_equal(items[0], 7);
}

/* ---- Paths and the clock --------------------------------------------------------------------- */

static void os_path_join_puts_one_slash(void **state) {
    (void)state;
    static const struct {
        const char *dir, *name, *wanted;
    } cases[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a//", "/b", "a/b"},  {"/", "b", "/b"},
        {"", "b", "b"},    {"", "/b", "b"},    {".", "b/c", "./b/c"}, {"/a/b", "", "/a/b/"},
    };
    char out[32];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(os_path_join(cases[i].dir, cases[i].name, out, sizeof out, NULL), FM_OK);
        assert_string_equal(out, cases[i].wanted);
    }
}

static void os_path_join_refuses_what_does_not_fit(void **state) {
    (void)state;
    fm_error err = {0};
    char out[6] = "old";
    assert_int_equal(os_path_join("abc", "d", out, 6, &err), FM_OK);
    assert_string_equal(out, "abc/d");
    assert_int_equal(os_path_join("abc", "de", out, 6, &err), FM_ERR_LIMIT);
    assert_non_null(strstr(err.text, "abc/de"));
    assert_string_equal(out, "abc/d");
}

static void os_seconds_never_runs_backwards(void **state) {
    (void)state;
    double before = os_seconds();
    for (int i = 0; i < 1000; i++) {
        double now = os_seconds();
        assert_true(now >= before && isfinite(now));
        before = now;
    }
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void os_exists_tells_what_is_there_from_directories(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_write_text(dir, "file", "x");
    temp_dir_path(dir, "file", path);
    assert_true(os_path_exists(path));
    assert_false(os_dir_exists(path));
    assert_true(os_dir_exists(dir->path));
    assert_true(os_path_exists(dir->path));
    temp_dir_path(dir, "absent", path);
    assert_false(os_path_exists(path));
    assert_false(os_dir_exists(path));
    temp_dir_path(dir, "file/below", path);
    assert_false(os_path_exists(path));
    temp_dir_path(dir, "link", path);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_true(os_path_exists(path));
    assert_false(os_dir_exists(path));
}

static void os_map_open_maps_all_bytes(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    uint8_t bytes[10000];
    os_map map;
    fm_error err;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7);
    temp_dir_write(dir, "file", bytes, sizeof bytes);
    temp_dir_path(dir, "file", path);
    assert_int_equal(os_map_open(path, &map, &err), FM_OK);
    assert_int_equal(map.size, sizeof bytes);
    assert_memory_equal(map.data, bytes, sizeof bytes);
    os_map_close(&map);
    assert_null(map.data);
    os_map_close(&map);
}

static void os_map_open_of_empty_file_has_no_data(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    os_map map = {.data = (const uint8_t *)"", .size = 9};
    temp_dir_write_text(dir, "empty", "");
    temp_dir_path(dir, "empty", path);
    assert_int_equal(os_map_open(path, &map, NULL), FM_OK);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    os_map_close(&map);
}

/** What neither can be mapped nor read, with the status and a part of the text. */
static void os_open_refuses_what_is_no_plain_file(void **state) {
    const temp_dir *dir = *state;
    char fifo[TEMP_PATH_SIZE], absent[TEMP_PATH_SIZE], below_file[TEMP_PATH_SIZE];
    char dangling[TEMP_PATH_SIZE], loop[TEMP_PATH_SIZE];
    temp_dir_path(dir, "dangling", dangling);
    temp_dir_path(dir, "loop", loop);
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_int_equal(symlink("loop", loop), 0);
    temp_dir_path(dir, "fifo", fifo);
    temp_dir_path(dir, "absent", absent);
    temp_dir_path(dir, "file/below", below_file);
    temp_dir_write_text(dir, "file", "x");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const struct {
        const char *path;
        fm_status status;
        const char *part;
    } cases[] = {
        {dir->path, FM_ERR_IO, "is a directory"},
        {"/dev/null", FM_ERR_IO, "device or pipe"},
        {fifo, FM_ERR_IO, "device or pipe"},
        {absent, FM_ERR_NOT_FOUND, "no such file"},
        {below_file, FM_ERR_NOT_FOUND, "no such file"},
        {dangling, FM_ERR_NOT_FOUND, "is a link that leads nowhere"},
        {loop, FM_ERR_IO, "cannot be opened"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        os_map map;
        char *data;
        size_t size;
        fm_error err = {0};
        assert_int_equal(os_map_open(cases[i].path, &map, &err), cases[i].status);
        assert_non_null(strstr(err.text, cases[i].part));
        assert_non_null(strstr(err.text, cases[i].path));
        assert_null(map.data);
        err = (fm_error){0};
        assert_int_equal(os_file_read(cases[i].path, 100, &data, &size, &err), cases[i].status);
        assert_non_null(strstr(err.text, cases[i].part));
        assert_null(data);
    }
}

static void os_file_read_terminates_and_limits(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    char *data;
    size_t size;
    fm_error err = {0};
    temp_dir_write(dir, "file", "ab\0cd", 5);
    temp_dir_path(dir, "file", path);
    assert_int_equal(os_file_read(path, 5, &data, &size, &err), FM_OK);
    assert_int_equal(size, 5);
    assert_memory_equal(data, "ab\0cd", 6);
    free(data);
    assert_int_equal(os_file_read(path, 4, &data, &size, &err), FM_ERR_LIMIT);
    assert_null(data);
    assert_int_equal(size, 0);
    assert_non_null(strstr(err.text, "has 5 bytes, at most 4"));
}

int main(void) {
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_text_is_known_for_every_code),
        cmocka_unit_test(error_set_returns_status_and_fills),
        cmocka_unit_test(error_set_replaces_what_is_no_clean_line),
        cmocka_unit_test(error_set_cuts_at_utf8_border),
        cmocka_unit_test(error_set_keeps_what_fits_exactly),
        cmocka_unit_test(error_locate_names_the_place_and_keeps_the_text),
        cmocka_unit_test(error_locate_shortens_the_place_from_its_front),
        cmocka_unit_test(log_line_is_clean_and_cut),
        cmocka_unit_test(log_line_without_callback_is_silent),
        cmocka_unit_test(checked_refuses_what_does_not_fit),
        cmocka_unit_test(checked_range_is_exact_at_the_borders),
        cmocka_unit_test(arena_alloc_is_aligned_zeroed_and_apart),
        cmocka_unit_test(arena_alloc_of_zero_bytes_is_valid_and_distinct),
        cmocka_unit_test(arena_alloc_refuses_overflow),
        cmocka_unit_test(arena_strndup_terminates_the_copy),
        cmocka_unit_test(array_grow_keeps_items_and_moves_seldom),
        cmocka_unit_test(array_grow_refuses_overflow_and_changes_nothing),
        cmocka_unit_test(os_path_join_puts_one_slash),
        cmocka_unit_test(os_path_join_refuses_what_does_not_fit),
        cmocka_unit_test(os_seconds_never_runs_backwards),
        WITH_DIR(os_exists_tells_what_is_there_from_directories),
        WITH_DIR(os_map_open_maps_all_bytes),
        WITH_DIR(os_map_open_of_empty_file_has_no_data),
        WITH_DIR(os_open_refuses_what_is_no_plain_file),
        WITH_DIR(os_file_read_terminates_and_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
