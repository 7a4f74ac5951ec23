/* test_sections.c - files of sections: written and read, and every kind of damage refused. */
#include "data/sections.h"
#include "data/sections_writer.h"
#include "support/expect.h"
#include "support/full_disk.h"
#include "support/sections_repair.h"
#include "support/temp_dir.h"

#define MAGIC "TEST\r\n\x1a\n"

enum { FILE_MAX = 1024 }; /* bytes of a file in these tests */

/* Versions of all bits that one flip in the file's version can make: the seal has to find them. */
static const sections_kind kind = {
    .what = "test file", .magic = MAGIC, .min_version = 0, .max_version = UINT32_MAX};

typedef struct file {
    uint8_t bytes[FILE_MAX];
    size_t size;
} file;

/* ---- Files ----------------------------------------------------------------------------------- */

/** Writes sections of 5, 0 and 16 bytes, the first in two pieces. */
static fm_status write_sections(const char *path, uint32_t version, const char *five,
                                fm_error *err) {
    sections_writer *w;
    fm_status status = sections_writer_create(path, MAGIC, version, &w, err);
    if (status != FM_OK) return status;
    assert_int_equal(sections_writer_begin(w, 1, 5, err), FM_OK);
    assert_int_equal(sections_writer_write(w, five, 2, err), FM_OK);
    assert_int_equal(sections_writer_write(w, NULL, 0, err), FM_OK);
    assert_int_equal(sections_writer_write(w, five + 2, 3, err), FM_OK);
    assert_int_equal(sections_writer_begin(w, 7, 0, err), FM_OK);
    assert_int_equal(sections_writer_begin(w, UINT32_MAX, 16, err), FM_OK);
    assert_int_equal(sections_writer_write(w, "sixteen bytes...", 16, err), FM_OK);
    return sections_writer_close(w, err);
}

static void load(const temp_dir *dir, const char *name, file *out) {
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, name, path);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    out->size = fread(out->bytes, 1, FILE_MAX, stream);
    assert_true(out->size > 0 && out->size < FILE_MAX);
    fclose(stream);
}

static void make(const temp_dir *dir, uint32_t version, const char *five, file *out) {
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "saved", path);
    assert_int_equal(write_sections(path, version, five, NULL), FM_OK);
    load(dir, "saved", out);
}

/** Parses a copy that ends where the file does, so that a sanitizer sees a read behind it. */
static fm_status parse(const file *f, const sections_kind *k, fm_error *err) {
    uint8_t *copy = malloc(f->size + 1);
    sections *s;
    assert_non_null(copy);
    memcpy(copy + 1, f->bytes, f->size); /* at an odd address: nothing may rely on another */
    fm_status status = sections_parse("file", copy + 1, f->size, k, &s, err);
    assert_int_equal(s != NULL, status == FM_OK);
    sections_close(s);
    free(copy);
    return status;
}

static void expect_refused(const char *what, const file *f, const char *word) {
    fm_error err = {0};
    expect_error(what, parse(f, &kind, &err), &err, FM_ERR_FORMAT, word);
}

/* ---- Whole files ----------------------------------------------------------------------------- */

static void expect_section(const section *item, uint32_t tag, const char *bytes, size_t size) {
    assert_non_null(item);
    assert_int_equal(item->tag, tag);
    assert_int_equal(item->size, size);
    if (size > 0) assert_memory_equal(item->data, bytes, size);
    assert_int_equal((uintptr_t)item->data % 8, 0);
}

static void sections_come_back(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    sections *s;
    temp_dir_path(dir, "saved", path);
    assert_int_equal(write_sections(path, 3, "seven", NULL), FM_OK);
    assert_int_equal(temp_dir_count(dir), 1);
    assert_int_equal(sections_open(path, &kind, &s, NULL), FM_OK);
    assert_int_equal(sections_version(s), 3);
    assert_int_equal(sections_count(s), 3);
    expect_section(sections_find(s, 1), 1, "seven", 5);
    expect_section(sections_find(s, 7), 7, "", 0);
    expect_section(sections_find(s, UINT32_MAX), UINT32_MAX, "sixteen bytes...", 16);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(sections_at(s, i), sections_find(s, sections_at(s, i)->tag));
    assert_null(sections_find(s, 0));
    assert_null(sections_find(s, 2));
    assert_null(sections_find(s, 8));
    sections_close(s);
    sections_close(NULL);
}

