/*
 * backend_profile.c - what the checking front counts: calls, seconds and bytes of every kind of
 * call. How bytes are counted is said beside device_profile.
 */
#include <string.h>

#include "backend_front.h"
#include "base/os.h"

/* ---- Counting -------------------------------------------------------------------------------- */

fm_status front_begin(fm_device *dev, double *start) {
    *start = 0.0;
    FM_TRY(front_injected_status(dev, FM_FAULT_OP));
    if (dev->profiling) *start = os_seconds();
    return FM_OK;
}

fm_status front_end(fm_device *dev, front_call call, double start, uint64_t bytes,
                    fm_status status) {
    if (dev->profiling && status == FM_OK) {
        front_count *count = &dev->counts[call];
        count->calls++;
        count->seconds += os_seconds() - start;
        count->bytes += bytes;
    }
    return front_keep_loss(dev, status);
}

void device_profile(fm_device *dev, bool on) {
    if (on) memset(dev->counts, 0, sizeof dev->counts);
    dev->profiling = on;
    if (dev->backend->profile) dev->backend->profile(dev->state, on);
}

int32_t device_profile_get(const fm_device *dev, fm_profile_row rows[FM_PROFILE_ROWS_MAX]) {
    static const char *const names[FRONT_CALL_COUNT] = {
#define PROFILE_NAME(name) #name,
        FRONT_CALL_LIST(PROFILE_NAME)
#undef PROFILE_NAME
    };
    _Static_assert((int)FRONT_CALL_COUNT == (int)FM_PROFILE_ROWS_MAX,
                   "a row for each kind of call");
    double seconds[FM_OP_COUNT] = {0};
    bool own_clock = dev->backend->op_seconds != NULL;
    if (own_clock) dev->backend->op_seconds(dev->state, seconds);
    int32_t n = 0;
    for (int32_t call = 0; call < FRONT_CALL_COUNT; call++) {
        const front_count *count = &dev->counts[call];
        if (count->calls == 0) continue;
        double took = own_clock && call < FM_OP_COUNT ? seconds[call] : count->seconds;
        rows[n++] = (fm_profile_row){names[call], count->calls, took, count->bytes};
    }
    return n;
}

/* ---- Bytes that an operation moves ----------------------------------------------------------- */

static uint64_t row_bytes(const fm_tensor *t) {
    uint64_t bytes = fm_dtype_size(t->dtype);
    for (int32_t d = 1; d < t->n_dims; d++) bytes *= (uint64_t)t->size[d];
    return bytes;
}

/** 0 for the tensor that is none, as an absent bias. */
static uint64_t tensor_bytes(const fm_tensor *t) {
    return t->buf ? (uint64_t)t->size[0] * row_bytes(t) : 0;
}

/** An output is written, and read before where it is added to. */
static uint64_t output_bytes(const fm_tensor *y, bool accumulate) {
    return tensor_bytes(y) * (accumulate ? 2 : 1);
}

static uint64_t weight_row_bytes(const fm_weight *w) {
    return (uint64_t)w->cols * fm_dtype_size(w->dtype);
}

static uint64_t matrix_bytes(const fm_weight *w) {
    return (uint64_t)w->rows * weight_row_bytes(w);
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t traffic_embed(const fm_embed *a) {
    uint64_t n_tokens = (uint64_t)a->tokens.size[0];
    return tensor_bytes(&a->tokens) + n_tokens * weight_row_bytes(a->table) + tensor_bytes(&a->y);
}

uint64_t traffic_norm(const fm_norm *a) {
    return tensor_bytes(&a->x) + tensor_bytes(&a->weight) + tensor_bytes(&a->y);
}

uint64_t traffic_matmul(const fm_matmul *a) {
    return tensor_bytes(&a->x) + matrix_bytes(a->w) + tensor_bytes(&a->bias) +
           output_bytes(&a->y, a->accumulate);
}

uint64_t traffic_matmul_heads(const fm_matmul_heads *a) {
    return tensor_bytes(&a->x) + (uint64_t)a->w->n_matrices * matrix_bytes(a->w) +
           tensor_bytes(&a->y);
}

uint64_t traffic_rope(const fm_rope *a) {
    uint64_t n_tokens = (uint64_t)a->positions.size[0];
    return tensor_bytes(&a->x) + tensor_bytes(&a->positions) + n_tokens * row_bytes(&a->table) +
           tensor_bytes(&a->y);
}

uint64_t traffic_cache_write(const fm_cache_write *a) {
    uint64_t n_tokens = (uint64_t)a->rows.size[0];
    return tensor_bytes(&a->x) + tensor_bytes(&a->rows) + n_tokens * row_bytes(&a->cache);
}

uint64_t traffic_attend(const fm_attend *a) {
    return tensor_bytes(&a->q) + tensor_bytes(&a->positions) + tensor_bytes(&a->sequences) +
           tensor_bytes(&a->y);
}

uint64_t traffic_gather_rows(const fm_gather_rows *a) {
    uint64_t n_indices = (uint64_t)a->rows.size[0] * (uint64_t)a->rows.size[1];
    uint64_t n_read = smaller(n_indices, (uint64_t)a->x.size[0]);
    return tensor_bytes(&a->rows) + tensor_bytes(&a->weights) + n_read * row_bytes(&a->x) +
           output_bytes(&a->y, a->accumulate);
}

uint64_t traffic_matmul_experts(const fm_matmul_experts *a) {
    uint64_t n_matrices = smaller((uint64_t)a->x.size[0], (uint64_t)a->w->n_matrices);
    return tensor_bytes(&a->x) + tensor_bytes(&a->offsets) + n_matrices * matrix_bytes(a->w) +
           tensor_bytes(&a->y);
}

uint64_t traffic_gate_mul(const fm_gate_mul *a) {
    return tensor_bytes(&a->gate) + tensor_bytes(&a->up) + tensor_bytes(&a->y);
}

uint64_t traffic_head_topk(const fm_head_topk *a) {
    return tensor_bytes(&a->logits) + tensor_bytes(&a->edit_offsets) + tensor_bytes(&a->edit_ids) +
           tensor_bytes(&a->edit_scales) + tensor_bytes(&a->edit_adds) + tensor_bytes(&a->mask) +
           tensor_bytes(&a->temperatures) + tensor_bytes(&a->ids) + tensor_bytes(&a->values) +
           tensor_bytes(&a->raw) + tensor_bytes(&a->best_ids) + tensor_bytes(&a->best_raw) +
           tensor_bytes(&a->sums);
}

uint64_t traffic_route(const fm_route *a) {
    return tensor_bytes(&a->logits) + tensor_bytes(&a->bias) + tensor_bytes(&a->experts) +
           tensor_bytes(&a->weights) + tensor_bytes(&a->offsets) + tensor_bytes(&a->row_token) +
           tensor_bytes(&a->slot_row);
}
