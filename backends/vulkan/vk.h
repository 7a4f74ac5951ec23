/*
 * vk.h - what the files of the Vulkan backend share. The nouns, and who owns what:
 *
 *   api        the functions of the loader, instance and device, found at run time (vk_api.h).
 *   device     fm_device_state: instance, physical and logical device, one compute queue, and one
 * each of all that follows. A status of VK_ERROR_DEVICE_LOST anywhere becomes FM_ERR_DEVICE. memory
 * few large blocks of device memory, cut into ranges for buffers (vk_memory.h). buffer     vk_buf,
 * of the front's fm_buf: one VkBuffer in one range. staging    a ring of memory that the host
 * writes and the device reads, or the other way (vk_staging.h). kernel     a shader of shaders/,
 * and its pipelines, one for each set of constants (vk_kernel.h). recorder   command buffers,
 * barriers, submissions, kept stretches (vk_recorder.h). weight     vk_weight, of the front's
 * fm_weight: rows padded to 16 bytes (vk_weight.c).
 *
 * Operations (vk_ops_*.c) fill a vk_call and hand it to vk_encode; they know no command buffer and
 * set no barrier.
 */
#ifndef FATHOM_VK_H
#define FATHOM_VK_H

#include "../../core/backend.h"

typedef struct vk_buf vk_buf; /* what an fm_buf of this backend is */

/* ---- Calls ------------------------------------------------------------------------------------- */

enum {
    VK_MAX_BINDINGS = 16,
    VK_MAX_CONSTANTS = 6,
    VK_MAX_PUSH = 128, /* bytes of push constants that every device has */
};

typedef enum vk_access {
    VK_READ = 1,
    VK_WRITE = 2, /* every element of the view that the shader touches */
    VK_READ_WRITE = 3,
} vk_access;

/** Every shader: its file is shaders/NAME.comp. The number is that of its storage buffers: bindings
 * 0, 1, … of set 0, in the order in which an operation binds them. */
#define VK_KERNEL_LIST(X)                                                                          \
    X(embed, 3)           /* tokens, table, y */                                                   \
    X(norm, 3)            /* x, weight, y */                                                       \
    X(rope, 4)            /* x, positions, table, y */                                             \
    X(cache_write, 3)     /* x, rows, cache */                                                     \
    X(gather_rows, 4)     /* x, rows, weights, y */                                                \
    X(gate_mul, 3)        /* gate, up, y */                                                        \
    X(matmul, 4)          /* x, w, bias, y: a workgroup per output */                              \
    X(matmul_tile, 4)     /* the same, in tiles, for many tokens */                                \
    X(matmul_heads, 3)    /* x, w, y */                                                            \
    X(matmul_experts, 4)  /* x, w, offsets, y */                                                   \
    X(attend_split, 7)    /* q, k, v, positions, sequences, pages, partial results */              \
    X(attend_merge, 3)    /* partial results, positions, y */                                      \
    X(route_choose, 4)    /* logits, bias, experts, weights */                                     \
    X(route_sort, 4)      /* experts, offsets, row_token, slot_row */                              \
    X(head_topk_block, 8) /* fm_head_topk's inputs as it lists them, partial results */            \
    X(head_topk_merge,                                                                             \
      9) /* partial results, logits, temperatures, its outputs as it lists them   \
                           */

typedef enum vk_kernel_id {
#define VK_KERNEL_ENUM(name, n_buffers) VK_KERNEL_##name,
    VK_KERNEL_LIST(VK_KERNEL_ENUM)
#undef VK_KERNEL_ENUM
        VK_KERNEL_COUNT
} vk_kernel_id;

/** A range of a buffer that a shader sees as one storage buffer. buf NULL: the shader is told not
 * to look, and the recorder binds a few bytes of nothing. */
typedef struct vk_binding {
    const vk_buf *buf;
    uint64_t offset, size; /* bytes; the offset is aligned as the device wants it */
    vk_access access;
    /* The bytes that the shader really touches, for hazards: [first, first + touched). */
    uint64_t first, touched;
} vk_binding;

/** One dispatch. */
typedef struct vk_call {
    fm_op op; /* for labels and times */
    vk_kernel_id kernel;
    uint32_t group_size;                  /* as vk_group_size says: constant 0 of the shader */
    uint32_t constants[VK_MAX_CONSTANTS]; /* specialization constants 1, 2, … */
    int32_t n_constants;
    vk_binding bindings[VK_MAX_BINDINGS];
    int32_t n_bindings;
    uint32_t push[VK_MAX_PUSH / 4]; /* push constants: 32-bit words, floats by vk_push_f32 */
    int32_t n_push;
    uint32_t n_groups[3]; /* workgroups; 0 counts as 1 */
} vk_call;

/** Binds a view and pushes the offset of its first element (in elements of its format, from the
 * start of what is bound: descriptors are aligned, views are not). A view without buffer binds
 * nothing and pushes 0. The front made sure of its bounds; it spans no more than a binding can, but
 * for weights and caches, which have functions of their own. */
void vk_bind(vk_call *call, const fm_device_state *s, const fm_tensor *t, vk_access access);

void vk_push_u32(vk_call *call, uint32_t value);
/** A size or stride, in elements. Buffers are no larger than a binding, so every one that is used
 * fits. */
void vk_push_size(vk_call *call, int64_t n);
void vk_push_f32(vk_call *call, float value);

/** The next specialization constant; a bool or a size that fits. */
void vk_push_constant(vk_call *call, int64_t value);

