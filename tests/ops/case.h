/*
 * case.h - one call of an operation as the host sees it.
 *
 *   op_shape       sizes, formats and layout of a call: a row of the table in rows.c, expanded.
 *   op_case        the call itself: an argument struct whose tensors view slabs. Owns them.
 *   slab           the image of a buffer. It stands in a tensor where a device's buffer will stand.
 *   host_weight    the same for a weight: its source, and its values after rounding.
 *   op_definition  what the table knows of an operation: how to build a call, and what it means.
 *
 * Whatever a call must not read is NaN (INT32_MAX in integers): behind and between the rows of a
 * strided view, in an output that is not accumulated, in cache rows that no key lies in.
 */
#ifndef TESTS_OPS_CASE_H
#define TESTS_OPS_CASE_H

#include "backend.h"
#include "numbers.h"

/* ---- Shapes ---------------------------------------------------------------------------------- */

typedef enum op_kind {
#define OP_KIND(name) OP_##name,
    FM_OP_ALL_LIST(OP_KIND)
#undef OP_KIND
        OP_COUNT
} op_kind;

/** How a call differs from the plain one: dense tensors at offset 0, weights read in place. */
enum {
    STRIDED = 1 << 0,     /* views at odd offsets with gaps behind their rows */
    IN_PLACE = 1 << 1,    /* y is x (gate_mul: gate) */
    IN_PLACE_UP = 1 << 2, /* gate_mul: y is up */
    BIAS = 1 << 3,
    ACCUMULATE = 1 << 4,
    WEIGHTED = 1 << 5,    /* gather_rows: with weights */
    PARTS = 1 << 6,       /* a matrix of three parts, gaps between their rows */
    TRANSPOSED = 1 << 7,  /* a matrix whose columns are dense in the source */
    CONVERTED = 1 << 8,   /* weights converted from F32 */
    INTERLEAVED = 1 << 9, /* rope: the other pairing; attend: tokens of sequences alternate */
    LATENT = 1 << 10,     /* attend: v is the first part of k; cache_write: a part of the rows */
    ONE_EXPERT = 1 << 11, /* matmul_experts: all rows belong to one expert */
    UNALIGNED = 1 << 12,  /* the weight's bytes start at an odd address */
    EDITED = 1 << 13,     /* head_topk: with edits */
    MASKED = 1 << 14,     /* head_topk: with a mask */
    BEST_RAW = 1 << 15,   /* head_topk: the best before edits and mask, too */
    TIED = 1 << 16,       /* head_topk, route: few different logits */
    NORMALIZED = 1 << 17, /* route: a token's weights divided by their sum */
};

typedef struct op_shape {
    op_kind op;
    uint32_t flags;
    int32_t T; /* tokens (matmul_experts: rows) */
    int32_t H; /* heads; route: groups that are kept */
    int32_t G; /* key-value heads; route: groups */
    int32_t K; /* contracted size, or length of a row; head_topk: ids of the vocabulary; route:
                  experts */
    int32_t N; /* outputs; attend: length of v; embed: rows of the table; head_topk: candidates;
                  route: experts of a token */
    int32_t E; /* matrices (experts); gather_rows: rows that are summed */
    fm_dtype weight;
    fm_dtype cache;
    int32_t placement; /* attend: seed of the page tables */
    int32_t window;    /* attend */
} op_shape;

/** "matmul T17 K513 N33 BF16 STRIDED BIAS", for messages. */
void shape_print(const op_shape *shape, char *out, size_t out_size);

/* ---- The call -------------------------------------------------------------------------------- */

typedef struct slab {
    fm_buf buf; /* first, so that a tensor can point to it; size in bytes */
    fm_dtype dtype;
    uint8_t *bytes;
} slab;

enum { CASE_MAX_SLABS = 16, WEIGHT_MAX_PARTS = 24 };

typedef struct host_weight {
    fm_weight w; /* first, so that an argument struct can point to it */
    fm_weight_source source;
    fm_weight_part parts[WEIGHT_MAX_PARTS]; /* [n_matrices][n_parts] */
    double *values;                         /* [n_matrices][rows][cols], as w.dtype holds them */
    uint8_t *bytes;                         /* behind the parts */
} host_weight;

typedef union op_args {
#define OP_ARGS(name) fm_##name name;
    FM_OP_ALL_LIST(OP_ARGS)
#undef OP_ARGS
} op_args;

