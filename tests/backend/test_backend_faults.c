/*
 * test_backend_faults.c - every precondition of every operation violated once: the front answers
 * FM_ERR_ARG, the table is not called, and device_fault names what is wrong. Beside it the calls
 * that look suspicious and are allowed.
 *
 * To add a fault, add a row to FAULTS: operation, name, a word that device_fault must say, and the
 * statement that breaks the valid call `a` of call.c.
 */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

/* A tensor moved onto another's memory: onto the same elements, or one element further. */
static void put_on(fm_tensor *t, const fm_tensor *other, int64_t ahead) {
    t->buf = other->buf;
    t->offset = other->offset + ahead;
    t->buf->size += 4096; /* so that the overlap alone is wrong */
}

/* ---- Faults of single tensors ---------------------------------------------------------------- */

static void break_buffer(fm_tensor *t) {
    t->buf = NULL;
}
static void break_small_buffer(fm_tensor *t) {
    t->buf->size -= 1;
}
static void break_dtype(fm_tensor *t) {
    t->dtype = FM_DTYPE_F16;
}
static void break_dtype_of_same_size(fm_tensor *t) {
    t->dtype = t->dtype == FM_DTYPE_I32 ? FM_DTYPE_F32 : FM_DTYPE_I32;
}
static void break_dtype_unknown(fm_tensor *t) {
    t->dtype = FM_DTYPE_COUNT;
}
static void break_more_dimensions(fm_tensor *t) {
    t->size[t->n_dims] = 1;
    t->stride[t->n_dims++] = 1;
}
static void break_no_dimension(fm_tensor *t) {
    t->n_dims = 0;
}
static void break_many_dimensions(fm_tensor *t) {
    t->n_dims = INT32_MAX;
}
static void break_size_zero(fm_tensor *t) {
    t->size[0] = 0;
}
static void break_size_negative(fm_tensor *t) {
    t->size[t->n_dims - 1] = -1;
}
static void break_size_huge(fm_tensor *t) {
    t->size[0] = INT64_MAX;
}
static void break_offset(fm_tensor *t) {
    t->offset = 1;
}
static void break_offset_negative(fm_tensor *t) {
    t->offset = -1;
}
static void break_offset_huge(fm_tensor *t) {
    t->offset = INT64_MAX;
}
static void break_last_stride(fm_tensor *t) {
    t->stride[t->n_dims - 1] = 2;
    t->buf->size *= 4;
}
static void break_stride(fm_tensor *t) {
    t->stride[0] += 1;
}
static void break_stride_negative(fm_tensor *t) {
    t->stride[0] = -1;
}
static void break_stride_huge(fm_tensor *t) {
    t->stride[0] = INT64_MAX / 2;
}

static void break_device(fm_tensor *t) {
    static const char other[] = "no device";
    t->buf->dev = (const fm_device *)(const void *)other;
}

typedef struct tensor_fault {
    const char *what;
    void (*break_tensor)(fm_tensor *t);
} tensor_fault;

static const tensor_fault tensor_faults[] = {
    {"no buffer", break_buffer},
    {"a buffer one byte too small", break_small_buffer},
    {"16-bit elements", break_dtype},
    {"integers for floats or the reverse", break_dtype_of_same_size},
    {"an unknown format", break_dtype_unknown},
    {"one dimension more", break_more_dimensions},
    {"no dimension", break_no_dimension},
    {"very many dimensions", break_many_dimensions},
    {"size 0", break_size_zero},
    {"a negative size", break_size_negative},
    {"a huge size", break_size_huge},
    {"an offset that leaves the buffer", break_offset},
    {"a negative offset", break_offset_negative},
    {"a huge offset", break_offset_huge},
    {"a last stride of 2", break_last_stride},
    {"a stride that leaves the buffer", break_stride},
    {"a negative stride", break_stride_negative},
    {"a huge stride", break_stride_huge},
    {"a buffer of another device", break_device},
};

/* Whether `word` stands in a text as a word of its own. */
static bool says_word(const char *text, const char *word) {
    size_t length = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[length]))
            return true;
    return false;
}

