/*
 * backend_ops.c - the checking front, second half: the only place that looks at shapes, formats,
 * bounds and overlaps of operations.
 */
#include "backend_front.h"

#define F32 FM_DTYPE_F32
#define I32 FM_DTYPE_I32

/* ---- What checks are made of ------------------------------------------------------------------ */

static bool check_size(fm_device *dev, const char *name, int64_t have, int64_t want) {
    if (have == want) return true;
    return front_fault(dev, "%s is %lld and should be %lld", name, (long long)have,
                       (long long)want);
}

/** An output: a tensor none of whose elements share memory. */
static bool check_output_of(fm_device *dev, const char *name, const fm_tensor *t, fm_dtype dtype,
                            int32_t n_dims) {
    if (!front_check_tensor(dev, name, t, dtype, n_dims)) return false;
    int64_t inner = 1;
    for (int32_t d = n_dims - 1; d >= 0; d--) {
        if (t->size[d] > 1 && t->stride[d] < inner)
            return front_fault(dev, "%s overlaps itself", name);
        inner += (t->size[d] - 1) * t->stride[d];
    }
    return true;
}

static bool check_output(fm_device *dev, const char *name, const fm_tensor *t, int32_t n_dims) {
    return check_output_of(dev, name, t, F32, n_dims);
}

static bool check_rows(fm_device *dev, int64_t n_rows) {
    int32_t max = dev->params.max_rows > dev->params.max_tokens ? dev->params.max_rows
                                                                : dev->params.max_tokens;
    if (n_rows <= max) return true;
    return front_fault(dev, "%lld rows in a step opened for %d", (long long)n_rows, (int)max);
}

static bool check_tokens(fm_device *dev, int64_t n_tokens) {
    if (n_tokens <= dev->params.max_tokens) return true;
    return front_fault(dev, "%lld tokens in a step opened for %d", (long long)n_tokens,
                       (int)dev->params.max_tokens);
}

static bool same_view(const fm_tensor *a, const fm_tensor *b) {
    if (a->buf != b->buf || a->offset != b->offset || a->n_dims != b->n_dims) return false;
    for (int32_t d = 0; d < a->n_dims; d++)
        if (a->size[d] != b->size[d] || a->stride[d] != b->stride[d]) return false;
    return true;
}

/** Elements from the first to the last of one row (all dimensions but the first), plus one. */
static int64_t row_extent(const fm_tensor *t) {
    int64_t extent = 1;
    for (int32_t d = 1; d < t->n_dims; d++) extent += (t->size[d] - 1) * t->stride[d];
    return extent;
}

/** Whether two views share an element. Exact for views whose rows have the same stride, as column
 *  slices of one matrix have; for others it answers by the ranges they span. */
static bool overlaps(const fm_tensor *a, const fm_tensor *b) {
    if (a->buf != b->buf) return false;
    int64_t size_a = (int64_t)fm_dtype_size(a->dtype), size_b = (int64_t)fm_dtype_size(b->dtype);
    int64_t end_a = tensor_extent(a) * size_a, end_b = tensor_extent(b) * size_b;
    if (a->offset * size_a >= end_b || b->offset * size_b >= end_a) return false;
    if (a->n_dims < 2 || b->n_dims < 2 || a->stride[0] != b->stride[0] || size_a != size_b)
        return true;
    int64_t stride = a->stride[0], row_a = row_extent(a), row_b = row_extent(b);
    if (stride < 1 || row_a > stride || row_b > stride) return true;
    int64_t shift = ((b->offset - a->offset) % stride + stride) % stride;
    return shift < row_a || shift + row_b > stride;
}

static bool check_apart(fm_device *dev, const char *name, const fm_tensor *y, const fm_tensor *x) {
    if (!x->buf || !overlaps(y, x)) return true;
    return front_fault(dev, "the output overlaps %s", name);
}

