/* case.c - owns how slabs, views and weights of a call are laid out and filled. */
#include "case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- The operations by name ------------------------------------------------------------------ */

#define OP_RUN(name)                                                                               \
    static fm_status run_##name(fm_device *dev, const op_args *args) {                             \
        return op_##name(dev, &args->name);                                                        \
    }
FM_OP_ALL_LIST(OP_RUN)

const op_entry op_entries[OP_COUNT] = {
#define OP_ENTRY(name) {#name, &define_##name, run_##name, NULL},
    FM_OP_LIST(OP_ENTRY)
#define OP_OPTIONAL_ENTRY(name) {#name, &define_##name, run_##name, device_offers_##name},
        FM_OP_OPTIONAL_LIST(OP_OPTIONAL_ENTRY)};

int32_t op_n_outputs(op_kind op) {
    return 1 + op_entries[op].definition->n_more_outputs;
}

const fm_tensor *op_output(op_kind op, const op_args *args, int32_t i) {
    const op_definition *d = op_entries[op].definition;
    size_t offset = d->operands[d->n_operands - op_n_outputs(op) + i].offset;
    return (const fm_tensor *)(const void *)((const uint8_t *)args + offset);
}

size_t op_output_count(op_kind op, const op_args *args) {
    size_t count = 0;
    for (int32_t i = 0; i < op_n_outputs(op); i++) {
        const fm_tensor *y = op_output(op, args, i);
        if (y->buf) count += (size_t)tensor_count(y);
    }
    return count;
}

void shape_print(const op_shape *s, char *out, size_t out_size) {
    static const char *const flags[] = {
        "STRIDED",   "IN_PLACE",   "IN_PLACE_UP", "BIAS",        "ACCUMULATE", "WEIGHTED",
        "PARTS",     "TRANSPOSED", "CONVERTED",   "INTERLEAVED", "LATENT",     "ONE_EXPERT",
        "UNALIGNED", "EDITED",     "MASKED",      "BEST_RAW",    "TIED",       "NORMALIZED"};
    const op_definition *d = op_entries[s->op].definition;
    int n = snprintf(out, out_size, "%s T%d H%d G%d K%d N%d E%d", op_entries[s->op].name, s->T,
                     s->H, s->G, s->K, s->N, s->E);
    if (d->weight)
        n += snprintf(out + n, out_size - (size_t)n, " weight %s", fm_dtype_name(s->weight));
    if (d->cached)
        n += snprintf(out + n, out_size - (size_t)n, " cache %s", fm_dtype_name(s->cache));
    if (s->window) n += snprintf(out + n, out_size - (size_t)n, " window %d", s->window);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (s->flags >> i & 1u) n += snprintf(out + n, out_size - (size_t)n, " %s", flags[i]);
}