/* 0 when the front finds the fault and names it, else 1, with the reason printed. */
static int32_t check_fault(fm_device *dev, mock *m, const op_call *c, const char *what,
                           const char *says) {
    m->n_calls = 0;
    fm_status status = call_run(dev, c);
    bool found = status == FM_ERR_ARG && m->n_calls == 0;
    if (found && says_word(device_fault(dev), says)) return 0;
    if (found)
        print_error("%s with %s: the fault does not say '%s': %s\n", call_name(c->op), what, says,
                    device_fault(dev));
    else
        print_error("%s with %s: %s, %d calls of the table\n", call_name(c->op), what,
                    fm_status_text(status), m->n_calls);
    return 1;
}

/* An optional tensor without a buffer is absent; a vector has its only stride last. */
static bool is_fault(const call_operand *o, const fm_tensor *t, const tensor_fault *f) {
    if (f->break_tensor == break_buffer) return !o->optional;
    if (f->break_tensor == break_stride) return t->n_dims > 1;
    return true;
}

static void faults_of_every_tensor_are_named(void **state) {
    (void)state;
    mock m = {0};
    int32_t n_missed = 0;
    fm_device *dev = mock_open(&m);
    for (int32_t op = 0; op < OP_COUNT; op++)
        for (const call_operand *o = call_operands((op_kind)op); o->name; o++)
            for (size_t i = 0; i < sizeof tensor_faults / sizeof tensor_faults[0]; i++) {
                op_call c;
                call_init(&c, dev, (op_kind)op);
                fm_tensor *t = call_tensor(&c, o);
                if (!is_fault(o, t, &tensor_faults[i])) continue;
                tensor_faults[i].break_tensor(t);
                n_missed += check_fault(dev, &m, &c, tensor_faults[i].what, o->name);
            }
    assert_int_equal(device_status(dev), FM_OK);
    assert_int_equal(n_missed, 0);
    device_close(dev);
}

/* ---- Faults of an operation ------------------------------------------------------------------ */

