/* test_json.c - what JSON is taken, what is refused and in which words, and how it is read. */
#include "base/json.h"
#include "support/temp_dir.h"

static const json_limits roomy = {.max_bytes = 1 << 24, .max_depth = 256};

static json_doc *parse(const char *text) {
    json_doc *doc = NULL;
    fm_error err = {0};
    if (json_parse("t.json", text, strlen(text), roomy, &doc, &err) != FM_OK)
        fail_msg("refused: %s", err.text);
    return doc;
}

/** The text has no terminator and nothing behind it, so a sanitizer sees any read beyond it. */
static fm_status parse_exact(const char *text, size_t length, json_limits limits, fm_error *err) {
    json_doc *doc = (json_doc *)&doc;
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    if (length > 0) memcpy(copy, text, length);
    fm_status status = json_parse("t.json", copy, length, limits, &doc, err);
    free(copy);
    if (status == FM_OK)
        json_free(doc);
    else
        assert_null(doc);
    return status;
}

/* ---- Grammar --------------------------------------------------------------------------------- */

static void json_accepts_valid_texts(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " \t\r\n{ } \n",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1",
        "10",
        "1.5",
        "1e3",
        "1E+3",
        "1e-3",
        "0e0",
        "0.0e999999",
        "1e307",
        "1e-400",
        "0.0001e311",
        "123456789012345678901234567890123456789012345678901234567890123",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00e9\\uFFFF\"",
        "\"\\ud83d\\uDE00\"",
        "\"\x7F\xC3\xA4\xF0\x9F\x98\x80\"",
        "[1,[2,[3]],{\"a\":[]}]",
        "{\"a\":1,\"A\":2,\"\":3,\"b\":{\"a\":4}}",
        "[{\"a\":1},{\"a\":1}]",
        "{\"a\":{\"b\":1},\"b\":{\"a\":1,\"b\":1}}",
        "[ 1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : 2 }",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fm_error err = {0};
        if (parse_exact(texts[i], strlen(texts[i]), roomy, &err) != FM_OK)
            fail_msg("%s: %s", texts[i], err.text);
    }
}

typedef struct refused_text {
    const char *text;
    fm_status status;
    const char *part; /* of the error text */
} refused_text;