static void sections_file_may_be_empty(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    sections_writer *w;
    sections *s;
    temp_dir_path(dir, "saved", path);
    assert_int_equal(sections_writer_create(path, MAGIC, 1, &w, NULL), FM_OK);
    assert_int_equal(sections_writer_close(w, NULL), FM_OK);
    assert_int_equal(sections_open(path, &kind, &s, NULL), FM_OK);
    assert_int_equal(sections_count(s), 0);
    assert_null(sections_find(s, 1));
    sections_close(s);
}

/** The layout, written out from its description. */
static void sections_file_has_the_described_bytes(void **state) {
    file f, wanted = {{0}, 0};
    make(*state, 0x01020304, "seven", &f);
    uint8_t *at = wanted.bytes;
    memcpy(at, MAGIC "\4\3\2\1\0\0\0\0", 16);
    memcpy(at + 16, "\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0seven\0\0\0", 24);
    memcpy(at + 48, "\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    memcpy(at + 72, "\xFF\xFF\xFF\xFF\0\0\0\0\x10\0\0\0\0\0\0\0sixteen bytes...", 32);
    memcpy(at + 112, "\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\3", 17);
    wanted.size = 112 + 40;
    sections_repair(wanted.bytes, wanted.size);
    assert_int_equal(f.size, wanted.size);
    assert_memory_equal(f.bytes, wanted.bytes, f.size);
}

/** Were the file mapped, a payload behind its new end would kill the program. */
static void sections_stay_when_the_file_is_cut(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    sections *s;
    temp_dir_path(dir, "saved", path);
    assert_int_equal(write_sections(path, 3, "seven", NULL), FM_OK);
    assert_int_equal(sections_open(path, &kind, &s, NULL), FM_OK);
    assert_int_equal(truncate(path, 0), 0);
    expect_section(sections_find(s, 1), 1, "seven", 5);
    expect_section(sections_find(s, UINT32_MAX), UINT32_MAX, "sixteen bytes...", 16);
    sections_close(s);
    assert_int_equal(sections_open(path, &kind, &s, NULL), FM_ERR_FORMAT);
}

/** A file of terabytes that is no file of sections is refused by its first bytes. */
static void sections_open_reads_no_more_than_it_needs_to_refuse(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    sections *s;
    fm_error err = {0};
    temp_dir_write_text(dir, "saved", "another kind of file");
    temp_dir_path(dir, "saved", path);
    if (truncate(path, (off_t)1 << 43) != 0) {
        print_message("skip: this file system has no sparse files of 8 TiB\n");
        skip();
    }
    expect_error("kind", sections_open(path, &kind, &s, &err), &err, FM_ERR_FORMAT, "no test file");
    assert_int_equal(write_sections(path, 3, "seven", NULL), FM_OK);
    assert_int_equal(truncate(path, (off_t)1 << 43), 0);
    expect_error("room", sections_open(path, &kind, &s, &err), &err, FM_ERR_MEMORY,
                 "has 8796093022208 bytes, and ");
    sections_kind k = kind;
    k.max_size = 1000;
    assert_int_equal(truncate(path, 1001), 0);
    expect_error("size", sections_open(path, &k, &s, &err), &err, FM_ERR_LIMIT, "at most 1000");
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void sections_every_flipped_bit_is_refused(void **state) {
    file f;
    make(*state, 3, "seven", &f);
    assert_int_equal(parse(&f, &kind, NULL), FM_OK);
    for (size_t i = 0; i < 8 * f.size; i++) {
        char what[32];
        snprintf(what, sizeof what, "bit %zu", i);
        f.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        expect_refused(what, &f, i < 64 ? "is no test file" : "file: is damaged: ");
        f.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < f.size; i++) { /* whole bytes, too */
        f.bytes[i] ^= 0xFF;
        expect_refused("byte", &f, "is ");
        f.bytes[i] ^= 0xFF;
    }
}

static void sections_every_truncation_is_refused(void **state) {
    file f;
    make(*state, 3, "seven", &f);
    for (size_t whole = f.size; f.size-- > 0;) {
        assert_true(f.size < whole);
        expect_refused("cut", &f, f.size < 8 ? "is no test file" : "cut off");
    }
    sections *s;
    assert_int_equal(sections_parse("file", NULL, 0, &kind, &s, NULL), FM_ERR_FORMAT);
}

static void sections_appended_bytes_are_refused(void **state) {
    file f;
    make(*state, 3, "seven", &f);
    size_t whole = f.size;
    memcpy(f.bytes + whole, f.bytes, whole);
    for (f.size = whole + 1; f.size <= 2 * whole; f.size++)
        expect_refused("appended", &f, "bytes behind the end");
    f.bytes[whole] = 0;
    f.size = whole + 1;
    expect_refused("appended zero", &f, "bytes behind the end");
}

static void sections_hostile_lengths_are_refused(void **state) {
    file f;
    make(*state, 3, "seven", &f);
    const uint64_t lengths[] = {UINT64_MAX,        UINT64_MAX - 7, UINT64_MAX - 23, UINT64_MAX - 31,
                                UINT64_C(1) << 63, UINT32_MAX,     f.size,          f.size - 16,
                                f.size - 39,       f.size - 40};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        file g = f;
        sections_store(g.bytes + 24, 8, lengths[i]);
        sections_repair(g.bytes, g.size);
        expect_refused("length", &g, "cut off");
    }
}

/** Changes one byte, puts right checksums in, and wants the file refused all the same. */
static void expect_change_refused(const file *f, size_t at, uint8_t value, const char *word) {
    file g = *f;
    g.bytes[at] = value;
    sections_repair(g.bytes, g.size);
    expect_refused("change", &g, word);
}

static void sections_right_checksums_do_not_suffice(void **state) {
    file f;
    make(*state, 3, "seven", &f);
    expect_change_refused(&f, 12, 1, "a wrong header");
    expect_change_refused(&f, 20, 1, "has to be zero"); /* beside the first tag */
    expect_change_refused(&f, 37, 1, "has to be zero"); /* behind its payload */
    expect_change_refused(&f, 39, 1, "has to be zero");
    expect_change_refused(&f, 16, 7, "tags out of order"); /* the tag of the next section */
    expect_change_refused(&f, 16, 9, "tags out of order");
    expect_change_refused(&f, 48, 0, "do not belong together");  /* an end without a seal */
    expect_change_refused(&f, 120, 8, "do not belong together"); /* an end that is too short */
    f.bytes[120] = 24; /* and one that is too long, of the right count and seal */
    f.size += 8;
    memset(f.bytes + 144, 0, 8);
    expect_change_refused(&f, 112, 0, "do not belong together");
}

static void sections_count_is_checked_beside_the_seal(void **state) {
    file f;
    make(*state, 3, "seven", &f);
    f.bytes[128] = 4;
    sections_store(f.bytes + 144, 8, XXH3_64bits(f.bytes + 112, 32));
    expect_refused("count", &f, "do not belong together");
    f.bytes[128] = 3;
    sections_store(f.bytes + 144, 8, XXH3_64bits(f.bytes + 112, 32));
    assert_int_equal(parse(&f, &kind, NULL), FM_OK);
}

static void sections_of_other_files_are_refused(void **state) {
    file f, other;
    make(*state, 3, "seven", &f);
    make(*state, 3, "eight", &other);
    file g = f;
    memcpy(g.bytes + 16, other.bytes + 16, 32); /* a whole section of the same tag and length */
    expect_refused("foreign", &g, "do not belong together");
    g = f;
    memmove(g.bytes + 48, g.bytes + 72, f.size - 72); /* the empty one is lost */
    g.size -= 24;
    expect_refused("lost", &g, "do not belong together");
}

static void sections_versions_and_limits_are_kept(void **state) {
    file f;
    fm_error err = {0};
    make(*state, 3, "seven", &f);
    sections_kind k = kind;
    k.min_version = k.max_version = 3;
    k.max_size = f.size;
    k.max_count = 3;
    assert_int_equal(parse(&f, &k, NULL), FM_OK);
    k.max_version = 4;
    k.min_version = 4;
    expect_error("older", parse(&f, &k, &err), &err, FM_ERR_UNSUPPORTED,
                 "is a test file of version 3, only 4 to 4 are read");
    k.min_version = k.max_version = 2;
    expect_error("newer", parse(&f, &k, &err), &err, FM_ERR_UNSUPPORTED, "version 3");
    k = kind;
    k.max_size = f.size - 1;
    expect_error("size", parse(&f, &k, &err), &err, FM_ERR_LIMIT, "has 152 bytes, at most 151");
    k = kind;
    k.max_count = 2;
    expect_error("count", parse(&f, &k, &err), &err, FM_ERR_LIMIT, "more than the 2 sections");
}

static void sections_count_has_a_default_limit(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "saved", path);
    for (uint32_t n = SECTIONS_COUNT_DEFAULT; n <= SECTIONS_COUNT_DEFAULT + 1; n++) {
        sections_writer *w;
        sections *s;
        assert_int_equal(sections_writer_create(path, MAGIC, 1, &w, NULL), FM_OK);
        for (uint32_t tag = 1; tag <= n; tag++)
            assert_int_equal(sections_writer_begin(w, tag, 0, NULL), FM_OK);
        assert_int_equal(sections_writer_close(w, NULL), FM_OK);
        fm_status wanted = n > SECTIONS_COUNT_DEFAULT ? FM_ERR_LIMIT : FM_OK;
        assert_int_equal(sections_open(path, &kind, &s, NULL), wanted);
        sections_close(s);
    }
}

