/*
 * test_numerics.c - the numerics rule, to the bit: an output element depends on its own inputs and
 * on K alone. So a token's row is the same in steps of any size, at any place in the step and in
 * memory, and one matrix gives the same alone, in a stack, and in whatever layout its bytes lay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "column.h"
#include "rows.h"

typedef void (*column_test)(const column *col, const op_case *c);

/* Runs `test` on every column that has the shape's formats and promises the rule. */
static void each_column(void **state, const op_shape *shape, column_test test) {
    const columns *all = *state;
    op_case c;
    case_init(&c, shape);
    for (int32_t i = 0; i < all->n; i++)
        if (all->at[i].subject->by_rule && column_lacks(&all->at[i], &c) == LACKS_NOTHING)
            test(&all->at[i], &c);
    case_free(&c);
}

/* The same with every weight format. */
static void each_weight(void **state, op_shape shape, column_test test) {
    static const fm_dtype formats[] = {FM_DTYPE_F32, FM_DTYPE_BF16, FM_DTYPE_F16};
    for (int32_t i = 0; i < 3; i++) {
        shape.weight = formats[i];
        each_column(state, &shape, test);
    }
}

/* Bytes of the slab of the i-th output; 0 when it is not part of the call. */
static size_t output_size(const op_case *c, int32_t i) {
    const fm_tensor *y = op_output(c->shape.op, &c->args, i);
    return y->buf ? c->slabs[case_slab_index(c, y)].buf.size : 0;
}

static size_t all_outputs_size(const op_case *c) {
    size_t size = 0;
    for (int32_t i = 0; i < op_n_outputs(c->shape.op); i++) size += output_size(c, i);
    return size;
}

/* The slabs of all outputs, one after the other; the caller frees them. */
static uint8_t *read_output(binding *b) {
    const op_case *c = b->host;
    uint8_t *all = malloc(all_outputs_size(c)), *to = all;
    assert_non_null(all);
    for (int32_t i = 0; i < op_n_outputs(c->shape.op); i++) {
        size_t size = output_size(c, i);
        if (size == 0) continue;
        uint8_t *bytes = binding_read(b, case_slab_index(c, op_output(c->shape.op, &c->args, i)));
        memcpy(to, bytes, size);
        to += size;
        free(bytes);
    }
    return all;
}

/* Runs the whole call and returns the outputs' slabs. */
static uint8_t *run_whole(binding *b) {
    binding_reset(b);
    binding_run(b, b->host->shape.op, &b->args);
    return read_output(b);
}

static void assert_same_output(const binding *b, const uint8_t *expected, const uint8_t *got,
                               const char *what) {
    const op_case *c = b->host;
    char shape[160];
    if (memcmp(expected, got, all_outputs_size(c)) == 0) return;
    shape_print(&c->shape, shape, sizeof shape);
    fail_msg("%s on %s: other bits %s", shape, device_info(b->dev)->name, what);
}

/* ---- Steps of any size ----------------------------------------------------------------------- */

/* Cuts the offsets of a matmul_experts to the rows [start, start + count). */
static void cut_offsets(binding *b, int64_t start, int64_t count) {
    const fm_tensor *host = &b->host->args.matmul_experts.offsets;
    int32_t offsets[WEIGHT_MAX_PARTS + 1];
    for (int64_t e = 0; e < host->size[0]; e++) {
        int64_t at = host_int(host, e, 0) - start;
        offsets[e] = (int32_t)(at < 0 ? 0 : at > count ? count : at);
    }
    if (device_write(b->dev, b->args.matmul_experts.offsets, offsets) != FM_OK) fail();
}

/* The call of tokens [start, start + count), its output rows at `to`. */
static op_args args_of_tokens(binding *b, int64_t start, int64_t count, int64_t to) {
    const op_definition *d = op_entries[b->host->shape.op].definition;
    op_args args = b->args;
    if (b->host->shape.op == OP_matmul_experts) cut_offsets(b, start, count);
    for (int32_t i = 0; i < d->n_operands; i++) {
        fm_tensor *t = (fm_tensor *)(void *)((uint8_t *)&args + d->operands[i].offset);
        bool output = i >= d->n_operands - op_n_outputs(b->host->shape.op);
        if (t->buf && d->operands[i].by_token)
            *t = tensor_slice(*t, 0, output ? to : start,
                              count + (d->operands[i].by_token == BY_TOKEN_ENDS));
    }
    return args;
}

