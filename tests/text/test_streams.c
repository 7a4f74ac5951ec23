/*
 * test_streams.c - tokens become text, text is cut by stop strings, and what is left becomes parts:
 * however an answer is made of tokens, the same comes of it as of its bytes in one piece.
 */
#include "base/utf8.h"
#include "support/parts_trace.h"
#include "support/stop_reference.h"
#include "text/fixture.h"
#include "text/parts_soup.h"
#include "text/stop.h"

enum { TEXT_SIZE = 3 * SOUP_SIZE, FIRST_LONG = 256, SPECIAL = 299 };

/* Tokens of several bytes: whole marks, parts of marks, and ends of one character with the
 * beginning of the next. The first ones are added tokens. */
static const char *const long_tokens[] = {
    "<think>", "</think>", CALLS,          CALLS_END,   CALL,       CALL_END,
    SEP,       "function", "```",          "<\xEF\xBD", "\x9Ctool", "\xE2\x96",
    "call",    "\x9C>",    "END",          "EN",        "D<",       "{\"",
    "\":",     "\xF0\x9F", "\x92\xA1\xC3", "\xE4\xB8",  "\xAD\xE6"};

enum { N_LONG = sizeof long_tokens / sizeof long_tokens[0], N_ADDED = 7 };

/** A token's bytes in the alphabet of the vocabulary, as JSON. */
static size_t write_symbols(const char *bytes, char *out) {
    size_t n = 0;
    for (; *bytes; bytes++) {
        if (*bytes == '"') out[n++] = '\\';
        n += alphabet_symbol((uint8_t)*bytes, out + n);
    }
    out[n] = '\0';
    return n;
}

static fm_tokenizer *make_tokenizer(void) {
    char words[2048] = "", added[2048] = "", symbols[128];
    size_t n = 0, m = 0;
    for (int i = 0; i < N_LONG; i++) {
        write_symbols(long_tokens[i], symbols);
        if (i < N_ADDED)
            m += (size_t)snprintf(added + m, sizeof added - m, "{\"id\":%d,\"content\":\"%s\"},",
                                  FIRST_LONG + i, long_tokens[i]);
        else
            n += (size_t)snprintf(words + n, sizeof words - n, ",\"%s\":%d", symbols,
                                  FIRST_LONG + i);
    }
    snprintf(added + m, sizeof added - m, "{\"id\":%d,\"content\":\"<s>\",\"special\":true}",
             SPECIAL);
    return fixture_make(&(fixture_json){.vocab = words, .added = added}, NULL);
}

/** The next token of an answer: any that its bytes begin with. */
static int32_t random_token(stream *s, const char *text, size_t length) {
    int32_t fitting[N_LONG], n = 0;
    for (int32_t i = 0; i < N_LONG; i++) {
        size_t size = strlen(long_tokens[i]);
        if (size <= length && memcmp(text, long_tokens[i], size) == 0) fitting[n++] = i;
    }
    if (n == 0 || stream_between(s, 0, 2) == 0) return (uint8_t)text[0];
    return FIRST_LONG + fitting[stream_between(s, 0, n - 1)];
}

/* ---- The whole ------------------------------------------------------------------------------- */

/** A text, and where a stop string ended it. */
typedef struct result {
    char text[TEXT_SIZE];
    size_t length;
    bool has_stopped;
    parts_trace parts;
} result;

/** The text of bytes: what is no UTF-8 is replaced. */
static void decode_whole(const char *bytes, size_t length, result *out) {
    out->length = 0;
    for (size_t at = 0; at < length;) {
        utf8_char c = utf8_decode((const uint8_t *)bytes + at, length - at);
        bool valid = c.kind == UTF8_KIND_CHAR;
        memcpy(out->text + out->length, valid ? bytes + at : "\xEF\xBF\xBD", valid ? c.length : 3);
        out->length += valid ? c.length : 3;
        at += c.length;
    }
}

static void read_parts(fm_parts_format format, const char *text, size_t length, parts_trace *out) {
    fm_parts *p;
    parts_trace_clear(out);
    assert_int_equal(fm_parts_new(format, parts_trace_take, out, &p, NULL), FM_OK);
    assert_int_equal(fm_parts_push(p, text, length), FM_OK);
    assert_int_equal(fm_parts_end(p), FM_OK);
    fm_parts_free(p);
}

static void read_whole(fm_parts_format format, const char *const *stops, size_t n_stops,
                       const char *bytes, size_t length, result *out) {
    decode_whole(bytes, length, out);
    size_t n = stop_reference(stops, n_stops, out->text, out->length, &out->has_stopped);
    if (out->has_stopped) out->length = n;
    read_parts(format, out->text, out->length, &out->parts);
}