static void sections_open_says_what_is_no_file(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    sections *s = (sections *)&path;
    fm_error err = {0};
    temp_dir_path(dir, "absent", path);
    expect_error("absent", sections_open(path, &kind, &s, &err), &err, FM_ERR_NOT_FOUND, path);
    assert_null(s);
    temp_dir_write_text(dir, "empty", "");
    temp_dir_path(dir, "empty", path);
    expect_error("empty", sections_open(path, &kind, &s, &err), &err, FM_ERR_FORMAT, path);
}

/* ---- The writer ------------------------------------------------------------------------------ */

static sections_writer *begin(const temp_dir *dir, uint32_t tag, uint64_t length) {
    char path[TEMP_PATH_SIZE];
    sections_writer *w;
    temp_dir_path(dir, "saved", path);
    assert_int_equal(sections_writer_create(path, MAGIC, 1, &w, NULL), FM_OK);
    assert_int_equal(sections_writer_begin(w, tag, length, NULL), FM_OK);
    return w;
}

static void sections_writer_refuses_wrong_calls(void **state) {
    const temp_dir *dir = *state;
    fm_error err = {0};
    static const uint32_t tags[] = {0, 4, 5};
    for (size_t i = 0; i < 3; i++) {
        sections_writer *w = begin(dir, 5, 0);
        expect_error("tag", sections_writer_begin(w, tags[i], 0, &err), &err, FM_ERR_ARG,
                     "cannot follow section 5");
        expect_error("tag", sections_writer_close(w, &err), &err, FM_ERR_STATE, "an earlier write");
    }
    sections_writer *w = begin(dir, 5, 3);
    assert_int_equal(sections_writer_write(w, "ab", 2, NULL), FM_OK);
    expect_error("surplus", sections_writer_write(w, "cd", 2, &err), &err, FM_ERR_ARG,
                 "2 bytes more than the 1 that section 5 still lacks");
    assert_int_equal(sections_writer_write(w, "c", 1, NULL), FM_OK);
    expect_error("surplus", sections_writer_close(w, &err), &err, FM_ERR_STATE, "an earlier write");
    w = begin(dir, 5, 3);
    expect_error("missing", sections_writer_begin(w, 6, 0, &err), &err, FM_ERR_STATE,
                 "section 5 lacks 3 of its 3 bytes");
    sections_writer_abandon(w);
    w = begin(dir, 5, 3);
    expect_error("missing", sections_writer_close(w, &err), &err, FM_ERR_STATE, "section 5 lacks");
    assert_int_equal(temp_dir_count(dir), 0);
    sections_writer_abandon(NULL);
}