/* clang-format off */
#define FAULTS(X) \
    X(embed, fewer_tokens, "tokens", a->tokens.size[0] = 2) \
    X(embed, no_table, "table", a->table = NULL) \
    X(embed, table_of_longer_rows, "size", c->weight.cols = 9) \
    X(embed, two_tables, "matrices", c->weight.n_matrices = 2) \
    X(embed, more_tokens_than_the_step, "tokens", more_tokens(&a->tokens, &a->y)) \
    X(embed, y_on_itself, "itself", a->y.stride[0] = 7) \
    X(embed, y_on_tokens, "tokens", put_on(&a->y, &a->tokens, 0)) \
    X(norm, fewer_rows_of_y, "y", a->y.size[0] = 2) \
    X(norm, shorter_rows_of_y, "y", a->y.size[1] = 7) \
    X(norm, shorter_weight, "weight", a->weight.size[0] = 7) \
    X(norm, negative_eps, "eps", a->eps = -1e-6f) \
    X(norm, eps_not_a_number, "eps", a->eps = NAN) \
    X(norm, more_tokens_than_the_step, "tokens", more_tokens(&a->x, &a->y)) \
    X(norm, y_on_itself, "itself", a->y.stride[0] = 0) \
    X(norm, y_on_weight, "weight", put_on(&a->y, &a->weight, 0)) \
    X(norm, y_partly_on_x, "x", put_on(&a->y, &a->x, 1)) \
    X(norm, y_on_the_next_row_of_x, "x", put_on(&a->y, &a->x, 8)) \
    X(norm, y_on_x_with_other_rows, "x", put_on(&a->y, &a->x, 0); a->y.stride[0] = 9) \
    X(matmul, fewer_rows_of_y, "y", a->y.size[0] = 2) \
    X(matmul, no_weight, "weight", a->w = NULL) \
    X(matmul, weight_of_more_rows, "weight", c->weight.rows = 6) \
    X(matmul, weight_of_more_columns, "weight", c->weight.cols = 9) \
    X(matmul, weight_of_two_matrices, "weight", c->weight.n_matrices = 2) \
    X(matmul, shorter_bias, "bias", a->bias.size[0] = 4) \
    X(matmul, more_tokens_than_the_step, "tokens", more_tokens(&a->x, &a->y)) \
    X(matmul, weight_of_another_device, "device", c->weight.dev = NULL) \
    X(matmul, y_on_itself, "itself", a->y.stride[0] = 4) \
    X(matmul, y_on_x, "x", put_on(&a->y, &a->x, 0)) \
    X(matmul, y_is_x, "x", c->weight.rows = 8; a->bias.buf = NULL; a->y = a->x) \
    X(matmul, y_on_the_end_of_x, "x", put_on(&a->y, &a->x, 23)) \
    X(matmul, y_on_bias, "bias", put_on(&a->y, &a->bias, 0)) \
    X(matmul_heads, fewer_rows_of_y, "y", a->y.size[0] = 2) \
    X(matmul_heads, fewer_heads_of_y, "y", a->y.size[1] = 3) \
    X(matmul_heads, no_weight, "weight", a->w = NULL) \
    X(matmul_heads, weight_of_more_rows, "weight", c->weight.rows = 6) \
    X(matmul_heads, weight_of_more_columns, "weight", c->weight.cols = 9) \
    X(matmul_heads, weight_of_fewer_heads, "weight", c->weight.n_matrices = 3) \
    X(matmul_heads, more_tokens_than_the_step, "tokens", more_tokens(&a->x, &a->y)) \
    X(matmul_heads, y_on_x, "x", put_on(&a->y, &a->x, 0)) \
    X(rope, fewer_rows_of_y, "y", a->y.size[0] = 2) \
    X(rope, fewer_heads_of_y, "y", a->y.size[1] = 3) \
    X(rope, shorter_heads_of_y, "y", a->y.size[2] = 6) \
    X(rope, odd_heads, "x", a->x.size[2] = a->y.size[2] = 7; a->table.size[1] = 3) \
    X(rope, fewer_positions, "positions", a->positions.size[0] = 2) \
    X(rope, table_of_fewer_pairs, "table", a->table.size[1] = 3) \
    X(rope, table_without_sines, "table", a->table.size[2] = 1) \
    X(rope, table_of_pairs_apart, "table", a->table.stride[1] = 4; a->table.buf->size *= 2) \
    X(rope, unknown_pairing, "pairing", a->pairing = (fm_rope_pairing)2) \
    X(rope, more_tokens_than_the_step, "tokens", more_tokens(&a->x, &a->y); \
      more_tokens(&a->positions, &a->y)) \
    X(rope, y_on_itself, "itself", a->y.stride[1] = 7) \
    X(rope, y_partly_on_x, "x", put_on(&a->y, &a->x, 2)) \
    X(rope, y_on_table, "table", put_on(&a->y, &a->table, 0)) \
    X(rope, y_on_positions, "positions", put_on(&a->y, &a->positions, 0)) \
    X(cache_write, fewer_rows, "rows", a->rows.size[0] = 2) \
    X(cache_write, cache_of_fewer_heads, "cache", a->cache.size[1] = 1) \
    X(cache_write, cache_of_shorter_rows, "cache", a->cache.size[2] = 7) \
    X(cache_write, more_tokens_than_the_step, "tokens", more_tokens(&a->x, &a->rows)) \
    X(cache_write, cache_on_x, "x", put_on(&a->cache, &a->x, 0)) \
    X(cache_write, cache_on_rows, "rows", put_on(&a->cache, &a->rows, 0)) \
    X(attend, fewer_rows_of_y, "y", a->y.size[0] = 2) \
    X(attend, fewer_heads_of_y, "y", a->y.size[1] = 4) \
    X(attend, shorter_heads_of_y, "v", a->y.size[2] = 4) \
    X(attend, shorter_keys, "k", a->k.size[2] = 7) \
    X(attend, fewer_values, "v", a->v.size[0] = 64) \
    X(attend, values_of_fewer_heads, "v", a->v.size[1] = 1) \
    X(attend, values_of_another_format, "format", a->v.dtype = FM_DTYPE_BF16) \
    X(attend, heads_not_divided, "heads", a->q.size[1] = a->y.size[1] = 5) \
    X(attend, fewer_positions, "positions", a->positions.size[0] = 2) \
    X(attend, fewer_sequences, "sequence", a->sequences.size[0] = 2) \
    X(attend, more_sequences_than_opened, "sequences", more_pages(&a->pages, 3, 1)) \
    X(attend, more_pages_than_the_context, "pages", more_pages(&a->pages, 1, 3)) \
    X(attend, values_too_long, "v", long_values(a)) \
    X(attend, more_tokens_than_the_step, "tokens", more_tokens(&a->q, &a->y); \
      more_tokens(&a->positions, &a->sequences)) \
    X(attend, negative_window, "window", a->window = -1) \
    X(attend, y_on_q, "q", put_on(&a->y, &a->q, 0)) \
    X(attend, y_on_k, "k", put_on(&a->y, &a->k, 0)) \
    X(attend, y_on_v, "v", put_on(&a->y, &a->v, 0)) \
    X(attend, y_on_positions, "positions", put_on(&a->y, &a->positions, 0)) \
    X(attend, y_on_sequences, "sequences", put_on(&a->y, &a->sequences, 0)) \
    X(attend, y_on_pages, "pages", put_on(&a->y, &a->pages, 0)) \
    X(gather_rows, shorter_rows_of_y, "y", a->y.size[1] = 7) \
    X(gather_rows, fewer_index_rows, "rows", a->weights.buf = NULL; a->rows.size[0] = 2) \
    X(gather_rows, fewer_weight_rows, "weights", a->weights.size[0] = 2) \
    X(gather_rows, fewer_weights, "weights", a->weights.size[1] = 1) \
    X(gather_rows, more_rows_than_the_step, "rows", more_rows(&a->y, &a->rows); \
      a->weights.buf = NULL) \
    X(gather_rows, y_on_x, "x", put_on(&a->y, &a->x, 0)) \
    X(gather_rows, y_on_weights, "weights", put_on(&a->y, &a->weights, 0)) \
    X(gather_rows, y_on_rows, "rows", put_on(&a->y, &a->rows, 0)) \
    X(matmul_experts, fewer_rows_of_y, "y", a->y.size[0] = 2) \
    X(matmul_experts, no_weight, "weight", a->w = NULL) \
    X(matmul_experts, weight_of_more_rows, "weight", c->weight.rows = 6) \
    X(matmul_experts, weight_of_more_columns, "weight", c->weight.cols = 9) \
    X(matmul_experts, fewer_offsets, "matrices", a->offsets.size[0] = 4) \
    X(matmul_experts, more_rows_than_the_step, "rows", more_rows(&a->x, &a->y)) \
    X(matmul_experts, y_on_x, "x", put_on(&a->y, &a->x, 0)) \
    X(matmul_experts, y_on_offsets, "offsets", put_on(&a->y, &a->offsets, 0)) \
    X(gate_mul, fewer_rows_of_up, "up", a->up.size[0] = 2) \
    X(gate_mul, shorter_rows_of_up, "up", a->up.size[1] = 7) \
    X(gate_mul, fewer_rows_of_y, "y", a->y.size[0] = 2) \
    X(gate_mul, shorter_rows_of_y, "y", a->y.size[1] = 7) \
    X(gate_mul, more_rows_than_the_step, "rows", more_rows(&a->gate, &a->up); \
      more_rows(&a->y, &a->gate)) \
    X(gate_mul, y_partly_on_gate, "gate", put_on(&a->y, &a->gate, 1)) \
    X(gate_mul, y_partly_on_up, "up", put_on(&a->y, &a->up, 1)) \
    X(head_topk, fewer_offsets, "edit_offsets", a->edit_offsets.size[0] = 3) \
    X(head_topk, fewer_scales, "edit_scales", a->edit_scales.size[0] = 8) \
    X(head_topk, fewer_adds, "edit_adds", a->edit_adds.size[0] = 8) \
    X(head_topk, fewer_rows_of_the_mask, "mask", a->mask.size[0] = 2) \
    X(head_topk, shorter_mask, "mask", a->mask.size[1] = 2) \
    X(head_topk, fewer_temperatures, "temperatures", a->temperatures.size[0] = 2) \
    X(head_topk, fewer_rows_of_ids, "ids", a->ids.size[0] = 2) \
    X(head_topk, fewer_candidates, "values", a->ids.size[1] = 4) \
    X(head_topk, fewer_values, "values", a->values.size[1] = 4) \
    X(head_topk, fewer_rows_of_raw, "raw", a->raw.size[0] = 2) \
    X(head_topk, fewer_best_raw, "best_raw", a->best_raw.size[1] = 1) \
    X(head_topk, three_sums, "sums", a->sums.size[1] = 3) \
    X(head_topk, more_candidates_than_a_task_keeps, "ids", many_candidates(a)) \
    X(head_topk, more_ids_than_an_i32, "ids", many_ids(a)) \
    X(head_topk, more_rows_than_the_step, "tokens", more_tokens(&a->logits, &a->ids)) \
    X(head_topk, ids_on_themselves, "itself", a->ids.stride[0] = 4) \
    X(head_topk, ids_on_logits, "logits", put_on(&a->ids, &a->logits, 1)) \
    X(head_topk, values_on_logits, "logits", put_on(&a->values, &a->logits, 1)) \
    X(head_topk, raw_on_logits, "logits", put_on(&a->raw, &a->logits, 1)) \
    X(head_topk, best_ids_on_logits, "logits", put_on(&a->best_ids, &a->logits, 1)) \
    X(head_topk, best_raw_on_logits, "logits", put_on(&a->best_raw, &a->logits, 1)) \
    X(head_topk, sums_on_logits, "logits", put_on(&a->sums, &a->logits, 1)) \
    X(head_topk, sums_on_edit_offsets, "edit_offsets", put_on(&a->sums, &a->edit_offsets, 0)) \
    X(head_topk, sums_on_edit_ids, "edit_ids", put_on(&a->sums, &a->edit_ids, 0)) \
    X(head_topk, sums_on_edit_scales, "edit_scales", put_on(&a->sums, &a->edit_scales, 0)) \
    X(head_topk, sums_on_edit_adds, "edit_adds", put_on(&a->sums, &a->edit_adds, 0)) \
    X(head_topk, sums_on_mask, "mask", put_on(&a->sums, &a->mask, 0)) \
    X(head_topk, sums_on_temperatures, "temperatures", put_on(&a->sums, &a->temperatures, 0)) \
    X(head_topk, values_on_raw, "values", put_on(&a->values, &a->raw, 0)) \
    X(head_topk, best_raw_on_ids, "best_raw", put_on(&a->best_raw, &a->ids, 0)) \
    X(route, more_tokens_than_the_step, "tokens", more_tokens(&a->logits, &a->weights)) \
    X(route, more_rows_than_the_step, "rows", more_slots(a, 3)) \
    X(route, more_experts_than_a_task_keeps, "experts", more_slots(a, FM_HEAD_TOP_MAX + 1)) \
    X(route, shorter_bias, "bias", a->bias.size[0] = 7) \
    X(route, fewer_rows_of_weights, "weights", a->weights.size[0] = 2) \
    X(route, fewer_rows_of_experts, "experts", a->experts.size[0] = 2) \
    X(route, fewer_experts_than_weights, "experts", a->experts.size[1] = 1) \
    X(route, fewer_slot_rows, "slot_row", a->slot_row.size[1] = 1) \
    X(route, fewer_tokens_of_rows, "row_token", a->row_token.size[0] = 5) \
    X(route, two_tokens_of_a_row, "row_token", a->row_token.buf->size *= 2; \
      a->row_token = tensor_2d(a->row_token.buf, FM_DTYPE_I32, 6, 2)) \
    X(route, fewer_offsets, "offsets", a->offsets.size[0] = 8) \
    X(route, no_groups, "groups", a->n_groups = 0) \
    X(route, groups_of_uneven_size, "groups", a->n_groups = 3) \
    X(route, no_group_kept, "groups", a->top_groups = 0) \
    X(route, more_groups_kept_than_there_are, "groups", a->top_groups = 5) \
    X(route, more_experts_than_the_groups_have, "groups", a->n_groups = 8; a->top_groups = 1) \
    X(route, experts_on_themselves, "itself", a->experts.stride[0] = 1) \
    X(route, experts_on_logits, "plan", put_on(&a->experts, &a->logits, 1)) \
    X(route, weights_on_bias, "plan", put_on(&a->weights, &a->bias, 1)) \
    X(route, offsets_on_logits, "plan", put_on(&a->offsets, &a->logits, 1)) \
    X(route, row_token_on_weights, "plan", put_on(&a->row_token, &a->weights, 1)) \
    X(route, slot_row_on_experts, "plan", put_on(&a->slot_row, &a->experts, 0))