/** The output is the very same view as the input, or apart from it. */
static bool check_in_place(fm_device *dev, const char *name, const fm_tensor *y,
                           const fm_tensor *x) {
    return same_view(y, x) || check_apart(dev, name, y, x);
}

static bool check_weight(fm_device *dev, const char *name, const fm_weight *w, int64_t n_matrices,
                         int64_t rows, int64_t cols) {
    if (!w) return front_fault(dev, "%s is missing", name);
    if (w->dev != dev) return front_fault(dev, "%s lies on another device", name);
    return check_size(dev, "the weight's number of matrices", w->n_matrices, n_matrices) &&
           check_size(dev, "the weight's output size", w->rows, rows) &&
           check_size(dev, "the weight's input size", w->cols, cols);
}

static bool check_cache(fm_device *dev, const char *name, const fm_tensor *t) {
    if (t->dtype >= FM_DTYPE_COUNT || !(dev->info.cache_dtypes >> t->dtype & 1u))
        return front_fault(dev, "%s is %s, which the device's cache can not be", name,
                           fm_dtype_name(t->dtype));
    return front_check_tensor(dev, name, t, t->dtype, 3);
}

/* ---- Operations: what makes a call valid ----------------------------------------------------- */

static bool check_embed(fm_device *dev, const fm_embed *a) {
    return check_output(dev, "y", &a->y, 2) && check_tokens(dev, a->y.size[0]) &&
           front_check_tensor(dev, "tokens", &a->tokens, I32, 1) &&
           check_size(dev, "the number of tokens", a->tokens.size[0], a->y.size[0]) &&
           (a->table || front_fault(dev, "the table is missing")) &&
           check_weight(dev, "the table", a->table, 1, a->table->rows, a->y.size[1]) &&
           check_apart(dev, "tokens", &a->y, &a->tokens);
}

static bool check_norm(fm_device *dev, const fm_norm *a) {
    return front_check_tensor(dev, "x", &a->x, F32, 2) && check_output(dev, "y", &a->y, 2) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_size(dev, "y's row length", a->y.size[1], a->x.size[1]) &&
           front_check_tensor(dev, "weight", &a->weight, F32, 1) &&
           check_size(dev, "the weight's length", a->weight.size[0], a->x.size[1]) &&
           check_apart(dev, "weight", &a->y, &a->weight) &&
           check_in_place(dev, "x", &a->y, &a->x) &&
           (a->eps >= 0.0f || front_fault(dev, "eps is negative"));
}

static bool check_bias(fm_device *dev, const fm_tensor *bias, const fm_tensor *y) {
    if (!bias->buf) return true;
    return front_check_tensor(dev, "bias", bias, F32, 1) &&
           check_size(dev, "the bias's length", bias->size[0], y->size[1]) &&
           check_apart(dev, "bias", y, bias);
}

static bool check_matmul(fm_device *dev, const fm_matmul *a) {
    return front_check_tensor(dev, "x", &a->x, F32, 2) && check_output(dev, "y", &a->y, 2) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_weight(dev, "the weight", a->w, 1, a->y.size[1], a->x.size[1]) &&
           check_bias(dev, &a->bias, &a->y) && check_apart(dev, "x", &a->y, &a->x);
}

static bool check_matmul_heads(fm_device *dev, const fm_matmul_heads *a) {
    return front_check_tensor(dev, "x", &a->x, F32, 3) && check_output(dev, "y", &a->y, 3) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_size(dev, "y's number of heads", a->y.size[1], a->x.size[1]) &&
           check_weight(dev, "the weight", a->w, a->x.size[1], a->y.size[2], a->x.size[2]) &&
           check_apart(dev, "x", &a->y, &a->x);
}

