/*
 * backend.h - the contract between the model and a device.
 *
 * The nouns, and who owns what:
 *
 *   fm_backend  a const table of functions that one kind of device implements. Backends see only
 *               calls that the checking front (backend.c) let through, and check nothing again.
 *   fm_device   an opened device: the table, its state, a sticky status. Owns all buffers' and
 *               weights' memory; they are freed before it is closed.
 *   fm_buf      memory of a device, written and read by the host, viewed by fm_tensor.
 *   fm_weight   one matrix, or a stack of equal matrices, in whatever layout the backend reads
 *               best. Only a backend makes one, from the checkpoint's bytes (fm_weight_source).
 *   op_*        one operation on tensors: the front checks the arguments and calls the table.
 *
 * The front also counts: memory (device_bytes), calls, time and traffic (device_profile). It makes
 * calls fail for tests (device_inject), and stands in for the backend on a device that only plans.
 *
 * Calls encode: an op may run at once (CPU), be launched (CUDA) or be recorded (Vulkan), in the
 * order of the calls. Only device_submit, device_wait and device_read may block. Whatever changes
 * from step to step (token ids, positions, page tables, counts) lies in buffers; the scalars in an
 * argument struct are constants of the model, so that a recorded step can be replayed.
 *
 * Numbers: activations are float32. An output element is one chain of operations that depends on
 * its own inputs and on K alone, never on how many tokens, sequences or threads take part in the
 * step.
 *
 * Threads: one thread at a time uses a device and what belongs to it.
 */
#ifndef FATHOM_BACKEND_H
#define FATHOM_BACKEND_H

#include "base/log.h"
#include "data/tensor.h"

enum {
    FM_BACKEND_VERSION = 3,
    FM_CACHE_PAGE_ROWS = 64, /* rows of a cache page, and keys of an attention block */
    FM_STEP_ROWS_MAX =
        1 << 20,              /* max_tokens and max_rows at most, so that task counts fit an int */
    FM_VALUE_DIM_MAX = 1024,  /* Dv of attention at most: kernels keep that many sums at hand */
    FM_HEAD_TOP_MAX = 128,    /* K and A of head_topk at most: a task keeps that many at hand */
    FM_HEAD_BLOCK_IDS = 1024, /* ids that one partial sum of head_topk takes in */
};

/** Pages that hold n_rows cache rows. */
static inline int32_t cache_page_count(int32_t n_rows) {
    return n_rows / FM_CACHE_PAGE_ROWS + (n_rows % FM_CACHE_PAGE_ROWS != 0);
}

/* ---- Device ---------------------------------------------------------------------------------- */

typedef struct fm_device fm_device;
typedef struct fm_device_state fm_device_state; /* the backend's own */
typedef struct fm_backend fm_backend;

/** The largest step that will be asked for, from which the backend plans its workspace once; and
 * how the device is to run. All sizes are at least 1; a backend that has no use for a field ignores
 * it, but an option that it does not know is an error. */
typedef struct fm_device_params {
    int32_t max_tokens;    /* T: tokens of one step */
    int32_t max_rows;      /* rows of a step's expert inputs: tokens * experts per token; without
                              experts max_tokens */
    int32_t max_sequences; /* S: sequences of one step */
    int32_t max_context;   /* keys that one token may attend to */
    int32_t n_threads;     /* threads of a CPU device */
    const char *isa;       /* instruction set by name, for tests; NULL: the best there is */
    int32_t index;         /* which device of the backend's list, from 0 */
    const char *options;   /* "name,name=value,…" of the backend's own; NULL or "": none */
    bool deterministic;    /* one kernel for all sizes: results do not depend on what else is in a
                              step, as they never do on a CPU */
    bool plan_only;        /* a planning device, see device_bytes; n_threads is not read */
} fm_device_params;

typedef struct fm_device_info {
    char name[96];          /* one line: device and how it runs */
    uint64_t memory_total;  /* bytes; 0: not known */
    uint64_t memory_free;   /* bytes */
    uint64_t buf_max;       /* bytes of the largest buffer */
    uint32_t weight_dtypes; /* bit (1 << fm_dtype) for each format weights may have */
    uint32_t cache_dtypes;  /* the same for caches */
    bool async;             /* submit returns before the work is done */
    bool unified;           /* no memory of its own: it takes the host's */
    bool software;          /* the host's own cores emulate it: never chosen unasked */
    char abilities[160];    /* what it can and how it runs, in words, for people */
} fm_device_info;