/* clang-format on */

/* Two tensors of one token more than the mock was opened for. */
static void more_tokens(fm_tensor *t, fm_tensor *u) {
    t->size[0] = u->size[0] = mock_params.max_tokens + 1;
    t->buf->size *= 2;
    u->buf->size *= 2;
}

/* Two tensors of one row more than the mock was opened for. */
static void more_rows(fm_tensor *t, fm_tensor *u) {
    t->size[0] = u->size[0] = mock_params.max_rows + 1;
    t->buf->size *= 4;
    u->buf->size *= 4;
}

static void more_pages(fm_tensor *pages, int64_t n_sequences, int64_t n_pages) {
    *pages = tensor_2d(pages->buf, FM_DTYPE_I32, n_sequences, n_pages);
}

static void long_values(fm_attend *a) {
    a->v.buf->size = a->y.buf->size = 1u << 24;
    a->v = tensor_3d(a->v.buf, FM_DTYPE_F32, 128, 2, FM_VALUE_DIM_MAX + 1);
    a->y = tensor_3d(a->y.buf, FM_DTYPE_F32, 3, 6, FM_VALUE_DIM_MAX + 1);
}

static void many_candidates(fm_head_topk *a) {
    fm_tensor *lists[] = {&a->ids, &a->values, &a->raw};
    for (int i = 0; i < 3; i++) {
        lists[i]->buf->size = 1u << 16;
        lists[i]->size[1] = lists[i]->stride[0] = FM_HEAD_TOP_MAX + 1;
    }
}

