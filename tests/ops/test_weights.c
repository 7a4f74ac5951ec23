/*
 * test_weights.c - how weights are loaded: every value of the 16-bit formats widened, every tie
 * rounded to even, what does not fit refused. Values are read back through embed, which only
 * widens.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "column.h"

static const fm_dtype formats[] = {FM_DTYPE_F32, FM_DTYPE_BF16, FM_DTYPE_F16};

enum { TABLE_COLS = 256, TABLE_ROWS = 256, TABLE_VALUES = TABLE_COLS * TABLE_ROWS };

/* ---- A table of values, loaded and read back ------------------------------------------------- */

/** Loads TABLE_ROWS rows of a source format. */
static fm_status load_table(fm_device *dev, const void *data, fm_dtype from, fm_dtype to,
                            fm_weight **out, fm_error *err) {
    fm_weight_part part = {data, TABLE_ROWS, TABLE_COLS, 1};
    fm_weight_source source = {from, 1, 1, TABLE_COLS, &part};
    return weight_load(dev, &source, to, out, err);
}

/** Reads n rows of a loaded table back as float32. */
static void read_rows(fm_device *dev, const fm_weight *table, int32_t first, int32_t n,
                      float *values) {
    int32_t ids[TABLE_ROWS];
    uint64_t ticket = 0;
    fm_buf *tokens = NULL, *rows = NULL;
    for (int32_t i = 0; i < n; i++) ids[i] = first + i;
    assert_int_equal(buf_new(dev, sizeof ids, &tokens, NULL), FM_OK);
    assert_int_equal(buf_new(dev, (size_t)n * TABLE_COLS * sizeof *values, &rows, NULL), FM_OK);
    fm_embed embed = {.tokens = tensor_1d(tokens, FM_DTYPE_I32, n),
                      .table = table,
                      .y = tensor_2d(rows, FM_DTYPE_F32, n, TABLE_COLS)};
    assert_int_equal(device_write(dev, embed.tokens, ids), FM_OK);
    assert_int_equal(op_embed(dev, &embed), FM_OK);
    assert_int_equal(device_submit(dev, &ticket), FM_OK);
    assert_int_equal(device_wait(dev, ticket), FM_OK);
    assert_int_equal(device_read(dev, embed.y, values), FM_OK);
    buf_free(dev, tokens);
    buf_free(dev, rows);
}

/** Reads the whole table, in stretches where a device has no buffer for it. */
static void read_table(fm_device *dev, const fm_weight *table, float *values) {
    uint64_t fit = device_info(dev)->buf_max / (TABLE_COLS * sizeof *values);
    int32_t most = fit < TABLE_ROWS ? (int32_t)fit : TABLE_ROWS;
    for (int32_t first = 0; first < TABLE_ROWS; first += most) {
        int32_t n = TABLE_ROWS - first < most ? TABLE_ROWS - first : most;
        read_rows(dev, table, first, n, values + (ptrdiff_t)first * TABLE_COLS);
    }
}

/** Loads `source` (format `from`) as `to` and compares each value with number_round's. */
static void check_table(const column *col, const void *source, fm_dtype from, fm_dtype to) {
    fm_weight *table = NULL;
    fm_error err = {0};
    float *got = malloc(TABLE_VALUES * sizeof *got);
    assert_non_null(got);
    column_wear(col);
    if (load_table(col->dev, source, from, to, &table, &err) != FM_OK) fail_msg("%s", err.text);
    assert_int_equal(table->n_matrices, 1);
    assert_int_equal(table->rows, TABLE_ROWS);
    assert_int_equal(table->cols, TABLE_COLS);
    assert_int_equal(table->dtype, to);
    read_table(col->dev, table, got);
    for (size_t i = 0; i < TABLE_VALUES; i++) {
        double value = number_get(from, (const uint8_t *)source + i * fm_dtype_size(from));
        double expected = number_round(to, value);
        if ((double)got[i] != expected || !signbit(got[i]) != !signbit(expected))
            fail_msg("%s: %a in %s is %a in %s, not %a", col->subject->name, value,
                     fm_dtype_name(from), expected, fm_dtype_name(to), (double)got[i]);
    }
    weight_free(col->dev, table);
    free(got);
}

typedef void (*fill_fn)(uint8_t *bytes, fm_dtype from, fm_dtype to);

/** Every pair of formats, with a table that `fill` makes for it, on every column. */
static void each_pair(void **state, fill_fn fill) {
    const columns *c = *state;
    uint8_t *bytes = malloc(TABLE_VALUES * sizeof(float));
    assert_non_null(bytes);
    for (int32_t i = 0; i < 9; i++) {
        fm_dtype from = formats[i / 3], to = formats[i % 3];
        fill(bytes, from, to);
        for (int32_t j = 0; j < c->n; j++)
            if (device_info(c->at[j].dev)->weight_dtypes >> to & 1u)
                check_table(&c->at[j], bytes, from, to);
    }
    free(bytes);
}