/** Fills what is known of the backend's devices without opening them (formats are left out), at
 * most `max` of them; *n is how many there are. FM_ERR_UNSUPPORTED with one line that says what is
 * missing when the backend cannot run here at all. */
fm_status device_list(const fm_backend *backend, const char *options, fm_device_info *out,
                      int32_t max, int32_t *n, fm_error *err);

/** Opens a device of the kind that `backend` implements. */
fm_status device_open(const fm_backend *backend, const fm_device_params *params, fm_log log,
                      fm_device **out, fm_error *err);
void device_close(fm_device *dev);
const fm_device_info *device_info(const fm_device *dev);

/** Bytes of memory that are free now. */
uint64_t device_memory_free(const fm_device *dev);

/** FM_OK, or FM_ERR_DEVICE for good once the device was lost: then every call returns it. */
fm_status device_status(const fm_device *dev);

/** Ends the encoding of a step. *ticket names the work for device_wait. */
fm_status device_submit(fm_device *dev, uint64_t *ticket);
/** Blocks until the work of a ticket, and all submitted before it, is done. */
fm_status device_wait(fm_device *dev, uint64_t ticket);
/** After a call that failed half-way through a step: finishes whatever was encoded, so that the
 * next step starts clean. Results of the failed step are undefined. */
void device_abandon(fm_device *dev);

/* A stretch of a step that comes again and again in the same form can be kept: */

/** What makes two stretches the same: whose they are, and the sizes that decide which operations
 * they consist of. */
typedef struct fm_record_key {
    const void *owner;
    int64_t sizes[4];
} fm_record_key;

/** Begins a stretch of operations and copies. Where one with this key is kept already, it is
 * encoded whole, *kept is true, and the caller goes on behind the stretch. Else *kept is false: the
 * caller encodes the stretch and ends it with device_record_end; write, read, submit and wait are
 * FM_ERR_STATE until then. A key stands for the same calls with the same arguments every time; what
 * the buffers hold may differ. Freeing a buffer or a weight forgets all that is kept, and so does a
 * backend that runs out of room for it. While calls are profiled nothing is kept, so that each is
 * counted; on a device without `record` nothing ever is. */
fm_status device_record(fm_device *dev, const fm_record_key *key, bool *kept);
fm_status device_record_end(fm_device *dev);

/** Bytes of device memory that buffers and weights take now, as buf_new was asked and weight_size
 * says: without what a backend adds to round up, and without its workspace.
 *
 * On a planning device (`plan_only`) nothing is taken but only summed up, so that the code that
 * opens a model says what it would need. The device has the backend's formats and weight_size, and
 * runs no threads. It accepts and checks every call: weights have their shape and format, but their
 * values are not looked at; writes, copies and operations do nothing; reads give zeros. */
uint64_t device_bytes(const fm_device *dev);
/** The most that device_bytes has been since the device was opened. */
uint64_t device_bytes_peak(const fm_device *dev);

/* ---- Buffers --------------------------------------------------------------------------------- */

struct fm_buf {
    const fm_device *dev; /* set by the front: whose memory it is */
    size_t size; /* bytes, as asked for; the backend's own fields follow in its own struct */
};

/** A zeroed buffer of at least one byte. */
fm_status buf_new(fm_device *dev, size_t size, fm_buf **out, fm_error *err);
void buf_free(fm_device *dev, fm_buf *buf);

/** Copies a contiguous tensor's elements from host memory to the device. Encodes, like an
 * operation: it takes effect in the order of the calls; `src` may be reused when it returns. */
fm_status device_write(fm_device *dev, fm_tensor dst, const void *src);

/** Copies a contiguous tensor's elements to host memory. FM_ERR_STATE while anything encoded was
 * not submitted and waited for. */
fm_status device_read(fm_device *dev, fm_tensor src, void *dst);

/** Moves a contiguous tensor's elements to a tensor of another device, of the same format and
 * number of elements. Submits and waits on the device it comes from, and encodes a write on the
 * other. `through` is host memory of as many bytes. */
fm_status device_move(fm_device *to, fm_tensor dst, fm_device *from, fm_tensor src, void *through);

/** Copies a contiguous tensor's elements to another of the same format and number of elements;
 * their shapes may differ, their memory must not overlap. Encodes, like an operation. */
fm_status device_copy(fm_device *dev, fm_tensor dst, fm_tensor src);

/* ---- Weights --------------------------------------------------------------------------------- */