/* So many experts for each token. */
static void more_slots(fm_route *a, int64_t top_k) {
    fm_tensor *lists[] = {&a->experts, &a->weights, &a->slot_row};
    for (int i = 0; i < 3; i++) {
        lists[i]->buf->size = 1u << 16;
        lists[i]->size[1] = lists[i]->stride[0] = top_k;
    }
    a->row_token.buf->size = 1u << 16;
    a->row_token.size[0] = a->logits.size[0] * top_k;
}

static void many_ids(fm_head_topk *a) {
    a->logits.buf->size = SIZE_MAX / 2;
    a->logits.size[1] = a->logits.stride[0] = (int64_t)INT32_MAX + 1;
}

#define FAULT_FUNCTION(op, name, says, ...)                                                        \
    static void op##_##name(op_call *c) {                                                          \
        fm_##op *a = &c->args.op;                                                                  \
        (void)a;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
FAULTS(FAULT_FUNCTION)

typedef struct op_fault {
    op_kind op;
    const char *what;
    const char *says;
    void (*break_call)(op_call *c);
} op_fault;

static const op_fault op_faults[] = {
#define FAULT_ROW(op, name, says, ...) {OP_##op, #name, says, op##_##name},
    FAULTS(FAULT_ROW)};

static void faults_of_every_operation_are_named(void **state) {
    (void)state;
    mock m = {0};
    bool covered[OP_COUNT] = {false};
    int32_t n_missed = 0;
    fm_device *dev = mock_open(&m);
    for (size_t i = 0; i < sizeof op_faults / sizeof op_faults[0]; i++) {
        op_call c;
        call_init(&c, dev, op_faults[i].op);
        op_faults[i].break_call(&c);
        n_missed += check_fault(dev, &m, &c, op_faults[i].what, op_faults[i].says);
        covered[op_faults[i].op] = true;
    }
    for (int32_t op = 0; op < OP_COUNT; op++)
        if (!covered[op]) fail_msg("%s has no fault of its own", call_name((op_kind)op));
    assert_int_equal(n_missed, 0);
    device_close(dev);
}