static void sections_writer_that_stops_leaves_the_older_file(void **state) {
    const temp_dir *dir = *state;
    file before, after;
    make(dir, 3, "seven", &before);
    sections_writer *w = begin(dir, 1, 3);
    load(dir, "saved", &after);
    assert_int_equal(temp_dir_count(dir), 2);
    sections_writer_abandon(w);
    assert_int_equal(sections_writer_close(begin(dir, 1, 3), NULL), FM_ERR_STATE);
    assert_int_equal(temp_dir_count(dir), 1);
    load(dir, "saved", &after);
    assert_int_equal(after.size, before.size);
    assert_memory_equal(after.bytes, before.bytes, before.size);
    make(dir, 3, "eight", &after); /* and one that does not stop replaces it */
    assert_memory_equal(after.bytes + 32, "eight", 5);
    assert_int_equal(temp_dir_count(dir), 1);
}

static void sections_writer_refuses_what_is_no_plain_file(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    fm_error err = {0};
    temp_dir_write_text(dir, "folder/inside", "x");
    temp_dir_path(dir, "folder", path);
    expect_error("folder", write_sections(path, 1, "seven", &err), &err, FM_ERR_IO, "a directory");
    temp_dir_path(dir, "no/such", path);
    expect_error("no dir", write_sections(path, 1, "seven", &err), &err, FM_ERR_NOT_FOUND,
                 "its directory does not exist");
    assert_int_equal(temp_dir_count(dir), 1);
}