struct fm_weight {
    const fm_device *dev; /* set by the front */
    int32_t n_matrices;
    int64_t rows; /* N: outputs of one matrix */
    int64_t cols; /* K: inputs */
    fm_dtype dtype;
    uint64_t bytes; /* of device memory; set by the front */
};
typedef struct fm_weight fm_weight;

/** Some rows of a matrix as they lie in host memory: element (r, c) at r*row_stride + c*col_stride.
 */
typedef struct fm_weight_part {
    const void *data; /* any alignment */
    int64_t rows;
    int64_t row_stride; /* elements */
    int64_t col_stride; /* elements; 1 unless the matrix is read transposed */
} fm_weight_part;

/** Where a weight comes from: n_matrices matrices, each the parts stacked by rows (q, k and v; gate
 * and up). Part p of every matrix has the same number of rows. The bytes stay valid and unchanged
 * as long as the weight lives: a backend may read them in place. */
typedef struct fm_weight_source {
    fm_dtype dtype;
    int32_t n_matrices;
    int32_t n_parts;
    int64_t cols;
    const fm_weight_part *parts; /* [n_matrices][n_parts] */
} fm_weight_source;

/** Bytes of device memory that weight_load would take: 0 when the source is read in place, and when
 * weight_load would refuse it. */
uint64_t weight_size(const fm_device *dev, const fm_weight_source *source, fm_dtype dtype);
/** Makes a weight of the given format. FM_ERR_NOT_FINITE when a finite value does not fit the
 * format. `source->parts` need not outlive the call. */
fm_status weight_load(fm_device *dev, const fm_weight_source *source, fm_dtype dtype,
                      fm_weight **out, fm_error *err);
void weight_free(fm_device *dev, fm_weight *w);

/* ---- Operations ------------------------------------------------------------------------------ */

/* T tokens of the step, S sequences, C model dimension, H heads, G key-value heads, E experts, K
 * chosen or contracted, N outputs. Tensors are float32 unless said; the last dimension has stride 1
 * and no two elements of an output share memory. An output may be the very same view as an input
 * where that is said, else it must not overlap one.
 * What indices hold the front cannot see. The caller keeps them in range: token ids below the
 * table's rows, positions below the rope table's and below 64 * pages of a sequence, sequences
 * below S, page numbers and rows inside the cache, rows to gather inside x, offsets ascending from
 * 0 to the number of rows; offsets of edits ascending inside their list, ids of edits below V,
 * temperatures above 0. */

/** y[t] = row tokens[t] of the table, widened. The host has checked the ids. */
typedef struct fm_embed {
    fm_tensor tokens; /* i32 [T] */
    const fm_weight *table;
    fm_tensor y; /* [T, C] */
} fm_embed;

/** RMSNorm: y[t] = x[t] / sqrt(mean(x[t]^2) + eps) * weight. y may be x. */
typedef struct fm_norm {
    fm_tensor x;      /* [T, C] */
    fm_tensor weight; /* [C] */
    float eps;
    fm_tensor y; /* [T, C] */
} fm_norm;

/** y = W x (+ bias), or with `accumulate` y += that. */
typedef struct fm_matmul {
    fm_tensor x; /* [T, K] */
    const fm_weight *w;
    fm_tensor bias; /* [N]; buf NULL: none */
    fm_tensor y;    /* [T, N] */
    bool accumulate;
} fm_matmul;

/** y[t, h] = W[h] x[t, h]: one matrix per head (the absorbed halves of MLA's kv_b). */
typedef struct fm_matmul_heads {
    fm_tensor x; /* [T, H, K] */
    const fm_weight *w;
    fm_tensor y; /* [T, H, N] */
} fm_matmul_heads;

typedef enum fm_rope_pairing {
    FM_ROPE_PAIRING_HALF,        /* (x[i], x[i + R/2]) */
    FM_ROPE_PAIRING_INTERLEAVED, /* (x[2i], x[2i + 1]) */
} fm_rope_pairing;

/** Rotates pair i of every head by the angle of the token's position. y may be x. */
typedef struct fm_rope {
    fm_tensor x;         /* [T, H, R] */
    fm_tensor positions; /* i32 [T] */
    fm_tensor table;     /* [positions, R/2, 2]: cosine, sine; a position's pairs are dense */
    fm_rope_pairing pairing;
    fm_tensor y; /* [T, H, R] */
} fm_rope;