/* ---- Suspicious and allowed ------------------------------------------------------------------ */

/* Two tensors [T, n] as column slices of the rows of one buffer, which starts inside a row. */
static void share_rows(fm_tensor *left, fm_tensor *right) {
    int64_t n_left = left->size[1], n_right = right->size[1];
    left->buf->size += right->buf->size + 20;
    right->buf = left->buf;
    left->stride[0] = right->stride[0] = n_left + n_right;
    left->offset = 5;
    right->offset = 5 + n_left;
}

/* clang-format off */
#define ALLOWED(X) \
    X(norm, in_place, a->y = a->x) \
    X(norm, y_behind_x, put_on(&a->y, &a->x, 24)) \
    X(norm, y_before_x, put_on(&a->x, &a->y, 24)) \
    X(norm, y_in_the_columns_beside_x, share_rows(&a->x, &a->y)) \
    X(norm, y_in_the_columns_before_x, share_rows(&a->y, &a->x)) \
    X(matmul, without_bias, a->bias = (fm_tensor){0}) \
    X(matmul, accumulated, a->accumulate = true) \
    X(matmul, y_in_the_columns_beside_x, share_rows(&a->x, &a->y)) \
    X(matmul, bias_in_the_buffer_of_x, put_on(&a->bias, &a->x, 0)) \
    X(rope, in_place, a->y = a->x) \
    X(cache_write, bf16_cache, a->cache.dtype = FM_DTYPE_BF16) \
    X(attend, bf16_caches, a->k.dtype = a->v.dtype = FM_DTYPE_BF16) \
    X(attend, a_window_of_one_key, a->window = 1) \
    X(attend, a_window_beyond_all_keys, a->window = INT32_MAX) \
    X(attend, v_as_a_part_of_k, a->v = tensor_slice(a->k, 2, 0, 5)) \
    X(attend, one_sequence_of_one_page, more_pages(&a->pages, 1, 1)) \
    X(attend, one_head_for_all, a->k.size[1] = a->v.size[1] = 1) \
    X(gather_rows, without_weights, a->weights = (fm_tensor){0}) \
    X(gate_mul, in_place_of_gate, a->y = a->gate) \
    X(gate_mul, in_place_of_up, a->y = a->up) \
    X(gate_mul, gate_is_up, a->up = a->gate) \
    X(gate_mul, in_place_of_the_left_half, share_rows(&a->gate, &a->up); a->y = a->gate) \
    X(gate_mul, in_place_of_the_right_half, share_rows(&a->gate, &a->up); a->y = a->up) \
    X(head_topk, without_edits, a->edit_offsets = a->edit_ids = (fm_tensor){0}; \
      a->edit_scales = a->edit_adds = (fm_tensor){0}) \
    X(head_topk, without_mask, a->mask = (fm_tensor){0}) \
    X(head_topk, without_the_best_raw, a->best_ids = a->best_raw = (fm_tensor){0}) \
    X(head_topk, more_candidates_than_ids, a->logits.size[1] = 2; a->mask.size[1] = 1) \
    X(head_topk, as_many_ids_as_the_mask_has_bits, a->logits.size[1] = 65) \
    X(head_topk, ids_in_the_columns_beside_values, share_rows(&a->ids, &a->values)) \
    X(route, without_bias, a->bias = (fm_tensor){0}) \
    X(route, without_groups, a->n_groups = a->top_groups = 1)