static void json_refuses_broken_texts_in_clear_words(void **state) {
    (void)state;
    static const refused_text cases[] = {
        {"", FM_ERR_FORMAT, "line 1: the text ends where a value is needed"},
        {" \n ", FM_ERR_FORMAT, "line 2: the text ends where a value"},
        {"{", FM_ERR_FORMAT, "the text ends where a key in double quotes is needed"},
        {"[", FM_ERR_FORMAT, "the text ends where a value"},
        {"[1", FM_ERR_FORMAT, "the text ends where ',' or ']' is needed"},
        {"[1,", FM_ERR_FORMAT, "the text ends where a value"},
        {"[1,\n\n]", FM_ERR_FORMAT, "line 3: ']' stands where a value is needed"},
        {"[1 2]", FM_ERR_FORMAT, "'2' stands where ',' or ']'"},
        {"[1}", FM_ERR_FORMAT, "'}' stands where ',' or ']'"},
        {"]", FM_ERR_FORMAT, "']' stands where a value"},
        {"{\"a\"}", FM_ERR_FORMAT, "'}' stands where ':'"},
        {"{\"a\" 1}", FM_ERR_FORMAT, "'1' stands where ':'"},
        {"{\"a\":}", FM_ERR_FORMAT, "'}' stands where a value"},
        {"{\"a\":1,}", FM_ERR_FORMAT, "'}' stands where a key"},
        {"{\"a\":1 \"b\":2}", FM_ERR_FORMAT, "'\"' stands where ',' or '}'"},
        {"{\"a\":1]", FM_ERR_FORMAT, "']' stands where ',' or '}'"},
        {"{a:1}", FM_ERR_FORMAT, "'a' stands where a key"},
        {"{'a':1}", FM_ERR_FORMAT, "''' stands where a key"},
        {"{1:1}", FM_ERR_FORMAT, "'1' stands where a key"},
        {"{} {}", FM_ERR_FORMAT, "'{' stands where the end of the text"},
        {"{}\n\nx", FM_ERR_FORMAT, "line 3: 'x' stands where the end"},
        {"1 // one", FM_ERR_FORMAT, "'/' stands where the end"},
        {"\xEF\xBB\xBF{}", FM_ERR_FORMAT, "byte order mark"},
        {"nul", FM_ERR_FORMAT, "the text ends where null is needed"},
        {"nulL", FM_ERR_FORMAT, "'L' stands where null"},
        {"truex", FM_ERR_FORMAT, "'x' stands where the end"},
        {"True", FM_ERR_FORMAT, "'T' stands where a value"},
        {"NaN", FM_ERR_FORMAT, "'N' stands where a value"},
        {"Infinity", FM_ERR_FORMAT, "'I' stands where a value"},
        {"-Infinity", FM_ERR_FORMAT, "'I' stands where a digit"},
        {"\x01", FM_ERR_FORMAT, "byte 0x01 stands where a value"},
        {"\xFF", FM_ERR_FORMAT, "byte 0xFF stands where a value"},
        {"\xC3\xA4", FM_ERR_FORMAT, "'\xC3\xA4' stands where a value"},
        /* numbers */
        {"01", FM_ERR_FORMAT, "needless 0"},
        {"-01", FM_ERR_FORMAT, "needless 0"},
        {"+1", FM_ERR_FORMAT, "'+' stands where a value"},
        {".5", FM_ERR_FORMAT, "'.' stands where a value"},
        {"-", FM_ERR_FORMAT, "the text ends where a digit"},
        {"1.", FM_ERR_FORMAT, "the text ends where a digit"},
        {"1.e3", FM_ERR_FORMAT, "'e' stands where a digit"},
        {"1e", FM_ERR_FORMAT, "the text ends where a digit"},
        {"1e+", FM_ERR_FORMAT, "the text ends where a digit"},
        {"0x10", FM_ERR_FORMAT, "'x' stands where the end"},
        {"1_000", FM_ERR_FORMAT, "'_' stands where the end"},
        {"1e308", FM_ERR_LIMIT, "1e308 is too large"},
        {"-0.001e999", FM_ERR_LIMIT, "too large"},
        {"1e99999999999999999999", FM_ERR_LIMIT, "too large"},
        {"1234567890123456789012345678901234567890123456789012345678901234", FM_ERR_LIMIT,
         "more than 63 characters"},
        /* strings */
        {"\"", FM_ERR_FORMAT, "never ends"},
        {"[\n\"abc\n", FM_ERR_FORMAT, "line 2: control character 0x0A"},
        {"\"abc", FM_ERR_FORMAT, "line 1: a string begins here and never ends"},
        {"\"\t\"", FM_ERR_FORMAT, "control character 0x09 in a string: write it as \\u0009"},
        {"\"\\", FM_ERR_FORMAT, "the text ends where one of"},
        {"\"\\x41\"", FM_ERR_FORMAT, "'x' stands where one of"},
        {"\"\\u12\"", FM_ERR_FORMAT, "four hexadecimal digits"},
        {"\"\\u12G4\"", FM_ERR_FORMAT, "four hexadecimal digits"},
        {"\"\\u", FM_ERR_FORMAT, "four hexadecimal digits"},
        {"\"a\\u0000\"", FM_ERR_FORMAT, "\\u0000 is not allowed"},
        {"\"\\ud83d\"", FM_ERR_FORMAT, "\\uD83D is half of a surrogate pair"},
        {"\"\\ud83dx\"", FM_ERR_FORMAT, "half of a surrogate pair"},
        {"\"\\ud83d\\n\"", FM_ERR_FORMAT, "half of a surrogate pair"},
        {"\"\\ud83d\\u0041\"", FM_ERR_FORMAT, "half of a surrogate pair"},
        {"\"\\ude00\\ud83d\"", FM_ERR_FORMAT, "\\uDE00 is half of a surrogate pair"},
        {"\"\\ud83d\\ud83d\"", FM_ERR_FORMAT, "half of a surrogate pair"},
        {"\"\\ude00\\ude00\"", FM_ERR_FORMAT, "\\uDE00 is half of a surrogate pair"},
        {"\"\x80\"", FM_ERR_FORMAT, "byte 0x80 is no UTF-8"},
        {"\"\xC3\"", FM_ERR_FORMAT, "byte 0xC3 is no UTF-8"},
        {"\"\xED\xA0\x80\"", FM_ERR_FORMAT, "byte 0xED is no UTF-8"},
        {"\"\xF4\x90\x80\x80\"", FM_ERR_FORMAT, "byte 0xF4 is no UTF-8"},
        /* keys */
        {"{\"a\":1,\"a\":2}", FM_ERR_FORMAT, "line 1: the key \"a\" stands twice"},
        {"{\"\":1,\n\"b\":2,\n\"\":3}", FM_ERR_FORMAT, "line 3: the key \"\" stands twice"},
        {"{\"a\":1,\"\\u0061\":2}", FM_ERR_FORMAT, "\"a\" stands twice"},
        {"{\"\\/\":1,\"\\u002F\":2}", FM_ERR_FORMAT, "\"/\" stands twice"},
        {"{\"\\u00e4\":1,\"\xC3\xA4\":2}", FM_ERR_FORMAT, "\"\xC3\xA4\" stands twice"},
        {"{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\ude00\":2}", FM_ERR_FORMAT, "stands twice"},
        {"{\"\\u007f\":1,\"\x7F\":2}", FM_ERR_FORMAT, "stands twice"},
        {"{\"\\u0080\":1,\"\xC2\x80\":2}", FM_ERR_FORMAT, "stands twice"},
        {"{\"\\u07ff\":1,\"\xDF\xBF\":2}", FM_ERR_FORMAT, "stands twice"},
        {"{\"\\u0800\":1,\"\xE0\xA0\x80\":2}", FM_ERR_FORMAT, "stands twice"},
        {"{\"\\uffff\":1,\"\xEF\xBF\xBF\":2}", FM_ERR_FORMAT, "stands twice"},
        {"{\"\\ud800\\udc00\":1,\"\xF0\x90\x80\x80\":2}", FM_ERR_FORMAT, "stands twice"},
        {"[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]", FM_ERR_FORMAT, "\"a\" stands twice"},
        {"{\"x\":{\"a\":1},\"x\":2}", FM_ERR_FORMAT, "\"x\" stands twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_error err = {0};
        fm_status status = parse_exact(cases[i].text, strlen(cases[i].text), roomy, &err);
        if (status != cases[i].status || !strstr(err.text, cases[i].part) ||
            strncmp(err.text, "t.json: line ", 13) != 0)
            fail_msg("%s: got %d, %s", cases[i].text, (int)status, err.text);
    }
}

static void json_refuses_a_nul_byte(void **state) {
    (void)state;
    fm_error err = {0};
    assert_int_equal(parse_exact("[1]\0", 4, roomy, &err), FM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "byte 0x00 stands where the end"));
    assert_int_equal(parse_exact("\"\0\"", 3, roomy, &err), FM_ERR_FORMAT);
    assert_int_equal(parse_exact("\"\\\0\"", 4, roomy, &err), FM_ERR_FORMAT);
}