typedef struct op_case {
    op_shape shape;
    random_stream random;
    int32_t n_slabs;
    slab slabs[CASE_MAX_SLABS];
    host_weight weight;
    op_args args;
} op_case;

/** Builds the call of a shape, seeded by the shape alone. Ends the test when memory is out. */
void case_init(op_case *c, const op_shape *shape);
void case_free(op_case *c);

/* ---- Tensors and weights of a call ----------------------------------------------------------- */

/** A view of a slab of its own, laid out as the case's flags say, of NaN. */
fm_tensor case_tensor_1d(op_case *c, fm_dtype dtype, int64_t n0);
fm_tensor case_tensor_2d(op_case *c, fm_dtype dtype, int64_t n0, int64_t n1);
fm_tensor case_tensor_3d(op_case *c, fm_dtype dtype, int64_t n0, int64_t n1, int64_t n2);
/** Fills a view with random normal values. */
void case_fill(op_case *c, fm_tensor t);
/** Makes the case's weight, [n_matrices, rows, cols], random and laid out as the flags say. */
const fm_weight *case_weight(op_case *c, int32_t n_matrices, int64_t rows, int64_t cols);

/** Index in its buffer of an element of a view of up to three dimensions; those a view lacks are 0.
 */
static inline int64_t tensor_index(const fm_tensor *t, int64_t i, int64_t j, int64_t k) {
    return t->offset + i * t->stride[0] + j * t->stride[1] + k * t->stride[2];
}

/** A value of a host tensor. */
static inline double host_get(const fm_tensor *t, int64_t i, int64_t j, int64_t k) {
    const slab *s = (const slab *)(const void *)t->buf;
    size_t at = (size_t)tensor_index(t, i, j, k) * fm_dtype_size(t->dtype);
    return number_get(t->dtype, s->bytes + at);
}

static inline int32_t host_int(const fm_tensor *t, int64_t i, int64_t j) {
    return (int32_t)host_get(t, i, j, 0);
}

void host_set(const fm_tensor *t, int64_t i, int64_t j, int64_t k, double value);

static inline double host_weight_get(const fm_weight *w, int32_t matrix, int64_t row, int64_t col) {
    return ((const host_weight *)w)->values[(matrix * w->rows + row) * w->cols + col];
}

/* ---- Definitions ----------------------------------------------------------------------------- */

/** A tensor of an argument struct. */
typedef struct op_operand {
    size_t offset;    /* of the fm_tensor in the struct */
    int32_t by_token; /* true: its first dimension counts the tokens of the step; BY_TOKEN_ENDS:
                         these and one row more, as the ends of their ranges do */
} op_operand;

enum { BY_TOKEN_ENDS = 2 };

enum { OP_MAX_OPERANDS = 16, OP_MAX_OUTPUTS = 6 };

typedef struct op_definition {
    /** Fills c->args for c->shape. */
    void (*build)(op_case *c);
    /** What the header says, in float64: `expected` [elements of the outputs], dense, one output
     * after the other. */
    void (*reference)(const op_args *args, double *expected);
    op_operand operands[OP_MAX_OPERANDS]; /* the outputs last; no buffer: not part of the call */
    int32_t n_operands;
    int32_t n_more_outputs; /* beside the one that every operation has */
    size_t weight;          /* offset of the `const fm_weight *`; 0: the operation has none */
    bool cached;            /* the cache's format is part of a shape */
    bool exact; /* the last output has the reference's bits; any others always have them */
} op_definition;

/* One per operation, in define_*.c: without it the suites do not link. */
#define OP_DEFINITION(name) extern const op_definition define_##name;
FM_OP_ALL_LIST(OP_DEFINITION)
#undef OP_DEFINITION

typedef struct op_entry {
    const char *name;
    const op_definition *definition;
    fm_status (*run)(fm_device *dev, const op_args *args);
    bool (*is_offered)(const fm_device *dev); /* NULL: every device has it */
} op_entry;

extern const op_entry op_entries[OP_COUNT];

/** The outputs of a call, host or device: the i-th of op_n_outputs. One that is not part of the
 * call has no buffer. */
int32_t op_n_outputs(op_kind op);
const fm_tensor *op_output(op_kind op, const op_args *args, int32_t i);
/** Elements of all outputs that are part of the call. */
size_t op_output_count(op_kind op, const op_args *args);

#endif
