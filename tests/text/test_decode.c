/* test_decode.c - ids back into text, piece by piece. */
#include "base/utf8.h"
#include "text/fixture.h"

#define FFFD "\xEF\xBF\xBD"

/** The tokens of all bytes (id = byte) and a few long ones. */
static fm_tokenizer *make_tokenizer(void) {
    return fixture_make(
        &(fixture_json){
            /* 256 is "\xE4\xB8", 257 is "\xAD", a space and "\xF0\x9F", 258 is the text "💡<" */
            .vocab = ",\"ä¸\":256,\"ŃĠðŁ\":257",
            .added = "{\"id\":258,\"content\":\"💡<\"},"
                     "{\"id\":259,\"content\":\"<s>\",\"special\":true}"},
        NULL);
}

/** A text that grows. */
typedef struct text {
    char bytes[4096];
    size_t length;
} text;

/** What one push or the end appends is always whole UTF-8. */
static void check_whole(const char *bytes, size_t length) {
    for (size_t pos = 0; pos < length;) {
        utf8_char c = utf8_decode((const uint8_t *)bytes + pos, length - pos);
        assert_int_equal(c.kind, UTF8_KIND_CHAR);
        pos += c.length;
    }
}

static void push(fm_decoder *d, const fm_tokenizer *t, int32_t id, text *out) {
    size_t room = fm_decoder_bound(t);
    size_t n = room + 1;
    assert_true(out->length + room <= sizeof out->bytes);
    assert_int_equal(fm_decoder_push(d, t, id, out->bytes + out->length, room, &n), FM_OK);
    assert_true(n <= room);
    check_whole(out->bytes + out->length, n);
    out->length += n;
}

static void end(fm_decoder *d, text *out) {
    size_t n = fm_decoder_end(d, out->bytes + out->length);
    check_whole(out->bytes + out->length, n);
    out->length += n;
    assert_int_equal(d->n_pending, 0);
}

static void expect_text(const text *out, const char *expected) {
    assert_int_equal(out->length, strlen(expected));
    assert_memory_equal(out->bytes, expected, out->length);
}

/** Expected as Python's bytes.decode("utf-8", "replace") gives it. */
static void decode_replaces_each_maximal_invalid_part(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"", ""},
        {"aé中💡", "aé中💡"},
        {"\x80", FFFD},
        {"\x80\x80", FFFD FFFD},
        {"\xC3", FFFD},
        {"\xC3(", FFFD "("},
        {"\xC3\xC3\xA9", FFFD "é"},
        {"\xE4\xB8", FFFD},
        {"\xE4\xB8!", FFFD "!"},
        {"\xE4\xB8\xE4\xB8\xAD", FFFD "中"},
        {"\xF0\x9F\x92", FFFD},
        {"\xF0\x9F\x92\xF0\x9F\x92\xA1", FFFD "💡"},
        {"\xF0\x9F\x92x\x92", FFFD "x" FFFD},
        {"\xE0\x80\x80", FFFD FFFD FFFD},
        {"\xED\xA0\x80", FFFD FFFD FFFD},
        {"\xF4\x90\x80\x80", FFFD FFFD FFFD FFFD},
        {"\xF8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD},
        {"\xC0\xAF", FFFD FFFD},
        {"\xF1\x80\xE1\x80\xC2"
         "a",
         FFFD FFFD FFFD "a"},
    };
    fm_tokenizer *t = make_tokenizer();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_decoder d = {0};
        text out = {.length = 0};
        for (const char *b = cases[i].bytes; *b; b++) push(&d, t, (uint8_t)*b, &out);
        end(&d, &out);
        expect_text(&out, cases[i].expected);
    }
    fm_tokenizer_close(t);
}

static void decode_code_point_comes_with_its_last_byte(void **state) {
    (void)state;
    fm_tokenizer *t = make_tokenizer();
    fm_decoder d = {0};
    text out = {.length = 0};
    push(&d, t, 256, &out);
    expect_text(&out, "");
    push(&d, t, 257, &out);
    expect_text(&out, "中 ");
    push(&d, t, 0x92, &out);
    expect_text(&out, "中 ");
    push(&d, t, 0xA1, &out);
    expect_text(&out, "中 💡");
    push(&d, t, 0xC3, &out);
    push(&d, t, 258, &out);
    expect_text(&out, "中 💡" FFFD "💡<");
    end(&d, &out);
    expect_text(&out, "中 💡" FFFD "💡<");
    fm_tokenizer_close(t);
}

static void decode_special_tokens_are_skipped_on_request(void **state) {
    (void)state;
    fm_tokenizer *t = make_tokenizer();
    for (int skip = 0; skip < 2; skip++) {
        fm_decoder d = {.skip_special = skip};
        text out = {.length = 0};
        push(&d, t, 259, &out);
        push(&d, t, 'a', &out);
        push(&d, t, 258, &out);
        push(&d, t, 0xC3, &out);
        if (skip) push(&d, t, 259, &out);
        push(&d, t, 0xA9, &out);
        expect_text(&out, skip ? "a💡<é" : "<s>a💡<é");
    }
    fm_tokenizer_close(t);
}