static bool check_rope(fm_device *dev, const fm_rope *a) {
    return front_check_tensor(dev, "x", &a->x, F32, 3) && check_output(dev, "y", &a->y, 3) &&
           check_tokens(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           check_size(dev, "y's number of heads", a->y.size[1], a->x.size[1]) &&
           check_size(dev, "y's head length", a->y.size[2], a->x.size[2]) &&
           (a->x.size[2] % 2 == 0 || front_fault(dev, "x's head length is odd")) &&
           front_check_tensor(dev, "positions", &a->positions, I32, 1) &&
           check_size(dev, "the number of positions", a->positions.size[0], a->x.size[0]) &&
           front_check_tensor(dev, "table", &a->table, F32, 3) &&
           check_size(dev, "the table's pairs", a->table.size[1], a->x.size[2] / 2) &&
           check_size(dev, "the table's last dimension", a->table.size[2], 2) &&
           check_size(dev, "the stride of the table's pairs", a->table.stride[1], 2) &&
           (a->pairing == FM_ROPE_PAIRING_HALF || a->pairing == FM_ROPE_PAIRING_INTERLEAVED ||
            front_fault(dev, "the pairing is unknown")) &&
           check_apart(dev, "table", &a->y, &a->table) &&
           check_apart(dev, "positions", &a->y, &a->positions) &&
           check_in_place(dev, "x", &a->y, &a->x);
}

static bool check_cache_write(fm_device *dev, const fm_cache_write *a) {
    return front_check_tensor(dev, "x", &a->x, F32, 3) && check_tokens(dev, a->x.size[0]) &&
           check_cache(dev, "cache", &a->cache) &&
           check_size(dev, "the cache's number of heads", a->cache.size[1], a->x.size[1]) &&
           check_size(dev, "the cache's row length", a->cache.size[2], a->x.size[2]) &&
           front_check_tensor(dev, "rows", &a->rows, I32, 1) &&
           check_size(dev, "the number of rows", a->rows.size[0], a->x.size[0]) &&
           check_apart(dev, "x", &a->cache, &a->x) && check_apart(dev, "rows", &a->cache, &a->rows);
}

static bool check_attend_cache(fm_device *dev, const fm_attend *a) {
    return check_cache(dev, "k", &a->k) && check_cache(dev, "v", &a->v) &&
           check_size(dev, "k's row length", a->k.size[2], a->q.size[2]) &&
           check_size(dev, "v's row length", a->v.size[2], a->y.size[2]) &&
           check_size(dev, "v's number of rows", a->v.size[0], a->k.size[0]) &&
           check_size(dev, "v's number of heads", a->v.size[1], a->k.size[1]) &&
           (a->v.size[2] <= FM_VALUE_DIM_MAX ||
            front_fault(dev, "v's row length is above %d", (int)FM_VALUE_DIM_MAX)) &&
           (a->k.dtype == a->v.dtype || front_fault(dev, "k and v differ in format")) &&
           (a->q.size[1] % a->k.size[1] == 0 ||
            front_fault(dev, "query heads are no multiple of key-value heads"));
}

static bool check_attend(fm_device *dev, const fm_attend *a) {
    int64_t max_pages = cache_page_count(dev->params.max_context);
    return front_check_tensor(dev, "q", &a->q, F32, 3) && check_output(dev, "y", &a->y, 3) &&
           check_tokens(dev, a->q.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->q.size[0]) &&
           check_size(dev, "y's number of heads", a->y.size[1], a->q.size[1]) &&
           check_attend_cache(dev, a) &&
           (a->window >= 0 || front_fault(dev, "the window is negative")) &&
           front_check_tensor(dev, "positions", &a->positions, I32, 1) &&
           check_size(dev, "the number of positions", a->positions.size[0], a->q.size[0]) &&
           front_check_tensor(dev, "sequences", &a->sequences, I32, 1) &&
           check_size(dev, "the number of sequence indices", a->sequences.size[0], a->q.size[0]) &&
           front_check_tensor(dev, "pages", &a->pages, I32, 2) &&
           (a->pages.size[0] <= dev->params.max_sequences ||
            front_fault(dev, "more sequences than the device was opened for")) &&
           (a->pages.size[1] <= max_pages ||
            front_fault(dev, "more pages than the device's context has")) &&
           check_apart(dev, "q", &a->y, &a->q) && check_apart(dev, "k", &a->y, &a->k) &&
           check_apart(dev, "v", &a->y, &a->v) &&
           check_apart(dev, "positions", &a->y, &a->positions) &&
           check_apart(dev, "sequences", &a->y, &a->sequences) &&
           check_apart(dev, "pages", &a->y, &a->pages);
}

static bool check_gather_rows(fm_device *dev, const fm_gather_rows *a) {
    return front_check_tensor(dev, "x", &a->x, F32, 2) && check_output(dev, "y", &a->y, 2) &&
           check_rows(dev, a->y.size[0]) &&
           check_size(dev, "y's row length", a->y.size[1], a->x.size[1]) &&
           front_check_tensor(dev, "rows", &a->rows, I32, 2) &&
           check_size(dev, "the number of index rows", a->rows.size[0], a->y.size[0]) &&
           (!a->weights.buf ||
            (front_check_tensor(dev, "weights", &a->weights, F32, 2) &&
             check_size(dev, "weights' number of rows", a->weights.size[0], a->rows.size[0]) &&
             check_size(dev, "weights' row length", a->weights.size[1], a->rows.size[1]) &&
             check_apart(dev, "weights", &a->y, &a->weights))) &&
           check_apart(dev, "x", &a->y, &a->x) && check_apart(dev, "rows", &a->y, &a->rows);
}

static bool check_matmul_experts(fm_device *dev, const fm_matmul_experts *a) {
    return front_check_tensor(dev, "x", &a->x, F32, 2) && check_output(dev, "y", &a->y, 2) &&
           check_rows(dev, a->x.size[0]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->x.size[0]) &&
           front_check_tensor(dev, "offsets", &a->offsets, I32, 1) &&
           check_weight(dev, "the weight", a->w, a->offsets.size[0] - 1, a->y.size[1],
                        a->x.size[1]) &&
           check_apart(dev, "x", &a->y, &a->x) && check_apart(dev, "offsets", &a->y, &a->offsets);
}

static bool check_gate_mul(fm_device *dev, const fm_gate_mul *a) {
    return front_check_tensor(dev, "gate", &a->gate, F32, 2) &&
           front_check_tensor(dev, "up", &a->up, F32, 2) && check_output(dev, "y", &a->y, 2) &&
           check_rows(dev, a->gate.size[0]) &&
           check_size(dev, "up's number of rows", a->up.size[0], a->gate.size[0]) &&
           check_size(dev, "up's row length", a->up.size[1], a->gate.size[1]) &&
           check_size(dev, "y's number of rows", a->y.size[0], a->gate.size[0]) &&
           check_size(dev, "y's row length", a->y.size[1], a->gate.size[1]) &&
           check_in_place(dev, "gate", &a->y, &a->gate) && check_in_place(dev, "up", &a->y, &a->up);
}

static bool check_head_edits(fm_device *dev, const fm_head_topk *a) {
    if (!a->edit_offsets.buf) return true;
    int64_t n_rows = a->logits.size[0];
    return front_check_tensor(dev, "edit_offsets", &a->edit_offsets, I32, 1) &&
           check_size(dev, "the number of edit_offsets", a->edit_offsets.size[0], n_rows + 1) &&
           front_check_tensor(dev, "edit_ids", &a->edit_ids, I32, 1) &&
           front_check_tensor(dev, "edit_scales", &a->edit_scales, F32, 1) &&
           check_size(dev, "the number of edit_scales", a->edit_scales.size[0],
                      a->edit_ids.size[0]) &&
           front_check_tensor(dev, "edit_adds", &a->edit_adds, F32, 1) &&
           check_size(dev, "the number of edit_adds", a->edit_adds.size[0], a->edit_ids.size[0]);
}

static bool check_head_inputs(fm_device *dev, const fm_head_topk *a) {
    if (!front_check_tensor(dev, "logits", &a->logits, F32, 2) ||
        !check_tokens(dev, a->logits.size[0]) || !check_head_edits(dev, a))
        return false;
    int64_t n_rows = a->logits.size[0], n_ids = a->logits.size[1];
    if (n_ids > INT32_MAX) return front_fault(dev, "logits has more ids than an i32 counts");
    return front_check_tensor(dev, "temperatures", &a->temperatures, F32, 1) &&
           check_size(dev, "the number of temperatures", a->temperatures.size[0], n_rows) &&
           (!a->mask.buf || (front_check_tensor(dev, "mask", &a->mask, I32, 2) &&
                             check_size(dev, "mask's number of rows", a->mask.size[0], n_rows) &&
                             check_size(dev, "mask's row length", a->mask.size[1],
                                        n_ids / 32 + (n_ids % 32 != 0))));
}

/** One of the lists of best tokens: like the ids that it belongs to, [L, K]. */
static bool check_head_list(fm_device *dev, const char *name, const fm_tensor *t, fm_dtype dtype,
                            int64_t n_rows, int64_t n_best) {
    if (!check_output_of(dev, name, t, dtype, 2)) return false;
    if (t->size[0] != n_rows || t->size[1] != n_best)
        return front_fault(dev, "%s is [%lld, %lld] and should be [%lld, %lld]", name,
                           (long long)t->size[0], (long long)t->size[1], (long long)n_rows,
                           (long long)n_best);
    return n_best <= FM_HEAD_TOP_MAX ||
           front_fault(dev, "%s has more than %d columns", name, (int)FM_HEAD_TOP_MAX);
}

static bool check_head_outputs(fm_device *dev, const fm_head_topk *a) {
    int64_t n_rows = a->logits.size[0], n_best = a->ids.size[1], n_raw = a->best_ids.size[1];
    return check_head_list(dev, "ids", &a->ids, I32, n_rows, n_best) &&
           check_head_list(dev, "values", &a->values, F32, n_rows, n_best) &&
           check_head_list(dev, "raw", &a->raw, F32, n_rows, n_best) &&
           check_head_list(dev, "sums", &a->sums, F32, n_rows, 4) &&
           (!a->best_ids.buf ||
            (check_head_list(dev, "best_ids", &a->best_ids, I32, n_rows, n_raw) &&
             check_head_list(dev, "best_raw", &a->best_raw, F32, n_rows, n_raw)));
}

/** No output overlaps an input or another output. */
static bool check_head_apart(fm_device *dev, const fm_head_topk *a) {
    const struct {
        const char *name;
        const fm_tensor *t;
    } tensors[] = {{"sums", &a->sums},
                   {"raw", &a->raw},
                   {"values", &a->values},
                   {"ids", &a->ids},
                   {"best_ids", &a->best_ids},
                   {"best_raw", &a->best_raw},
                   {"logits", &a->logits},
                   {"mask", &a->mask},
                   {"edit_ids", &a->edit_ids},
                   {"edit_scales", &a->edit_scales},
                   {"edit_adds", &a->edit_adds},
                   {"edit_offsets", &a->edit_offsets},
                   {"temperatures", &a->temperatures}};
    enum { N_OUTPUTS = 6, N_ALL = sizeof tensors / sizeof tensors[0] };
    for (int i = 0; i < N_OUTPUTS; i++)
        for (int k = i + 1; k < N_ALL && tensors[i].t->buf; k++)
            if (!check_apart(dev, tensors[k].name, tensors[i].t, tensors[k].t)) return false;
    return true;
}

static bool check_head_topk(fm_device *dev, const fm_head_topk *a) {
    return check_head_inputs(dev, a) && check_head_outputs(dev, a) && check_head_apart(dev, a);
}

static bool check_route_outputs(fm_device *dev, const fm_route *a) {
    int64_t n_tokens = a->logits.size[0], top_k = a->weights.size[1];
    return check_output(dev, "weights", &a->weights, 2) &&
           check_size(dev, "weights' number of rows", a->weights.size[0], n_tokens) &&
           check_head_list(dev, "experts", &a->experts, I32, n_tokens, top_k) &&
           check_head_list(dev, "slot_row", &a->slot_row, I32, n_tokens, top_k) &&
           check_output_of(dev, "row_token", &a->row_token, I32, 2) &&
           check_size(dev, "row_token's number of rows", a->row_token.size[0], n_tokens * top_k) &&
           check_size(dev, "row_token's row length", a->row_token.size[1], 1) &&
           check_rows(dev, n_tokens * top_k) &&
           check_output_of(dev, "offsets", &a->offsets, I32, 1) &&
           check_size(dev, "the number of offsets", a->offsets.size[0], a->logits.size[1] + 1);
}

/** K experts can be chosen from the groups that stay eligible. */
static bool check_route_choice(fm_device *dev, const fm_route *a) {
    int64_t n_experts = a->logits.size[1];
    if (a->n_groups < 1 || n_experts % a->n_groups != 0)
        return front_fault(dev, "%lld experts do not form %d groups", (long long)n_experts,
                           (int)a->n_groups);
    if (a->top_groups < 1 || a->top_groups > a->n_groups)
        return front_fault(dev, "%d of %d groups cannot be kept", (int)a->top_groups,
                           (int)a->n_groups);
    return a->weights.size[1] <= a->top_groups * (n_experts / a->n_groups) ||
           front_fault(dev, "more experts per token than the groups have");
}

static bool check_route_apart(fm_device *dev, const fm_route *a) {
    const fm_tensor *const tensors[] = {&a->experts,  &a->weights, &a->offsets, &a->row_token,
                                        &a->slot_row, &a->logits,  &a->bias};
    enum { N_OUTPUTS = 5, N_ALL = sizeof tensors / sizeof tensors[0] };
    for (int i = 0; i < N_OUTPUTS; i++)
        for (int k = i + 1; k < N_ALL; k++)
            if (!check_apart(dev, "another tensor of the plan", tensors[i], tensors[k]))
                return false;
    return true;
}

static bool check_route(fm_device *dev, const fm_route *a) {
    return front_check_tensor(dev, "logits", &a->logits, F32, 2) &&
           check_tokens(dev, a->logits.size[0]) &&
           (!a->bias.buf ||
            (front_check_tensor(dev, "bias", &a->bias, F32, 1) &&
             check_size(dev, "the bias's length", a->bias.size[0], a->logits.size[1]))) &&
           check_route_outputs(dev, a) && check_route_choice(dev, a) && check_route_apart(dev, a);
}

/* ---- Operations: the fronts ------------------------------------------------------------------ */

#define FRONT(name)                                                                                \
    fm_status op_##name(fm_device *dev, const fm_##name *args) {                                   \
        FM_TRY(dev->lost);                                                                         \
        if (!dev->backend->name) return FM_ERR_UNSUPPORTED;                                        \
        if (!check_##name(dev, args)) return FM_ERR_ARG;                                           \
        dev->encoded = true;                                                                       \
        double start;                                                                              \
        FM_TRY(front_begin(dev, &start));                                                          \
        fm_status status = dev->backend->name(dev->state, args);                                   \
        uint64_t bytes = dev->profiling ? traffic_##name(args) : 0;                                \
        return front_end(dev, FRONT_CALL_##name, start, bytes, status);                            \
    }
FM_OP_ALL_LIST(FRONT)

#define OFFERS(name)                                                                               \
    bool device_offers_##name(const fm_device *dev) {                                              \
        return dev->backend->name != NULL;                                                         \
    }
FM_OP_OPTIONAL_LIST(OFFERS)