/* clang-format on */

#define ALLOWED_FUNCTION(op, name, ...)                                                            \
    static void op##_allowed_##name(op_call *c) {                                                  \
        fm_##op *a = &c->args.op;                                                                  \
        (void)a;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
ALLOWED(ALLOWED_FUNCTION)

static const op_fault allowed_calls[] = {
#define ALLOWED_ROW(op, name, ...) {OP_##op, #name, "", op##_allowed_##name},
    ALLOWED(ALLOWED_ROW)};

static void faults_are_not_seen_in_allowed_calls(void **state) {
    (void)state;
    mock m = {0};
    fm_device *dev = mock_open(&m);
    for (size_t i = 0; i < sizeof allowed_calls / sizeof allowed_calls[0]; i++) {
        op_call c;
        call_init(&c, dev, allowed_calls[i].op);
        allowed_calls[i].break_call(&c);
        m.n_calls = 0;
        if (call_run(dev, &c) != FM_OK)
            fail_msg("%s, %s: %s", call_name(c.op), allowed_calls[i].what, device_fault(dev));
        assert_int_equal(m.n_calls, 1);
    }
    device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_every_tensor_are_named),
        cmocka_unit_test(faults_of_every_operation_are_named),
        cmocka_unit_test(faults_are_not_seen_in_allowed_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