enum { VK_GROUP_SIZE_MOST = 128 }; /* invocations of a workgroup that every device has */

/** Invocations of a workgroup that goes through n_visits things, each of which is a turn of a loop
 * of one of them; the end of a loop is a turn too. `usual`, but one subgroup where that is more or
 * subgroups are not wide; VK_GROUP_SIZE_MOST where loops would become too long. Always whole
 * subgroups. 0: the loops would end early even so, and vk_encode refuses the call. The size decides
 * the order of sums: n_visits must not say what a neighbour in the step can change. */
uint32_t vk_group_size(const fm_device_state *s, uint32_t usual, int64_t n_visits);

/** Whether the device may end the loops of an invocation before they have made so many turns. Then
 * results are wrong, and nothing says so. */
bool vk_loop_ends_early(const fm_device_state *s, int64_t n_turns);

/** Whether subgroups have 16 invocations or more, like those of a device that is made for many of
 * them; smaller ones are mostly the vectors of a CPU, where one subgroup is the best workgroup. */
bool vk_has_wide_subgroups(const fm_device_state *s);

static inline int64_t vk_ceil_div(int64_t a, int64_t b) {
    return a / b + (a % b != 0);
}

/** n workgroups in x and, where those are more than a device must take in one dimension (65,535),
 * in y: the shader finds its index by group_index() of shaders/fathom.glsl, which may reach beyond
 * n - 1, so it also needs n. */
void vk_groups(vk_call *call, uint64_t n);

/** Encodes a dispatch: finds or makes the pipeline, sets a barrier where the call reads what an
 * earlier one wrote, or writes what an earlier one touched, pushes descriptors and constants.
 * FM_ERR_UNSUPPORTED, with a warning in the log, for a call whose loops would end early. */
fm_status vk_encode(fm_device_state *s, const vk_call *call);

/** Warns that the device cannot do a call, and returns FM_ERR_UNSUPPORTED. */
fm_status vk_refuse(const fm_device_state *s, fm_op op, const char *why);

/* ---- What operations ask of the device ---------------------------------------------------------- */

/** Bytes that one binding may span (maxStorageBufferRange): 128 MiB on many devices. */
uint64_t vk_binding_max(const fm_device_state *s);

/** Invocations that a workgroup of one subgroup has: a power of two, 128 at most. */
uint32_t vk_subgroup_size(const fm_device_state *s);

/** Bytes of memory that a workgroup may share: 16 KiB at least. */
uint32_t vk_shared_max(const fm_device_state *s);

bool vk_is_deterministic(const fm_device_state *s);

/** The limits that the device was opened with. */
const fm_device_params *vk_params(const fm_device_state *s);

/* How attend is cut, which its workspace has to have room for. */
enum {
    VK_ATTEND_SPLIT_KEYS = 512, /* of a split: a partial result for each head */
    VK_ATTEND_HEADS_MOST =
        4, /* query heads of a task: shared memory holds their weights of a split */
};

/** Device memory for what an operation keeps between its dispatches, made when the device was
 * opened: partial results of attend and of head_topk. Which one is said by `use`; its size is
 * planned in vk_workspace.c. */
typedef enum vk_workspace_use {
    VK_WORKSPACE_ATTEND,
    VK_WORKSPACE_HEAD,
    VK_WORKSPACE_COUNT
} vk_workspace_use;
fm_tensor vk_workspace(const fm_device_state *s, vk_workspace_use use); /* f32, 1-dimensional */

/* ---- Weights ------------------------------------------------------------------------------------- */

/** A weight's rows, matrix by matrix, lie in one buffer, each padded with zeros to a multiple of 16
 * bytes. A flat row is matrix * rows + row. */
typedef struct vk_weight {
    fm_weight base;
    vk_buf *buf;
    int64_t row_words; /* 32-bit words from one row to the next: a multiple of 4 */
} vk_weight;

/** The part of a weight that one dispatch can bind: a stretch of flat rows. Operations dispatch
 * once for each; an output whose row is not inside is left to another dispatch. */
typedef struct vk_window {
    int64_t first, count; /* flat rows */
} vk_window;

/** The window that starts at flat row `first`; the first one starts at 0, and there is none at
 * n_matrices * rows. */
bool vk_weight_window(const fm_device_state *s, const vk_weight *w, int64_t first, vk_window *out);

/** Binds the window's rows and pushes: its first flat row, its number of rows, words of a row. */
void vk_bind_weight(vk_call *call, const fm_device_state *s, const vk_weight *w, vk_window window);

uint64_t vk_weight_size(const fm_device_state *s, const fm_weight_source *source, fm_dtype dtype);
fm_status vk_weight_load(fm_device_state *s, const fm_weight_source *source, fm_dtype dtype,
                         fm_weight **out, fm_error *err);
void vk_weight_free(fm_device_state *s, fm_weight *w);

/* ---- Operations ---------------------------------------------------------------------------------- */

/** Formats as the shaders know them: constant 1 of those that read weights or caches. */
typedef enum vk_format { VK_FORMAT_F32, VK_FORMAT_BF16, VK_FORMAT_F16 } vk_format;
vk_format vk_format_of(fm_dtype dtype);

#define VK_OP_DECLARE(name) fm_status vk_##name(fm_device_state *s, const fm_##name *args);
FM_OP_ALL_LIST(VK_OP_DECLARE)
#undef VK_OP_DECLARE

#endif
