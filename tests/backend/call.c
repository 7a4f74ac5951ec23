/* call.c - owns the valid calls. T = 3 tokens, 2 sequences, small sizes that all differ. */
#include "call.h"

static fm_buf *fresh_buf(op_call *c, fm_dtype dtype, int64_t count) {
    fm_buf *buf = &c->bufs[c->n_bufs++];
    *buf = (fm_buf){c->dev, (size_t)count * fm_dtype_size(dtype)};
    return buf;
}

static fm_tensor f32_1d(op_call *c, int64_t n0) {
    return tensor_1d(fresh_buf(c, FM_DTYPE_F32, n0), FM_DTYPE_F32, n0);
}

static fm_tensor f32_2d(op_call *c, int64_t n0, int64_t n1) {
    return tensor_2d(fresh_buf(c, FM_DTYPE_F32, n0 * n1), FM_DTYPE_F32, n0, n1);
}

static fm_tensor f32_3d(op_call *c, int64_t n0, int64_t n1, int64_t n2) {
    return tensor_3d(fresh_buf(c, FM_DTYPE_F32, n0 * n1 * n2), FM_DTYPE_F32, n0, n1, n2);
}

static fm_tensor i32_1d(op_call *c, int64_t n0) {
    return tensor_1d(fresh_buf(c, FM_DTYPE_I32, n0), FM_DTYPE_I32, n0);
}

static fm_tensor i32_2d(op_call *c, int64_t n0, int64_t n1) {
    return tensor_2d(fresh_buf(c, FM_DTYPE_I32, n0 * n1), FM_DTYPE_I32, n0, n1);
}

static const fm_weight *weight(op_call *c, int32_t n_matrices, int64_t rows, int64_t cols) {
    c->weight = (fm_weight){
        .dev = c->dev, .n_matrices = n_matrices, .rows = rows, .cols = cols, .dtype = FM_DTYPE_F32};
    return &c->weight;
}

/* A table in the form of a switch, since tensors point into the call: one case an operation. */
void call_init(op_call *c, const fm_device *dev, op_kind op) {
    *c = (op_call){.op = op, .dev = dev};
    op_args *a = &c->args;
    switch (op) {
    case OP_embed:
        a->embed =
            (fm_embed){.tokens = i32_1d(c, 3), .table = weight(c, 1, 11, 8), .y = f32_2d(c, 3, 8)};
        break;
    case OP_norm:
        a->norm = (fm_norm){
            .x = f32_2d(c, 3, 8), .weight = f32_1d(c, 8), .eps = 0.5f, .y = f32_2d(c, 3, 8)};
        break;
    case OP_matmul:
        a->matmul = (fm_matmul){.x = f32_2d(c, 3, 8),
                                .w = weight(c, 1, 5, 8),
                                .bias = f32_1d(c, 5),
                                .y = f32_2d(c, 3, 5)};
        break;
    case OP_matmul_heads:
        a->matmul_heads = (fm_matmul_heads){
            .x = f32_3d(c, 3, 4, 8), .w = weight(c, 4, 5, 8), .y = f32_3d(c, 3, 4, 5)};
        break;
    case OP_rope:
        a->rope = (fm_rope){.x = f32_3d(c, 3, 4, 8),
                            .positions = i32_1d(c, 3),
                            .table = f32_3d(c, 10, 4, 2),
                            .y = f32_3d(c, 3, 4, 8)};
        break;
    case OP_cache_write:
        a->cache_write = (fm_cache_write){
            .x = f32_3d(c, 3, 2, 8), .rows = i32_1d(c, 3), .cache = f32_3d(c, 64, 2, 8)};
        break;
    case OP_attend:
        a->attend = (fm_attend){.q = f32_3d(c, 3, 6, 8),
                                .k = f32_3d(c, 128, 2, 8),
                                .v = f32_3d(c, 128, 2, 5),
                                .positions = i32_1d(c, 3),
                                .sequences = i32_1d(c, 3),
                                .pages = i32_2d(c, 2, 2),
                                .scale = 0.25f,
                                .y = f32_3d(c, 3, 6, 5)};
        break;
    case OP_gather_rows:
        a->gather_rows = (fm_gather_rows){.x = f32_2d(c, 7, 8),
                                          .rows = i32_2d(c, 3, 2),
                                          .weights = f32_2d(c, 3, 2),
                                          .y = f32_2d(c, 3, 8)};
        break;
    case OP_matmul_experts:
        a->matmul_experts = (fm_matmul_experts){.x = f32_2d(c, 3, 8),
                                                .w = weight(c, 4, 5, 8),
                                                .offsets = i32_1d(c, 5),
                                                .y = f32_2d(c, 3, 5)};
        break;
    case OP_gate_mul:
        a->gate_mul =
            (fm_gate_mul){.gate = f32_2d(c, 3, 8), .up = f32_2d(c, 3, 8), .y = f32_2d(c, 3, 8)};
        break;
    case OP_head_topk:
        a->head_topk = (fm_head_topk){.logits = f32_2d(c, 3, 70),
                                      .edit_offsets = i32_1d(c, 4),
                                      .edit_ids = i32_1d(c, 9),
                                      .edit_scales = f32_1d(c, 9),
                                      .edit_adds = f32_1d(c, 9),
                                      .mask = i32_2d(c, 3, 3),
                                      .temperatures = f32_1d(c, 3),
                                      .ids = i32_2d(c, 3, 5),
                                      .values = f32_2d(c, 3, 5),
                                      .raw = f32_2d(c, 3, 5),
                                      .best_ids = i32_2d(c, 3, 2),
                                      .best_raw = f32_2d(c, 3, 2),
                                      .sums = f32_2d(c, 3, 4)};
        break;
    case OP_route:
        a->route = (fm_route){.logits = f32_2d(c, 3, 8),
                              .bias = f32_1d(c, 8),
                              .n_groups = 4,
                              .top_groups = 2,
                              .scale = 1.0f,
                              .experts = i32_2d(c, 3, 2),
                              .weights = f32_2d(c, 3, 2),
                              .offsets = i32_1d(c, 9),
                              .row_token = i32_2d(c, 6, 1),
                              .slot_row = i32_2d(c, 3, 2)};
        break;
    case OP_COUNT:
        break;
    }
}