static void run_in_chunks(binding *b, int64_t chunk, bool mirrored) {
    int64_t n = b->host->shape.T;
    binding_reset(b);
    for (int64_t start = 0; start < n; start += chunk) {
        int64_t count = start + chunk < n ? chunk : n - start;
        op_args args = args_of_tokens(b, start, count, mirrored ? n - start - count : start);
        binding_run(b, b->host->shape.op, &args);
    }
}

static void check_chunks(const column *col, const op_case *c) {
    static const int64_t chunks[] = {1, 3, 17};
    binding b;
    binding_open(&b, col, c);
    uint8_t *whole = run_whole(&b);
    for (int32_t i = 0; i < 3; i++) {
        run_in_chunks(&b, chunks[i], false);
        uint8_t *bits = read_output(&b);
        assert_same_output(&b, whole, bits, "in chunks");
        free(bits);
    }
    free(whole);
    binding_close(&b);
}

/* Single tokens with their output rows in reverse: turned around again they are the whole. */
static void check_other_rows(const column *col, const op_case *c) {
    const op_shape *shape = &c->shape;
    binding b;
    binding_open(&b, col, c);
    uint8_t *whole = run_whole(&b);
    run_in_chunks(&b, 1, true);
    uint8_t *mirrored = read_output(&b);
    size_t at = 0;
    for (int32_t i = 0; i < op_n_outputs(shape->op); i++) {
        const fm_tensor *y = op_output(shape->op, &c->args, i);
        size_t pitch = (size_t)y->stride[0] * fm_dtype_size(y->dtype);
        if (!y->buf) continue;
        for (size_t t = 0, last = (size_t)shape->T - 1; t <= last; t++)
            if (memcmp(whole + at + t * pitch, mirrored + at + (last - t) * pitch, pitch))
                fail_msg("%s: token %zu has other bits at another row", op_entries[shape->op].name,
                         t);
        at += output_size(c, i);
    }
    free(mirrored);
    free(whole);
    binding_close(&b);
}

/* A dense output that is a function of its own token alone. */
static bool can_move_rows(const op_shape *shape) {
    const op_definition *d = op_entries[shape->op].definition;
    return shape->flags == 0 && d->operands[d->n_operands - 1].by_token;
}

/** The visits of one operation's rows. */
typedef struct chunk_visit {
    void **state;
    int32_t n_shapes;
} chunk_visit;

static void visit_chunks(void *user, const op_shape *shape) {
    chunk_visit *visit = user;
    if (shape->T != 130) return;
    each_column(visit->state, shape, check_chunks);
    if (can_move_rows(shape)) each_column(visit->state, shape, check_other_rows);
    visit->n_shapes++;
}

static void run_chunks(void **state, op_kind op) {
    chunk_visit visit = {.state = state};
    for (size_t i = 0; i < n_op_rows; i++)
        if (op_rows[i].op == op) row_expand(&op_rows[i], visit_chunks, &visit);
    if (visit.n_shapes == 0) fail_msg("%s has no row with T = 130", op_entries[op].name);
}

#define CHUNK_TEST(name)                                                                           \
    static void numerics_##name##_of_a_token_ignores_the_step(void **state) {                      \
        run_chunks(state, OP_##name);                                                              \
    }
FM_OP_LIST(CHUNK_TEST)

/* ---- Pages of any order ---------------------------------------------------------------------- */

static void check_placement(const column *col, const op_case *c) {
    op_shape moved_shape = c->shape;
    op_case moved;
    binding b;
    binding_open(&b, col, c);
    uint8_t *expected = run_whole(&b);
    binding_close(&b);
    moved_shape.placement++;
    case_init(&moved, &moved_shape);
    binding_open(&b, col, &moved);
    uint8_t *got = run_whole(&b);
    assert_same_output(&b, expected, got, "with other pages");
    binding_close(&b);
    case_free(&moved);
    free(expected);
    free(got);
}

static void visit_placement(void *state, const op_shape *shape) {
    if (shape->op == OP_attend && shape->T == 17) each_column(state, shape, check_placement);
}

static void numerics_attend_ignores_where_pages_lie(void **state) {
    for (size_t i = 0; i < n_op_rows; i++) row_expand(&op_rows[i], visit_placement, state);
}

/* ---- Windows --------------------------------------------------------------------------------- */

/* Of a case with a window: makes the keys before a token's window of every head so far away from
 * its query that a softmax over all keys gives them the weight 0. For one token in each sequence,
 * and as many heads as key-value heads. */