/** cache[rows[t]] = x[t], rounded to the cache's format. */
typedef struct fm_cache_write {
    fm_tensor x;     /* [T, G, D] */
    fm_tensor rows;  /* i32 [T] */
    fm_tensor cache; /* f32 or bf16 [n, G, D] */
} fm_cache_write;

/** Causal attention of every token over its own sequence: keys 0 … positions[t], with a window keys
 *  max(0, positions[t] - window + 1) … positions[t], read only from the cache, where key s of
 *  sequence i lies in row pages[i, s / 64] * 64 + s % 64. Query head h uses key-value head
 *  h / (H / G). Softmax(scale * q·k) in splits of 512 keys and blocks of 64, merged ascending; both
 *  are counted from key 0 whatever the window, and a key before it has the weight 0 in its block.
 *  Neither rows nor page numbers before the window are read: they may belong to others by now. In
 *  MLA v is the first part of k, as a view. */
typedef struct fm_attend {
    fm_tensor q;         /* [T, H, Dk] */
    fm_tensor k;         /* f32 or bf16 [n, G, Dk] */
    fm_tensor v;         /* f32 or bf16 [n, G, Dv] */
    fm_tensor positions; /* i32 [T] */
    fm_tensor sequences; /* i32 [T]: index of the token's sequence in `pages` */
    fm_tensor pages;     /* i32 [S, pages of a sequence at most] */
    float scale;
    int32_t window; /* keys that a token attends to at most, its own included; 0: all up to it */
    fm_tensor y;    /* [T, H, Dv] */
} fm_attend;

/** For k ascending, y[t] = fma(weights[t, k], x[rows[t, k]], y[t]), from 0 or with `accumulate`
 * from what y holds. Without weights (buf NULL) they are 1. */
typedef struct fm_gather_rows {
    fm_tensor x;       /* [n, C] */
    fm_tensor rows;    /* i32 [T, K] */
    fm_tensor weights; /* [T, K]; buf NULL: none */
    fm_tensor y;       /* [T, C] */
    bool accumulate;
} fm_gather_rows;

/** y[r] = W[e] x[r] for the rows r of expert e: offsets[e] … offsets[e + 1] - 1. */
typedef struct fm_matmul_experts {
    fm_tensor x; /* [T*K, C] rows sorted by expert */
    const fm_weight *w;
    fm_tensor offsets; /* i32 [E + 1], ascending from 0 to T*K */
    fm_tensor y;       /* [T*K, N] */
} fm_matmul_experts;

/** y = silu(gate) * up. y may be gate or up. */
typedef struct fm_gate_mul {
    fm_tensor gate; /* [T, I] */
    fm_tensor up;   /* [T, I] */
    fm_tensor y;    /* [T, I] */
} fm_gate_mul;

/** What drawing a token needs of each row of logits: the best of them, and the sums that make
 * probabilities of them.
 *   Edits: row l has the edits offsets[l] … offsets[l + 1] - 1, of ascending ids. A positive logit
 * is divided by its scale, any other one multiplied by it (repetition penalty); then its addend is
 *     added (bias and the other penalties).
 *   Mask: id i is allowed when bit i % 32 of word i / 32 is set and its edited logit is neither
 *     -infinity nor NaN.
 *   Candidates: the allowed ids, the largest edited logit first, of equals the lower id; behind the
 *     last of them ids are -1 and logits 0. The best are the same of the logits as they came.
 *   Sums: the largest logit; sum of exp(logit - largest); the largest edited logit of those allowed
 *     and sum of exp((edited - largest) / temperature) over them: -infinity and 0 when none is.
 * Blocks of FM_HEAD_BLOCK_IDS ids are added ascending. A logit that is not finite makes sums[1]
 * NaN. */
typedef struct fm_head_topk {
    fm_tensor logits;       /* [L, V] */
    fm_tensor edit_offsets; /* i32 [L + 1]; buf NULL: no edits, the next three are not looked at */
    fm_tensor edit_ids;     /* i32 [n] */
    fm_tensor edit_scales;  /* [n] above 0 */
    fm_tensor edit_adds;    /* [n] */
    fm_tensor mask;         /* i32 [L, (V + 31) / 32]; buf NULL: all ids are allowed */
    fm_tensor temperatures; /* [L] */
    fm_tensor ids;          /* i32 [L, K] candidates */
    fm_tensor values;       /* [L, K] their edited logits */
    fm_tensor raw;          /* [L, K] their logits as they came */
    fm_tensor best_ids;     /* i32 [L, A]; buf NULL: not wanted, nor best_raw */
    fm_tensor best_raw;     /* [L, A] */
    fm_tensor sums;         /* [L, 4] */
} fm_head_topk;