static void json_refuses_every_beginning_of_a_text(void **state) {
    (void)state;
    const char *text =
        "{\"a\\u00e9\":[1.5e-3,true,false,null,\"\\ud83d\\ude00\xC3\xA4\"],\"b\":{}}";
    for (size_t length = 0; length < strlen(text); length++)
        assert_int_equal(parse_exact(text, length, roomy, NULL), FM_ERR_FORMAT);
    assert_int_equal(parse_exact(text, strlen(text), roomy, NULL), FM_OK);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

/** `depth` arrays inside each other. */
static fm_status parse_nested(int depth, json_limits limits, fm_error *err) {
    static char text[4096];
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    return parse_exact(text, 2 * (size_t)depth, limits, err);
}

static void json_depth_is_limited(void **state) {
    (void)state;
    const json_limits five = {.max_bytes = 100, .max_depth = 5};
    const json_limits most = {.max_bytes = 4096, .max_depth = 100000};
    const json_limits none = {.max_bytes = 100, .max_depth = 0};
    const json_limits less = {.max_bytes = 100, .max_depth = -1};
    fm_error err = {0};
    assert_int_equal(parse_nested(5, five, NULL), FM_OK);
    assert_int_equal(parse_nested(6, five, &err), FM_ERR_LIMIT);
    assert_string_equal(err.text, "t.json: line 1: arrays and objects are nested deeper than 5");
    assert_int_equal(parse_nested(256, most, NULL), FM_OK);
    assert_int_equal(parse_nested(257, most, NULL), FM_ERR_LIMIT);
    assert_int_equal(parse_exact("1", 1, none, NULL), FM_OK);
    assert_int_equal(parse_exact("{}", 2, none, NULL), FM_ERR_LIMIT);
    assert_int_equal(parse_exact("[]", 2, less, NULL), FM_ERR_LIMIT);
}

/* Columns are bytes: é and the key before the fault count as they are stored. */
static void json_one_line_gives_columns(void **state) {
    (void)state;
    const json_limits line = {.max_bytes = 100, .max_depth = 2, .one_line = true};
    static const char *const rows[][2] = {
        {"", "t.json: column 1: the text ends where a value is needed: is the file complete?"},
        {"x", "t.json: column 1: 'x' stands where a value is needed"},
        {"[\"\xC3\xA9\", x]", "t.json: column 8: 'x' stands where a value is needed"},
        {"{\"a\":1,\"a\":2}", "t.json: column 8: the key \"a\" stands twice in one object"},
        {"[[[]]]", "t.json: column 3: arrays and objects are nested deeper than 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fm_error err = {0};
        assert_int_not_equal(parse_exact(rows[i][0], strlen(rows[i][0]), line, &err), FM_OK);
        assert_string_equal(err.text, rows[i][1]);
    }
}

static void json_size_is_limited(void **state) {
    (void)state;
    const json_limits four = {.max_bytes = 4, .max_depth = 5};
    fm_error err = {0};
    assert_int_equal(parse_exact("[12]", 4, four, &err), FM_OK);
    assert_int_equal(parse_exact("[123]", 5, four, &err), FM_ERR_LIMIT);
    assert_string_equal(err.text, "t.json: has 5 bytes, at most 4 are read");
}

/* ---- Large vocabularies ---------------------------------------------------------------------- */

enum { BIG_KEYS = 128000, BIG_KEY_SIZE = 80 };

/** An object of BIG_KEYS members and about 10 MB; the last key is `last`. */
static char *big_object(const char *last, size_t *length) {
    char *text = malloc((size_t)BIG_KEYS * (BIG_KEY_SIZE + 32));
    assert_non_null(text);
    char *at = text;
    *at++ = '{';
    for (int i = 0; i < BIG_KEYS - 1; i++)
        at += sprintf(at, "\"%0*d\\u0120\":%d,\n", BIG_KEY_SIZE - 15, i * 7919 % BIG_KEYS, i);
    at += sprintf(at, "\"%s\":-1}", last);
    *length = (size_t)(at - text);
    return text;
}

static void json_reads_a_large_vocabulary(void **state) {
    (void)state;
    json_doc *doc;
    size_t length;
    int64_t expected = 0, value;
    char *text = big_object("last", &length);
    assert_true(length > 9000000 && length < roomy.max_bytes);
    assert_int_equal(json_parse("vocab", text, length, roomy, &doc, NULL), FM_OK);
    free(text);
    assert_int_equal(json_count(json_root(doc)), BIG_KEYS);
    json_for_each(node, json_root(doc)) {
        if (expected == BIG_KEYS - 1) expected = -1;
        assert_true(json_integer(node, -1, BIG_KEYS, &value));
        assert_int_equal(value, expected++);
    }
    json_free(doc);
}

static void json_finds_one_double_key_among_many(void **state) {
    (void)state;
    char key[BIG_KEY_SIZE + 32];
    json_doc *doc;
    fm_error err = {0};
    size_t length;
    sprintf(key, "%0*d\xC4\xA0", BIG_KEY_SIZE - 15, 5 * 7919);
    char *text = big_object(key, &length);
    assert_int_equal(json_parse("vocab", text, length, roomy, &doc, &err), FM_ERR_FORMAT);
    free(text);
    assert_non_null(strstr(err.text, "vocab: line 128000: the key \"0000"));
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void json_strings_are_unescaped(void **state) {
    (void)state;
    json_doc *doc = parse("{\"k\\u00e9y\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\\ud83d\\ude00\"}");
    const json *node = json_find(json_root(doc), "k\xC3\xA9y");
    assert_string_equal(json_string(node), "\"\\/\b\f\n\r\t\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_string_equal(json_key(node), "k\xC3\xA9y");
    json_free(doc);
}

static void json_walks_in_the_order_of_the_text(void **state) {
    (void)state;
    json_doc *doc = parse("{\"z\":[1,2,3],\"a\":{},\"m\":[]}");
    const json *root = json_root(doc), *list = json_find(root, "z");
    const char *const keys[] = {"z", "a", "m"};
    size_t i = 0;
    json_for_each(node, root) assert_string_equal(json_key(node), keys[i++]);
    assert_int_equal(i, 3);
    assert_int_equal(json_count(root), 3);
    assert_int_equal(json_count(list), 3);
    assert_int_equal(json_count(json_find(root, "a")), 0);
    assert_null(json_first(json_find(root, "m")));
    assert_null(json_key(json_first(list)));
    assert_null(json_key(root));
    assert_true(json_number(json_next(json_first(list)), 0) == 2);
    json_free(doc);
}

static void json_kinds_are_told_apart(void **state) {
    (void)state;
    json_doc *doc = parse("[{},[],\"s\",1,true,false,null]");
    bool (*const kinds[])(const json *) = {json_is_object, json_is_array, json_is_string,
                                           json_is_number, json_is_bool,  json_is_bool,
                                           json_is_null};
    size_t i = 0;
    json_for_each(node, json_root(doc)) {
        for (size_t k = 0; k < 7; k++) assert_int_equal(kinds[k](node), kinds[k] == kinds[i]);
        i++;
    }
    for (size_t k = 0; k < 7; k++) assert_false(kinds[k](NULL));
    json_free(doc);
}

static void json_readers_accept_what_is_absent(void **state) {
    (void)state;
    json_doc *doc = parse("{\"s\":\"text\",\"n\":2.5,\"t\":true,\"f\":false}");
    const json *root = json_root(doc);
    int64_t value;
    assert_null(json_find(root, "S"));
    assert_null(json_find(NULL, "s"));
    assert_null(json_find(json_find(root, "s"), "s"));
    assert_null(json_string(json_find(root, "n")));
    assert_null(json_string(NULL));
    assert_null(json_first(NULL));
    assert_null(json_first(json_find(root, "s")));
    assert_null(json_next(NULL));
    assert_null(json_key(NULL));
    assert_int_equal(json_count(NULL), 0);
    assert_true(json_number(json_find(root, "n"), 7) == 2.5);
    assert_true(json_number(json_find(root, "s"), 7) == 7);
    assert_true(json_number(NULL, 7) == 7);
    assert_true(json_bool(json_find(root, "t"), false));
    assert_false(json_bool(json_find(root, "f"), true));
    assert_true(json_bool(json_find(root, "n"), true));
    assert_false(json_bool(NULL, false));
    assert_false(json_integer(NULL, 0, 1, &value));
    assert_false(json_integer(json_find(root, "s"), INT64_MIN, INT64_MAX, &value));
    json_free(NULL);
    json_free(doc);
}

static void json_integer_takes_only_what_is_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t min, max, wanted;
        bool is_taken;
    } cases[] = {
        {"7", 0, 10, 7, true},
        {"-0", 0, 10, 0, true},
        {"7.0", 0, 10, 7, true},
        {"7e1", 0, 100, 70, true},
        {"10", 0, 10, 10, true},
        {"11", 0, 10, 0, false},
        {"-1", 0, 10, 0, false},
        {"-5", -5, 10, -5, true},
        {"2.5", 0, 10, 0, false},
        {"0.1", 0, 10, 0, false},
        {"9007199254740991", 0, INT64_MAX, 9007199254740991, true},
        {"-9007199254740991", INT64_MIN, 0, -9007199254740991, true},
        {"9007199254740992", 0, INT64_MAX, 0, false},
        {"9007199254740993", 0, INT64_MAX, 0, false},
        {"-9007199254740993", INT64_MIN, INT64_MAX, 0, false},
        {"9223372036854775807", 0, INT64_MAX, 0, false},
        {"18446744073709551616", 0, INT64_MAX, 0, false},
        {"1e300", INT64_MIN, INT64_MAX, 0, false},
        {"-1e300", INT64_MIN, INT64_MAX, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_doc *doc = parse(cases[i].text);
        int64_t value = 42;
        assert_int_equal(json_integer(json_root(doc), cases[i].min, cases[i].max, &value),
                         cases[i].is_taken);
        assert_int_equal(value, cases[i].is_taken ? cases[i].wanted : 42);
        json_free(doc);
    }
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void json_read_names_the_path(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE], wanted[TEMP_PATH_SIZE + 64];
    const json_limits ten = {.max_bytes = 10, .max_depth = 2};
    json_doc *doc;
    fm_error err = {0};
    temp_dir_path(dir, "c.json", path);
    assert_int_equal(json_read(path, ten, &doc, &err), FM_ERR_NOT_FOUND);
    assert_null(doc);
    temp_dir_write_text(dir, "c.json", "{\"a\":1}");
    assert_int_equal(json_read(path, ten, &doc, &err), FM_OK);
    assert_true(json_number(json_find(json_root(doc), "a"), 0) == 1);
    json_free(doc);
    temp_dir_write_text(dir, "c.json", "{\n\"a\":}");
    assert_int_equal(json_read(path, ten, &doc, &err), FM_ERR_FORMAT);
    snprintf(wanted, sizeof wanted, "%s: line 2: '}' stands where a value is needed", path);
    assert_string_equal(err.text, wanted);
    temp_dir_write_text(dir, "c.json", "[1,2,3,4,5]");
    assert_int_equal(json_read(path, ten, &doc, &err), FM_ERR_LIMIT);
    temp_dir_write_text(dir, "c.json", "");
    assert_int_equal(json_read(path, ten, &doc, &err), FM_ERR_FORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_accepts_valid_texts),
        cmocka_unit_test(json_refuses_broken_texts_in_clear_words),
        cmocka_unit_test(json_refuses_a_nul_byte),
        cmocka_unit_test(json_refuses_every_beginning_of_a_text),
        cmocka_unit_test(json_depth_is_limited),
        cmocka_unit_test(json_one_line_gives_columns),
        cmocka_unit_test(json_size_is_limited),
        cmocka_unit_test(json_reads_a_large_vocabulary),
        cmocka_unit_test(json_finds_one_double_key_among_many),
        cmocka_unit_test(json_strings_are_unescaped),
        cmocka_unit_test(json_walks_in_the_order_of_the_text),
        cmocka_unit_test(json_kinds_are_told_apart),
        cmocka_unit_test(json_readers_accept_what_is_absent),
        cmocka_unit_test(json_integer_takes_only_what_is_exact),
        cmocka_unit_test_setup_teardown(json_read_names_the_path, temp_dir_setup,
                                        temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