static void decode_unknown_ids_give_no_text(void **state) {
    (void)state;
    fm_tokenizer *t = make_tokenizer();
    fm_decoder d = {0};
    text out = {.length = 0};
    static const int32_t ids[] = {-1, 260, 1 << 20, INT32_MIN, INT32_MAX};
    push(&d, t, 0xC3, &out);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) push(&d, t, ids[i], &out);
    push(&d, t, 0xA9, &out);
    expect_text(&out, "é");
    fm_tokenizer_close(t);
}

static void decode_needs_room_for_the_bound(void **state) {
    (void)state;
    fm_tokenizer *t = make_tokenizer();
    fm_decoder d = {0};
    char out[64];
    size_t n = 7;
    assert_true(fm_decoder_bound(t) <= sizeof out);
    assert_int_equal(fm_decoder_push(&d, t, 'a', out, fm_decoder_bound(t) - 1, &n), FM_ERR_ARG);
    assert_int_equal(n, 0);
    assert_int_equal(fm_decoder_push(&d, t, 'a', out, fm_decoder_bound(t), &n), FM_OK);
    assert_int_equal(n, 1);
    fm_tokenizer_close(t);
}

/** Two bytes that wait and a longest token without one valid byte: each of them is replaced. */
static void decode_bound_is_reached_and_not_exceeded(void **state) {
    (void)state;
    fm_tokenizer *t = fixture_make(&(fixture_json){.vocab = ",\"ÿÿÿÿÿÿÿÿ\":256"}, NULL);
    fm_decoder d = {0};
    char out[64];
    size_t n = 0;
    assert_int_equal(fm_decoder_push(&d, t, 0xE4, out, sizeof out, &n), FM_OK);
    assert_int_equal(fm_decoder_push(&d, t, 0xB8, out, sizeof out, &n), FM_OK);
    assert_int_equal(fm_decoder_push(&d, t, 256, out, sizeof out, &n), FM_OK);
    assert_int_equal(n, 9 * 3);
    assert_int_equal(n, fm_decoder_bound(t));
    fm_tokenizer_close(t);
}

/* ---- Random cuts ----------------------------------------------------------------------------- */

/** The whole text with each maximal invalid part replaced. */
static void replace_invalid(const char *bytes, size_t length, text *out) {
    for (size_t pos = 0; pos < length;) {
        utf8_char c = utf8_decode((const uint8_t *)bytes + pos, length - pos);
        bool valid = c.kind == UTF8_KIND_CHAR;
        memcpy(out->bytes + out->length, valid ? bytes + pos : FFFD, valid ? c.length : 3);
        out->length += valid ? c.length : 3;
        pos += c.length;
    }
}

/** A random text of whole, cut and broken characters. */
static size_t random_bytes(uint64_t *random, char *out, size_t max) {
    static const char *const parts[] = {
        "a",    " the", "é",  "中文",         "💡",  "\xF0\x9F", "\xE4\xB8",
        "\x80", "\xFF", "\n", "\xED\xA0\x80", "12", "ű"};
    size_t length = 0;
    for (uint32_t n = fixture_random(random) % 12; n > 0; n--) {
        const char *part = parts[fixture_random(random) % (sizeof parts / sizeof parts[0])];
        if (length + strlen(part) > max) break;
        memcpy(out + length, part, strlen(part));
        length += strlen(part);
    }
    return length;
}

/** Encoding a text in two halves gives other tokens than encoding it whole, but the same text. */
static void decode_gives_the_text_back_however_it_is_cut(void **state) {
    (void)state;
    static const char *const dirs[] = {TEST_DATA "/tokenizer/deepseek_v3",
                                       TEST_DATA "/tokenizer/smollm"};
    uint64_t random = 3;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        fm_tokenizer *t = fixture_open(dirs[i]);
        for (int round = 0; round < 5000; round++) {
            char bytes[128];
            size_t length = random_bytes(&random, bytes, sizeof bytes);
            size_t cut = fixture_random(&random) % (length + 1);
            text expected = {.length = 0};
            text out = {.length = 0};
            fm_decoder d = {0};
            replace_invalid(bytes, length, &expected);
            fm_tokens tokens = fixture_encode(t, bytes, cut, FM_ENCODE_PLAIN);
            assert_int_equal(
                fm_tokenizer_encode(t, bytes + cut, length - cut, FM_ENCODE_PLAIN, &tokens, NULL),
                FM_OK);
            for (size_t k = 0; k < tokens.count; k++) push(&d, t, tokens.ids[k], &out);
            end(&d, &out);
            assert_int_equal(out.length, expected.length);
            assert_memory_equal(out.bytes, expected.bytes, out.length);
            fm_tokens_free(&tokens);
        }
        fm_tokenizer_close(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_replaces_each_maximal_invalid_part),
        cmocka_unit_test(decode_code_point_comes_with_its_last_byte),
        cmocka_unit_test(decode_special_tokens_are_skipped_on_request),
        cmocka_unit_test(decode_unknown_ids_give_no_text),
        cmocka_unit_test(decode_needs_room_for_the_bound),
        cmocka_unit_test(decode_bound_is_reached_and_not_exceeded),
        cmocka_unit_test(decode_gives_the_text_back_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