/** Chooses each token's experts and sorts the slots by expert: core/model/router.h says how, and
 * this gives the same plan, id for id, from the same logits; of two scores that are closer than the
 * rounding of a sigmoid either may win. E experts, K per token. */
typedef struct fm_route {
    fm_tensor logits;    /* [T, E] */
    fm_tensor bias;      /* [E] added to scores for choosing only; buf NULL: none */
    int32_t n_groups;    /* 1: no groups */
    int32_t top_groups;  /* groups that stay eligible */
    bool normalize;      /* weights of a token divided by their sum */
    float scale;         /* multiplies the weights */
    fm_tensor experts;   /* i32 [T, K] best first */
    fm_tensor weights;   /* [T, K] */
    fm_tensor offsets;   /* i32 [E + 1] first row of each expert */
    fm_tensor row_token; /* i32 [T*K, 1] */
    fm_tensor slot_row;  /* i32 [T, K] */
} fm_route;

/* One list makes the fronts, the table's entries and the tests' coverage check. */
#define FM_OP_LIST(X)                                                                              \
    X(embed)                                                                                       \
    X(norm)                                                                                        \
    X(matmul)                                                                                      \
    X(matmul_heads)                                                                                \
    X(rope)                                                                                        \
    X(cache_write)                                                                                 \
    X(attend)                                                                                      \
    X(gather_rows)                                                                                 \
    X(matmul_experts)                                                                              \
    X(gate_mul)                                                                                    \
    X(head_topk)

/* Operations that a backend may lack: device_offers_NAME says so, and the front returns
 * FM_ERR_UNSUPPORTED. Without `route` the model routes on the host. */
#define FM_OP_OPTIONAL_LIST(X) X(route)

#define FM_OP_ALL_LIST(X) FM_OP_LIST(X) FM_OP_OPTIONAL_LIST(X)

typedef enum fm_op {
#define FM_OP_ENUM(name) FM_OP_##name,
    FM_OP_ALL_LIST(FM_OP_ENUM)
#undef FM_OP_ENUM
        FM_OP_COUNT
} fm_op;

/** fm_status op_NAME(fm_device *dev, const fm_NAME *args): FM_ERR_ARG when shapes, formats, bounds
 * or overlaps are not as the struct says, with the reason in device_fault. */
#define FM_OP_DECLARE(name) fm_status op_##name(fm_device *dev, const fm_##name *args);
FM_OP_ALL_LIST(FM_OP_DECLARE)
#undef FM_OP_DECLARE

#define FM_OP_OFFERS(name) bool device_offers_##name(const fm_device *dev);
FM_OP_OPTIONAL_LIST(FM_OP_OFFERS)
#undef FM_OP_OFFERS

/** What the front found wrong with the last call that returned FM_ERR_ARG; "" when none did. */
const char *device_fault(const fm_device *dev);

/* ---- Profile ----------------------------------------------------------------------------------- */

/* A row for each operation; and write, read, copy, submit, wait and replay. */
#define FM_PROFILE_ONE(name) +1
enum { FM_PROFILE_ROWS_MAX = 6 FM_OP_ALL_LIST(FM_PROFILE_ONE) };
#undef FM_PROFILE_ONE

/** What the calls of one kind came to; those that failed are left out. */
typedef struct fm_profile_row {
    const char *name; /* of the operation, or "write", "read", "copy", "submit", "wait", "replay" */
    int64_t calls;
    double seconds; /* of an operation: to run, where the device can tell, else to encode; of other
                       calls: inside the backend */
    uint64_t bytes; /* read and written */
} fm_profile_row;

/* Bytes are what the arguments say has to move, were every element moved once: tensors as far as
 * the step needs them, a weight whole, y twice where it is accumulated. What lies in buffers the
 * front cannot see, therefore: embed, rope, cache_write  of the table, or the cache, one row for
 * each token gather_rows               one row of x for each index, but not more rows than x has
 *   matmul_experts            one matrix for each row of x, but not more than there are: an upper
 *                             bound, as rows may share an expert
 *   attend                    q, y and the index tensors, `pages` aside: keys and values, whose
 *                             number only the device knows, are not counted
 *   head_topk                 the lists of edits whole, of which rows may use less
 *   copy                      the bytes twice: read and written */