static void push_keys_away(op_case *all) {
    const fm_attend *a = &all->args.attend;
    for (int64_t t = 0; t < a->q.size[0]; t++) {
        int32_t sequence = host_int(&a->sequences, t, 0);
        int32_t first = host_int(&a->positions, t, 0) - all->shape.window + 1;
        for (int32_t key = 0; key < first; key++) {
            int64_t page = host_int(&a->pages, sequence, key / FM_CACHE_PAGE_ROWS);
            int64_t row = page * FM_CACHE_PAGE_ROWS + key % FM_CACHE_PAGE_ROWS;
            for (int64_t h = 0; h < a->q.size[1]; h++)
                for (int64_t i = 0; i < a->q.size[2]; i++)
                    host_set(&a->k, row, h, i, -1e4 * host_get(&a->q, t, h, i));
        }
    }
}

/* Runs a case on a device and returns its output. */
static uint8_t *run_once(const column *col, const op_case *c) {
    binding b;
    binding_open(&b, col, c);
    uint8_t *out = run_whole(&b);
    binding_close(&b);
    return out;
}

/* One case, run with its window and with those keys far away instead. */
static void check_window(const column *col, const op_case *c) {
    binding b;
    op_shape shape = c->shape;
    op_case all;
    shape.window = 0;
    case_init(&all, &shape);
    all.shape.window = c->shape.window;
    push_keys_away(&all);
    uint8_t *expected = run_once(col, &all);
    all.args.attend.window = c->shape.window;
    binding_open(&b, col, &all);
    uint8_t *got = run_whole(&b);
    assert_same_output(&b, expected, got, "than with weights of 0 before the window");
    binding_close(&b);
    case_free(&all);
    free(expected);
    free(got);
}

static void numerics_attend_keys_before_the_window_weigh_nothing(void **state) {
    static const int32_t windows[] = {1,  2,   15,  16,  17,   63,   64,
                                      65, 511, 512, 513, 1500, 1501, 3000};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        for (int32_t cache = 0; cache < 2; cache++)
            each_column(state,
                        &(op_shape){.op = OP_attend,
                                    .T = 6,
                                    .H = 2,
                                    .G = 2,
                                    .K = 16,
                                    .N = 18,
                                    .E = 1,
                                    .cache = cache ? FM_DTYPE_BF16 : FM_DTYPE_F32,
                                    .window = windows[i]},
                        check_window);
}

/* ---- One matrix, alone and in company -------------------------------------------------------- */

/* Loads the part [first, first + n_parts) of a weight's list of parts as one matrix. */
static fm_weight *load_alone(binding *b, int32_t first, int32_t n_parts) {
    const host_weight *w = &b->host->weight;
    fm_weight_source source = w->source;
    fm_weight *out = NULL;
    fm_error err = {0};
    source.n_matrices = 1;
    source.n_parts = n_parts;
    source.parts = w->parts + first;
    if (weight_load(b->dev, &source, w->w.dtype, &out, &err) != FM_OK) fail_msg("%s", err.text);
    return out;
}

/* A product with one matrix of the case's weight: rows of x to rows of y, both [T, …]. */
static void run_alone(binding *b, int32_t first, int32_t n_parts, fm_tensor x, fm_tensor y) {
    fm_weight *w = load_alone(b, first, n_parts);
    binding_run(b, OP_matmul, &(op_args){.matmul = {.x = x, .w = w, .y = y}});
    weight_free(b->dev, w);
}

/* Runs a case whole, and clears the output for the same in pieces. */
static uint8_t *begin_pieces(binding *b, const column *col, const op_case *c) {
    binding_open(b, col, c);
    uint8_t *whole = run_whole(b);
    binding_reset(b);
    return whole;
}

static void end_pieces(binding *b, uint8_t *whole) {
    uint8_t *pieces = read_output(b);
    assert_same_output(b, whole, pieces, "in pieces");
    free(pieces);
    free(whole);
    binding_close(b);
}

static void check_parts(const column *col, const op_case *c) {
    binding b;
    uint8_t *whole = begin_pieces(&b, col, c);
    const fm_matmul *a = &b.args.matmul;
    int64_t row = 0;
    for (int32_t p = 0; p < c->weight.source.n_parts; p++) {
        int64_t rows = c->weight.parts[p].rows;
        run_alone(&b, p, 1, a->x, tensor_slice(a->y, 1, row, rows));
        row += rows;
    }
    end_pieces(&b, whole);
}

static void numerics_matmul_of_a_stack_is_that_of_its_parts(void **state) {
    for (int32_t t = 1; t <= 18; t += 17)
        each_weight(state,
                    (op_shape){.op = OP_matmul, .flags = PARTS, .T = t, .K = 513, .N = 150, .E = 1},
                    check_parts);
}