static void *must_alloc(size_t size) {
    void *p = malloc(size);
    if (!p) fail_msg("out of memory");
    return p;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

static const int64_t guard_elements = 24; /* behind every view: more than a vector of any width */

static slab *case_slab(op_case *c, fm_dtype dtype, int64_t n) {
    assert_true(c->n_slabs < CASE_MAX_SLABS);
    slab *s = &c->slabs[c->n_slabs++];
    s->dtype = dtype;
    s->buf.size = (size_t)n * fm_dtype_size(dtype);
    s->bytes = must_alloc(s->buf.size);
    memset(s->bytes, 0xff, s->buf.size); /* NaN in every float format */
    if (dtype == FM_DTYPE_I32)
        for (int64_t i = 0; i < n; i++) number_set(dtype, s->bytes + 4 * i, INT32_MAX);
    return s;
}

static fm_tensor case_tensor(op_case *c, fm_tensor t) {
    bool strided = c->shape.flags & STRIDED;
    int64_t stride = 1;
    for (int32_t d = t.n_dims - 1; d >= 0; d--) {
        t.stride[d] = stride;
        stride = t.size[d] * stride + (strided ? 2 * d + 1 : 0);
    }
    t.offset = strided ? 5 : 0;
    t.buf = &case_slab(c, t.dtype, t.offset + stride + guard_elements)->buf;
    return t;
}

fm_tensor case_tensor_1d(op_case *c, fm_dtype dtype, int64_t n0) {
    return case_tensor(c, (fm_tensor){.dtype = dtype, .n_dims = 1, .size = {n0}});
}

fm_tensor case_tensor_2d(op_case *c, fm_dtype dtype, int64_t n0, int64_t n1) {
    return case_tensor(c, (fm_tensor){.dtype = dtype, .n_dims = 2, .size = {n0, n1}});
}

fm_tensor case_tensor_3d(op_case *c, fm_dtype dtype, int64_t n0, int64_t n1, int64_t n2) {
    return case_tensor(c, (fm_tensor){.dtype = dtype, .n_dims = 3, .size = {n0, n1, n2}});
}

void host_set(const fm_tensor *t, int64_t i, int64_t j, int64_t k, double value) {
    slab *s = (slab *)(void *)t->buf;
    size_t at = (size_t)tensor_index(t, i, j, k) * fm_dtype_size(t->dtype);
    number_set(t->dtype, s->bytes + at, value);
}

void case_fill(op_case *c, fm_tensor t) {
    for (int32_t d = t.n_dims; d < 3; d++) t.size[d] = 1;
    for (int64_t i = 0; i < t.size[0]; i++)
        for (int64_t j = 0; j < t.size[1]; j++)
            for (int64_t k = 0; k < t.size[2]; k++)
                host_set(&t, i, j, k, random_normal(&c->random));
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* Cuts the rows of a matrix in up to three uneven parts. */
static int32_t cut_rows(bool in_parts, int64_t rows, int64_t cut[3]) {
    cut[0] = rows;
    if (!in_parts || rows < 3) return 1;
    cut[0] = 1;
    cut[1] = (rows - 1) / 3 + 1;
    cut[2] = rows - cut[0] - cut[1];
    return cut[2] > 0 ? 3 : 2;
}

/* Draws the values of one part, in the source's format, and notes what the weight makes of them. */
static void fill_part(op_case *c, const fm_weight_part *part, double *values) {
    host_weight *w = &c->weight;
    size_t size = fm_dtype_size(w->source.dtype);
    uint8_t *bytes = w->bytes + ((const uint8_t *)part->data - w->bytes);
    for (int64_t row = 0; row < part->rows; row++)
        for (int64_t col = 0; col < w->w.cols; col++) {
            size_t at = (size_t)(row * part->row_stride + col * part->col_stride) * size;
            number_set(w->source.dtype, bytes + at, random_normal(&c->random));
            double value = number_get(w->source.dtype, bytes + at);
            values[row * w->w.cols + col] = number_round(w->w.dtype, value);
        }
}

const fm_weight *case_weight(op_case *c, int32_t n_matrices, int64_t rows, int64_t cols) {
    host_weight *w = &c->weight;
    uint32_t flags = c->shape.flags;
    fm_dtype dtype = flags & CONVERTED ? FM_DTYPE_F32 : c->shape.weight;
    int64_t cut[3] = {0}, gap = flags & PARTS ? 3 : 0;
    int32_t n_parts = cut_rows(flags & PARTS, rows, cut);
    assert_true(n_matrices * n_parts <= WEIGHT_MAX_PARTS);
    w->w =
        (fm_weight){.n_matrices = n_matrices, .rows = rows, .cols = cols, .dtype = c->shape.weight};
    w->source = (fm_weight_source){dtype, n_matrices, n_parts, cols, w->parts};
    size_t size = (size_t)(n_matrices * (rows + 3 * gap) * (cols + gap)) * fm_dtype_size(dtype) + 1;
    w->bytes = must_alloc(size);
    memset(w->bytes, 0xff, size);
    w->values = must_alloc((size_t)(n_matrices * rows * cols) * sizeof *w->values);
    uint8_t *data = w->bytes + (flags & UNALIGNED ? 1 : 0);
    double *values = w->values;
    for (int32_t i = 0; i < n_matrices * n_parts; i++) {
        int64_t n = cut[i % n_parts];
        bool transposed = flags & TRANSPOSED;
        w->parts[i] = (fm_weight_part){.data = data,
                                       .rows = n,
                                       .row_stride = transposed ? 1 : cols + gap,
                                       .col_stride = transposed ? n + gap : 1};
        fill_part(c, &w->parts[i], values);
        /* Rows of NaN between parts: one part's row stride does not lead to the next part. */
        data += (size_t)((n + gap) * (cols + gap)) * fm_dtype_size(dtype);
        values += n * cols;
    }
    return &w->w;
}

/* ---- The case -------------------------------------------------------------------------------- */

void case_init(op_case *c, const op_shape *shape) {
    *c = (op_case){.shape = *shape};
    c->random.state = (uint64_t)shape->op << 32 ^ (uint64_t)(shape->T * 7919 + shape->K);
    op_entries[shape->op].definition->build(c);
}

void case_free(op_case *c) {
    for (int32_t i = 0; i < c->n_slabs; i++) free(c->slabs[i].bytes);
    free(c->weight.bytes);
    free(c->weight.values);
}