/** Starts counting from zero, or stops; what was counted can be read until the next start. Off at
 * first: then no clock is read. */
void device_profile(fm_device *dev, bool on);
/** Fills one row for each kind of call that was made, operations first; returns their number. */
int32_t device_profile_get(const fm_device *dev, fm_profile_row rows[FM_PROFILE_ROWS_MAX]);

/* ---- Faults for tests -------------------------------------------------------------------------- */

typedef enum fm_fault {
    FM_FAULT_ALLOC, /* buf_new and weight_load */
    FM_FAULT_OP,    /* operations, write, read, copy, submit, wait and replay */
    FM_FAULT_COUNT
} fm_fault;

/** Lets the nth call of a kind (1: the next) that passes the checks return `status`, which is not
 * FM_OK, without reaching the backend; later calls go on as always, but for FM_ERR_DEVICE, which is
 * the loss of the device. Replaces the fault set before; nth 0 sets none. Returns how many calls
 * that fault had still to wait for: 0 when it has struck, or none was set. */
int64_t device_inject(fm_device *dev, fm_fault kind, int64_t nth, fm_status status);

/* ---- The table ------------------------------------------------------------------------------- */

/* All calls are valid as the front checked them. Entries marked optional may be NULL. With
 * `plan_only` a device is opened for info and weight_size alone, and takes no more than these need:
 * the front calls these and close alone. */

struct fm_backend {
    int32_t version; /* FM_BACKEND_VERSION */
    const char *name;
    fm_status (*open)(const fm_device_params *params, fm_log log, fm_device_state **out,
                      fm_error *err);
    /** As device_list; the backend's own first device is index 0. */
    fm_status (*list)(const char *options, fm_device_info *out, int32_t max, int32_t *n,
                      fm_error *err);
    void (*close)(fm_device_state *s);
    void (*info)(const fm_device_state *s, fm_device_info *out);
    fm_status (*buf_new)(fm_device_state *s, size_t size, fm_buf **out, fm_error *err);
    void (*buf_free)(fm_device_state *s, fm_buf *buf);
    fm_status (*write)(fm_device_state *s, fm_buf *dst, size_t offset, const void *src,
                       size_t size);
    fm_status (*read)(fm_device_state *s, const fm_buf *src, size_t offset, void *dst, size_t size);
    fm_status (*copy)(fm_device_state *s, fm_buf *dst, size_t dst_offset, const fm_buf *src,
                      size_t src_offset, size_t size);
    fm_status (*submit)(fm_device_state *s, uint64_t ticket); /* 1, 2, 3, … */
    fm_status (*wait)(fm_device_state *s, uint64_t ticket);
    uint64_t (*weight_size)(const fm_device_state *s, const fm_weight_source *source,
                            fm_dtype dtype);
    fm_status (*weight_load)(fm_device_state *s, const fm_weight_source *source, fm_dtype dtype,
                             fm_weight **out, fm_error *err);
    void (*weight_free)(fm_device_state *s, fm_weight *w);
    /** Optional, both or none: nothing is kept without. record: encodes what is kept under the key,
     * or begins to keep. record_end: keeps it, and encodes it; or, `keep` false, drops it after a
     * call that failed in between. */
    fm_status (*record)(fm_device_state *s, const fm_record_key *key, bool *kept);
    fm_status (*record_end)(fm_device_state *s, bool keep);
    /** Optional, both or none: without, the front's clock around a call is its time. profile: from
     * now on the device's own clock is read around each operation, or no more. op_seconds: the sums
     * since then of all that was waited for. */
    void (*profile)(fm_device_state *s, bool on);
    void (*op_seconds)(const fm_device_state *s, double seconds[FM_OP_COUNT]);
#define FM_OP_ENTRY(name) fm_status (*name)(fm_device_state * s, const fm_##name *args);
    FM_OP_ALL_LIST(FM_OP_ENTRY)
#undef FM_OP_ENTRY
};

/** The CPU backend, whose scalar path defines what every operation means. */
extern const fm_backend fm_backend_cpu;

/** The backend of a name ("cpu", "vulkan"). All but the CPU's are modules, libfathom_NAME.so,
 * opened beside the library or program, in the directory above, in the directory they were
 * installed to, or where the system looks for libraries; a module stays open. FM_ERR_UNSUPPORTED
 * with one line when there is none. */
fm_status backend_find(const char *name, const fm_backend **out, fm_error *err);

#endif