/* ---- The stream ------------------------------------------------------------------------------ */

typedef struct stages {
    const fm_tokenizer *tokenizer;
    fm_decoder decoder;
    stop_set *set;
    stop_stream stop;
    fm_parts *parts;
    result *out;
} stages;

/** What came out of the stop strings goes on; it is whole UTF-8. */
static void take_text(stages *st, const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t n = utf8_length(text + at, length - at);
        assert_true(n > 0);
        at += n;
    }
    memcpy(st->out->text + st->out->length, text, length);
    st->out->length += length;
    assert_int_equal(fm_parts_push(st->parts, text, length), FM_OK);
}

static void take_piece(stages *st, const char *piece, size_t length) {
    char text[256];
    size_t n;
    assert_int_equal(stop_push(st->set, &st->stop, piece, length, text, sizeof text, &n), FM_OK);
    take_text(st, text, n);
}

static void take_token(stages *st, int32_t id) {
    char piece[128];
    size_t n;
    assert_int_equal(fm_decoder_push(&st->decoder, st->tokenizer, id, piece, sizeof piece, &n),
                     FM_OK);
    take_piece(st, piece, n);
}

static void take_end(stages *st) {
    char text[256];
    take_piece(st, text, fm_decoder_end(&st->decoder, text));
    if (!st->stop.has_stopped) take_text(st, text, stop_end(st->set, &st->stop, text));
    st->out->has_stopped = st->stop.has_stopped;
    assert_int_equal(fm_parts_end(st->parts), FM_OK);
}

static void read_tokens(const fm_tokenizer *t, fm_parts_format format, const char *const *stops,
                        size_t n_stops, const char *bytes, size_t length, stream *s, result *out) {
    stages st = {.tokenizer = t, .decoder = {.skip_special = true}, .out = out};
    out->length = 0;
    parts_trace_clear(&out->parts);
    assert_int_equal(stop_set_new(stops, n_stops, &st.set, NULL), FM_OK);
    assert_int_equal(fm_parts_new(format, parts_trace_take, &out->parts, &st.parts, NULL), FM_OK);
    for (size_t at = 0; at < length && !st.stop.has_stopped;) {
        int32_t id = random_token(s, bytes + at, length - at);
        size_t n;
        if (stream_between(s, 0, 9) == 0) take_token(&st, SPECIAL);
        take_token(&st, id);
        fm_tokenizer_bytes(t, id, &n);
        at += n;
    }
    take_end(&st);
    fm_parts_free(st.parts);
    stop_set_free(st.set);
}

static void streams_are_the_same_however_an_answer_is_made_of_tokens(void **state) {
    static const char *const words[] = {"END",     "é",   "</think>", CALLS_END,
                                        "\"a\"",   "x\n", "D<",       "\xEF\xBF\xBD\xEF\xBF\xBD",
                                        "<｜tool", "aa"};
    static result whole, cut;
    stream s = {14};
    int n_stopped = 0, n_calls = 0, n_rounds = 50000;
    fm_tokenizer *t = make_tokenizer();
    (void)state;
    assert_true(parts_trace_new(&whole.parts, TEXT_SIZE) && parts_trace_new(&cut.parts, TEXT_SIZE));
    for (int round = 0; round < n_rounds; round++) {
        char bytes[SOUP_SIZE];
        const char *stops[3];
        fm_parts_format format = soup_formats[round % SOUP_FORMATS];
        size_t n_stops = (size_t)stream_between(&s, 0, 2), length = soup_write(&s, bytes);
        for (size_t i = 0; i < n_stops; i++) stops[i] = words[stream_between(&s, 0, 9)];
        read_whole(format, stops, n_stops, bytes, length, &whole);
        for (int i = 0; i < 2; i++) {
            read_tokens(t, format, stops, n_stops, bytes, length, &s, &cut);
            assert_int_equal(cut.has_stopped, whole.has_stopped);
            assert_int_equal(cut.length, whole.length);
            assert_memory_equal(cut.text, whole.text, whole.length);
            assert_true(parts_trace_equal(&cut.parts, &whole.parts));
        }
        n_stopped += whole.has_stopped;
        for (size_t i = 0; i < whole.parts.n; i++)
            n_calls += whole.parts.parts[i].kind == FM_PART_CALL;
    }
    assert_true(n_stopped > n_rounds / 10 && n_stopped < n_rounds * 2 / 3);
    assert_true(n_calls > n_rounds / 20);
    parts_trace_free(&whole.parts);
    parts_trace_free(&cut.parts);
    fm_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_the_same_however_an_answer_is_made_of_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