/* Head `h` of a tensor [T, H, D], as [T, D]. */
static fm_tensor head_of(fm_tensor t, int64_t h) {
    fm_tensor out = tensor_slice(t, 1, h, 1);
    out.n_dims = 2;
    out.size[1] = t.size[2];
    out.stride[1] = t.stride[2];
    return out;
}

static void check_heads(const column *col, const op_case *c) {
    binding b;
    uint8_t *whole = begin_pieces(&b, col, c);
    const fm_matmul_heads *a = &b.args.matmul_heads;
    int32_t n_parts = c->weight.source.n_parts;
    for (int32_t h = 0; h < c->shape.H; h++)
        run_alone(&b, h * n_parts, n_parts, head_of(a->x, h), head_of(a->y, h));
    end_pieces(&b, whole);
}

static void numerics_matmul_heads_is_the_matmul_of_each_head(void **state) {
    for (int32_t t = 1; t <= 18; t += 17)
        each_weight(
            state,
            (op_shape){.op = OP_matmul_heads, .flags = STRIDED, .T = t, .H = 5, .K = 113, .N = 70},
            check_heads);
}

static void check_experts(const column *col, const op_case *c) {
    binding b;
    uint8_t *whole = begin_pieces(&b, col, c);
    const fm_matmul_experts *a = &b.args.matmul_experts;
    int32_t n_parts = c->weight.source.n_parts;
    for (int32_t e = 0; e < c->shape.E; e++) {
        int32_t first = host_int(&c->args.matmul_experts.offsets, e, 0);
        int32_t count = host_int(&c->args.matmul_experts.offsets, e + 1, 0) - first;
        if (count == 0) continue;
        run_alone(&b, e * n_parts, n_parts, tensor_slice(a->x, 0, first, count),
                  tensor_slice(a->y, 0, first, count));
    }
    end_pieces(&b, whole);
}

static void numerics_matmul_experts_is_the_matmul_of_each_expert(void **state) {
    for (int32_t t = 2; t <= 130; t += 64)
        each_weight(state,
                    (op_shape){.op = OP_matmul_experts,
                               .flags = STRIDED | PARTS,
                               .T = t,
                               .K = 113,
                               .N = 70,
                               .E = 8},
                    check_experts);
}

/* ---- Any layout of the source ---------------------------------------------------------------- */

/* The product with the case's weight, and with the same values as one dense F32 matrix. */
static void check_layout(const column *col, const op_case *c) {
    binding b;
    uint8_t *whole = begin_pieces(&b, col, c);
    int64_t n = (int64_t)c->shape.N * c->shape.K;
    float *dense = malloc((size_t)n * sizeof *dense);
    assert_non_null(dense);
    for (int64_t i = 0; i < n; i++) dense[i] = (float)c->weight.values[i];
    fm_weight_part part = {dense, c->shape.N, c->shape.K, 1};
    fm_weight_source source = {FM_DTYPE_F32, 1, 1, c->shape.K, &part};
    fm_weight *w = NULL;
    assert_int_equal(weight_load(b.dev, &source, c->shape.weight, &w, NULL), FM_OK);
    op_args args = b.args;
    args.matmul.w = w;
    binding_run(&b, OP_matmul, &args);
    weight_free(b.dev, w);
    free(dense);
    end_pieces(&b, whole);
}

static void numerics_matmul_ignores_the_layout_of_the_source(void **state) {
    static const uint32_t layouts[] = {0,          PARTS,
                                       UNALIGNED,  PARTS | UNALIGNED,
                                       TRANSPOSED, TRANSPOSED | PARTS,
                                       CONVERTED,  CONVERTED | PARTS | TRANSPOSED | UNALIGNED};
    for (int32_t i = 0; i < 8; i++)
        each_weight(state,
                    (op_shape){.op = OP_matmul, .flags = layouts[i], .T = 17, .K = 113, .N = 70},
                    check_layout);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
#define CHUNK_UNIT_TEST(name) cmocka_unit_test(numerics_##name##_of_a_token_ignores_the_step),
        FM_OP_LIST(CHUNK_UNIT_TEST) cmocka_unit_test(numerics_attend_ignores_where_pages_lie),
        cmocka_unit_test(numerics_attend_keys_before_the_window_weigh_nothing),
        cmocka_unit_test(numerics_matmul_of_a_stack_is_that_of_its_parts),
        cmocka_unit_test(numerics_matmul_heads_is_the_matmul_of_each_head),
        cmocka_unit_test(numerics_matmul_experts_is_the_matmul_of_each_expert),
        cmocka_unit_test(numerics_matmul_ignores_the_layout_of_the_source),
    };
    return COLUMNS_RUN("test_numerics", tests);
}
