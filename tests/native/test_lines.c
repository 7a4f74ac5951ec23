/* test_lines.c - lines out of pipes and files. */
#include "lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static lines_got next(lines *l, const char *expected) {
    const char *line = NULL;
    size_t length = 0;
    lines_got got = lines_next(l, 0, &line, &length);
    if (expected) {
        assert_int_equal(got, LINES_LINE);
        assert_int_equal(length, strlen(expected));
        assert_memory_equal(line, expected, length);
    }
    return got;
}

static lines open_pipe(int *writer) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *writer = ends[1];
    return (lines){.name = "pipe", .file = ends[0]};
}

static void put(int file, const char *text, size_t length) {
    assert_int_equal(write(file, text, length), (ssize_t)length);
}

static void lines_come_when_they_are_whole(void **state) {
    int writer;
    lines l = open_pipe(&writer);
    (void)state;
    assert_int_equal(next(&l, NULL), LINES_NONE);
    put(writer, "on", 2);
    assert_int_equal(next(&l, NULL), LINES_NONE);
    put(writer, "e\n\ntwo\nlast", 11);
    next(&l, "one");
    next(&l, "");
    next(&l, "two");
    assert_int_equal(next(&l, NULL), LINES_NONE);
    close(writer);
    next(&l, "last");
    assert_int_equal(l.count, 4);
    assert_int_equal(next(&l, NULL), LINES_END);
    assert_int_equal(next(&l, NULL), LINES_END);
    lines_close(&l);
}

/* Lines of all lengths around the size of a piece, in a file of several pieces. */
static void lines_cross_pieces_whole(void **state) {
    char path[] = "/tmp/fathom_lines_XXXXXX";
    char *text = malloc(70000);
    const char *line;
    size_t length;
    lines l;
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0 && text);
    memset(text, 'x', 70000);
    for (size_t n = 65530; n < 65545; n++) {
        text[n] = '\n';
        put(file, text, n + 1);
        text[n] = 'x';
    }
    close(file);
    assert_int_equal(lines_open(&l, path), 0);
    for (size_t n = 65530; n < 65545; n++) {
        assert_int_equal(lines_next(&l, 0, &line, &length), LINES_LINE);
        assert_int_equal(length, n);
        assert_true(line[0] == 'x' && line[n - 1] == 'x');
    }
    assert_int_equal(lines_next(&l, 0, &line, &length), LINES_END);
    lines_close(&l);
    unlink(path);
    free(text);
}

/* Too long a line is read over in little memory, and the next one is whole. */
static void lines_too_long_are_read_over(void **state) {
    char path[] = "/tmp/fathom_lines_XXXXXX";
    static char megabyte[1000000];
    const char *line;
    size_t length;
    lines l;
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    memset(megabyte, 'x', sizeof megabyte);
    for (int i = 0; i < 4; i++) put(file, megabyte, sizeof megabyte);
    put(file, "\n", 1);
    for (int i = 0; i < 40; i++) put(file, megabyte, sizeof megabyte);
    put(file, "\nnext\n", 6);
    for (int i = 0; i < 5; i++) put(file, megabyte, sizeof megabyte);
    close(file);
    assert_int_equal(lines_open(&l, path), 0);
    assert_int_equal(lines_next(&l, 0, &line, &length), LINES_LINE);
    assert_int_equal(length, LINES_MAX_LENGTH);
    assert_int_equal(lines_next(&l, 0, &line, &length), LINES_LONG);
    next(&l, "next");
    assert_int_equal(lines_next(&l, 0, &line, &length), LINES_LONG);
    assert_int_equal(l.count, 4);
    assert_int_equal(lines_next(&l, 0, &line, &length), LINES_END);
    assert_true(l.data.capacity < (size_t)3 * LINES_MAX_LENGTH);
    lines_close(&l);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_when_they_are_whole),
        cmocka_unit_test(lines_cross_pieces_whole),
        cmocka_unit_test(lines_too_long_are_read_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