/* A value that both formats can hold after rounding, or zero in its place. */
static void put(uint8_t *bytes, size_t i, fm_dtype from, fm_dtype to, double value) {
    double stored = number_round(from, value);
    bool fits = isfinite(stored) && isfinite(number_round(to, stored));
    number_set(from, bytes + i * fm_dtype_size(from), fits ? stored : 0.0);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

/* The value of 16 bits in a format; in F32 they are the upper half. */
static double pattern_value(fm_dtype dtype, size_t bits) {
    uint16_t half = (uint16_t)bits;
    return number_get(dtype == FM_DTYPE_F32 ? FM_DTYPE_BF16 : dtype, &half);
}

/* All 65,536 patterns of a 16-bit format; of F32, those whose lower half is zero. */
static void fill_patterns(uint8_t *bytes, fm_dtype from, fm_dtype to) {
    for (size_t i = 0; i < TABLE_VALUES; i++) {
        double value = pattern_value(from, i);
        put(bytes, i, from, to, isfinite(value) ? value : 0.0);
    }
}

/* Halfway between neighbours of the target: all its ties, of either sign. */
static void fill_ties(uint8_t *bytes, fm_dtype from, fm_dtype to) {
    fm_dtype pattern = to == FM_DTYPE_F32 ? from : to;
    for (size_t i = 0; i < TABLE_VALUES; i++) {
        double a = pattern_value(pattern, i), b = pattern_value(pattern, i + 1);
        put(bytes, i, from, to, isfinite(a) && isfinite(b) ? a / 2 + b / 2 : 0.0);
    }
}

/* Values of all magnitudes and signs. */
static void fill_random(uint8_t *bytes, fm_dtype from, fm_dtype to) {
    random_stream r = {7};
    for (size_t i = 0; i < TABLE_VALUES; i++) {
        int32_t exponent = random_below(&r, 280) - 150;
        put(bytes, i, from, to, ldexp(random_normal(&r), exponent));
    }
}

static void weights_every_pattern_is_converted(void **state) {
    each_pair(state, fill_patterns);
}

static void weights_ties_go_to_even(void **state) {
    each_pair(state, fill_ties);
}

static void weights_random_values_are_rounded_to_nearest(void **state) {
    each_pair(state, fill_random);
}

/* ---- What does not fit ----------------------------------------------------------------------- */

typedef struct fit {
    fm_dtype from, to;
    double value;
    bool fits;
} fit;

static const fit fits[] = {
    {FM_DTYPE_F32, FM_DTYPE_F16, 65504, true},
    {FM_DTYPE_F32, FM_DTYPE_F16, 0x1.ffdffep15, true}, /* just below the tie with 65536 */
    {FM_DTYPE_F32, FM_DTYPE_F16, 65520, false},        /* the tie goes to 65536 */
    {FM_DTYPE_F32, FM_DTYPE_F16, -65520, false},
    {FM_DTYPE_F32, FM_DTYPE_F16, 1e30, false},
    {FM_DTYPE_F32, FM_DTYPE_BF16, 0x1.fefffep127, true},
    {FM_DTYPE_F32, FM_DTYPE_BF16, 0x1.ffp127, false},
    {FM_DTYPE_F32, FM_DTYPE_BF16, -0x1.fffffep127, false}, /* the largest float */
    {FM_DTYPE_BF16, FM_DTYPE_F16, 65280, true},
    {FM_DTYPE_BF16, FM_DTYPE_F16, -65536, false},
    {FM_DTYPE_F16, FM_DTYPE_BF16, -65504, true},
    {FM_DTYPE_F32, FM_DTYPE_F16, HUGE_VAL, true}, /* is not finite in the source either */
    {FM_DTYPE_F32, FM_DTYPE_BF16, -HUGE_VAL, true},
};

/* One such value, the last of a table of zeros. */
static void check_fit(const column *col, const fit *f, uint8_t *bytes) {
    fm_weight *table = NULL;
    fm_error err = {0};
    size_t size = fm_dtype_size(f->from);
    column_wear(col);
    memset(bytes, 0, TABLE_VALUES * sizeof(float));
    number_set(f->from, bytes + (TABLE_VALUES - 1) * size, f->value);
    fm_status status = load_table(col->dev, bytes, f->from, f->to, &table, &err);
    if (status != (f->fits ? FM_OK : FM_ERR_NOT_FINITE))
        fail_msg("%s: %a from %s to %s: %s", col->subject->name, f->value, fm_dtype_name(f->from),
                 fm_dtype_name(f->to), fm_status_text(status));
    if (f->fits) {
        weight_free(col->dev, table);
        return;
    }
    assert_null(table);
    assert_int_equal(err.status, FM_ERR_NOT_FINITE);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(device_status(col->dev), FM_OK);
}

static void weights_overflow_is_refused(void **state) {
    const columns *c = *state;
    uint8_t *bytes = malloc(TABLE_VALUES * sizeof(float));
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++)
        for (int32_t j = 0; j < c->n; j++)
            if (device_info(c->at[j].dev)->weight_dtypes >> fits[i].to & 1u)
                check_fit(&c->at[j], &fits[i], bytes);
    free(bytes);
}

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* A conversion needs room for its result; a plain source needs that or none. */
static void weights_size_covers_a_conversion(void **state) {
    const columns *c = *state;
    static const float data[TABLE_VALUES];
    fm_weight_part part = {data, TABLE_ROWS, TABLE_COLS, 1};
    fm_weight_source source = {FM_DTYPE_F32, 1, 1, TABLE_COLS, &part};
    for (int32_t i = 0; i < c->n; i++) {
        fm_device *dev = c->at[i].dev;
        uint64_t plain = weight_size(dev, &source, FM_DTYPE_F32);
        assert_true(plain == 0 || plain >= sizeof data);
        if (device_info(dev)->weight_dtypes >> FM_DTYPE_BF16 & 1u)
            assert_true(weight_size(dev, &source, FM_DTYPE_BF16) >= sizeof data / 2);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_every_pattern_is_converted),
        cmocka_unit_test(weights_ties_go_to_even),
        cmocka_unit_test(weights_random_values_are_rounded_to_nearest),
        cmocka_unit_test(weights_overflow_is_refused),
        cmocka_unit_test(weights_size_covers_a_conversion),
    };
    return COLUMNS_RUN("test_weights", tests);
}