fm_status call_run(fm_device *dev, const op_call *c) {
    switch (c->op) {
#define RUN(name)                                                                                  \
    case OP_##name:                                                                                \
        return op_##name(dev, &c->args.name);
        FM_OP_ALL_LIST(RUN)
    default:
        return FM_ERR_ARG;
    }
}

const char *call_name(op_kind op) {
    static const char *const names[] = {
#define NAME(name) #name,
        FM_OP_ALL_LIST(NAME)};
    return names[op];
}

/* clang-format off */
#define REQUIRED(op, field) \
    { #field, offsetof(fm_##op, field), false }
#define OPTIONAL(op, field) \
    { #field, offsetof(fm_##op, field), true }

static const call_operand operands[OP_COUNT][CALL_MAX_OPERANDS + 1] = {
    [OP_route] = {REQUIRED(route, logits), OPTIONAL(route, bias), REQUIRED(route, experts),
                  REQUIRED(route, weights), REQUIRED(route, offsets), REQUIRED(route, row_token),
                  REQUIRED(route, slot_row)},
    [OP_embed] = {REQUIRED(embed, tokens), REQUIRED(embed, y)},
    [OP_norm] = {REQUIRED(norm, x), REQUIRED(norm, weight), REQUIRED(norm, y)},
    [OP_matmul] = {REQUIRED(matmul, x), OPTIONAL(matmul, bias), REQUIRED(matmul, y)},
    [OP_matmul_heads] = {REQUIRED(matmul_heads, x), REQUIRED(matmul_heads, y)},
    [OP_rope] = {REQUIRED(rope, x), REQUIRED(rope, positions), REQUIRED(rope, table),
                 REQUIRED(rope, y)},
    [OP_cache_write] = {REQUIRED(cache_write, x), REQUIRED(cache_write, rows),
                        REQUIRED(cache_write, cache)},
    [OP_attend] = {REQUIRED(attend, q), REQUIRED(attend, k), REQUIRED(attend, v),
                   REQUIRED(attend, positions), REQUIRED(attend, sequences),
                   REQUIRED(attend, pages), REQUIRED(attend, y)},
    [OP_gather_rows] = {REQUIRED(gather_rows, x), REQUIRED(gather_rows, rows),
                        OPTIONAL(gather_rows, weights), REQUIRED(gather_rows, y)},
    [OP_matmul_experts] = {REQUIRED(matmul_experts, x), REQUIRED(matmul_experts, offsets),
                           REQUIRED(matmul_experts, y)},
    [OP_gate_mul] = {REQUIRED(gate_mul, gate), REQUIRED(gate_mul, up), REQUIRED(gate_mul, y)},
    [OP_head_topk] = {REQUIRED(head_topk, logits), OPTIONAL(head_topk, edit_offsets),
                      REQUIRED(head_topk, edit_ids), REQUIRED(head_topk, edit_scales),
                      REQUIRED(head_topk, edit_adds), OPTIONAL(head_topk, mask),
                      REQUIRED(head_topk, temperatures), REQUIRED(head_topk, ids),
                      REQUIRED(head_topk, values), REQUIRED(head_topk, raw),
                      OPTIONAL(head_topk, best_ids), REQUIRED(head_topk, best_raw),
                      REQUIRED(head_topk, sums)},
};
/* clang-format on */

const call_operand *call_operands(op_kind op) {
    return operands[op];
}

fm_tensor *call_tensor(op_call *c, const call_operand *operand) {
    return (fm_tensor *)(void *)((uint8_t *)&c->args + operand->offset);
}