/** Writes one section of `size` bytes; the status of the first call that failed. */
static fm_status write_on_full_disk(const temp_dir *dir, size_t size, fm_error *err) {
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    sections_writer *w = begin(dir, 1, size);
    full_disk full = full_disk_begin(64);
    fm_status wrote = sections_writer_write(w, bytes, size, err);
    fm_status closed = sections_writer_close(w, wrote == FM_OK ? err : NULL);
    full_disk_end(&full);
    free(bytes);
    assert_int_equal(closed, wrote == FM_OK ? FM_ERR_IO : FM_ERR_STATE);
    return wrote == FM_OK ? closed : wrote;
}

static void sections_full_disk_leaves_the_older_file(void **state) {
    const temp_dir *dir = *state;
    static const size_t sizes[] = {1 << 20, 100}; /* found in a write; only when closing */
    file before, after;
    make(dir, 3, "seven", &before);
    for (size_t i = 0; i < 2; i++) {
        fm_error err = {0};
        expect_error("full", write_on_full_disk(dir, sizes[i], &err), &err, FM_ERR_IO,
                     "cannot be written");
        assert_int_equal(temp_dir_count(dir), 1);
        load(dir, "saved", &after);
        assert_memory_equal(after.bytes, before.bytes, before.size);
    }
}

int main(void) {
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(sections_come_back),
        WITH_DIR(sections_file_may_be_empty),
        WITH_DIR(sections_file_has_the_described_bytes),
        WITH_DIR(sections_stay_when_the_file_is_cut),
        WITH_DIR(sections_open_reads_no_more_than_it_needs_to_refuse),
        WITH_DIR(sections_every_flipped_bit_is_refused),
        WITH_DIR(sections_every_truncation_is_refused),
        WITH_DIR(sections_appended_bytes_are_refused),
        WITH_DIR(sections_hostile_lengths_are_refused),
        WITH_DIR(sections_right_checksums_do_not_suffice),
        WITH_DIR(sections_count_is_checked_beside_the_seal),
        WITH_DIR(sections_of_other_files_are_refused),
        WITH_DIR(sections_versions_and_limits_are_kept),
        WITH_DIR(sections_count_has_a_default_limit),
        WITH_DIR(sections_open_says_what_is_no_file),
        WITH_DIR(sections_writer_refuses_wrong_calls),
        WITH_DIR(sections_writer_that_stops_leaves_the_older_file),
        WITH_DIR(sections_writer_refuses_what_is_no_plain_file),
        WITH_DIR(sections_full_disk_leaves_the_older_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
