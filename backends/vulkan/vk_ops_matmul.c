/*
 * vk_ops_matmul.c - the matrix products of the Vulkan backend. Each is dispatched once for every
 * window of its weight. A workgroup of one subgroup, whose sums need no shared memory, computes a
 * block of the output: some rows of the weight for some tokens. Neither the block's shape nor
 * anything else that depends on the number of tokens changes a result, but for the tiles, which are
 * not deterministic.
 */
#include "vk.h"

enum {
    BLOCK_ROWS = 4, /* of a weight, and tokens: what a block has at most */
    BLOCK_TOKENS = 4,
    ROWS_TO_BLOCK = 512, /* of a matrix from which blocks have several: fewer leave a device idle */
    /* Tokens from which tiles are used. They are made for graphics cards; a CPU that plays a device
     * has no use for shared memory, but uses them as well, so that they are tested everywhere. */
    TILE_TOKENS_LEAST = 32,
    TILE_SIDE = 8,         /* rows, and tokens, of each invocation in a tile */
    TILE_GROUP_SMALL = 8,  /* invocations of a tile's workgroup, where subgroups are small, */
    TILE_ACROSS_SMALL = 4, /* and those of them that share tokens */
    TILE_GROUP = 64,
    TILE_ACROSS = 8,
    TILE_DEPTH = 16,       /* numbers of K that it takes at once, */
    TILE_DEPTH_TURNS = 44, /* in so many turns of loops at most: 17 to multiply, 26 to load */
};

/** The part of the output that one workgroup computes. */
typedef struct block {
    uint32_t rows, tokens;
} block;

/* Rows are read from memory and tokens from the caches: with several rows at once x is read less
 * often, with several tokens the weights are. */
static block block_choose(int64_t n_rows, int64_t n_tokens) {
    return (block){.rows = n_rows < ROWS_TO_BLOCK && n_tokens == 1 ? 1 : BLOCK_ROWS,
                   .tokens = n_tokens == 1 ? 1 : BLOCK_TOKENS};
}

static uint64_t ceil_div(int64_t a, int64_t b) {
    return (uint64_t)vk_ceil_div(a, b);
}

/** What the invocations of a workgroup go through: the row's stretches of 16 bytes, for experts
 * once for each token. Says no more than the row does, as the size of a workgroup decides the order
 * of sums. */
static int64_t product_visits(const fm_weight *w) {
    return BLOCK_TOKENS * vk_ceil_div(((const vk_weight *)w)->row_words, 4);
}

/** Begins a product of product.glsl: binds x and the window. Where every row of x begins at a
 * multiple of four numbers of what is bound, it is read by fours. */
static vk_call product_begin(const fm_device_state *s, fm_op op, vk_kernel_id kernel,
                             const fm_tensor *x, const fm_weight *w, vk_window window, block b) {
    uint32_t group_size = vk_group_size(s, 1, product_visits(w));
    vk_call call = {.op = op, .kernel = kernel, .group_size = group_size};
    vk_bind(&call, s, x, VK_READ);
    bool quads = call.push[0] % 4 == 0;
    for (int32_t i = 0; i < x->n_dims - 1; i++) quads = quads && x->stride[i] % 4 == 0;
    vk_bind_weight(&call, s, (const vk_weight *)w, window);
    vk_push_constant(&call, vk_format_of(w->dtype));
    vk_push_constant(&call, b.rows);
    vk_push_constant(&call, b.tokens);
    vk_push_constant(&call, quads);
    return call;
}

/* ---- matmul ---------------------------------------------------------------------------------- */

/** What both kernels of matmul have behind x and the weight. */
static fm_status matmul_end(fm_device_state *s, vk_call *call, const fm_matmul *a,
                            uint64_t n_groups) {
    vk_push_constant(call, a->bias.buf != NULL);
    vk_push_constant(call, a->accumulate);
    vk_bind(call, s, &a->bias, VK_READ);
    vk_bind(call, s, &a->y, a->accumulate ? VK_READ_WRITE : VK_WRITE);
    vk_push_size(call, a->x.size[0]);
    vk_push_size(call, a->x.size[1]);
    vk_push_size(call, a->x.stride[0]);
    vk_push_size(call, a->y.stride[0]);
    vk_groups(call, n_groups);
    return vk_encode(s, call);
}

static fm_status matmul_tile(fm_device_state *s, const fm_matmul *a, vk_window window) {
    bool wide = vk_has_wide_subgroups(s);
    uint32_t group_size = wide ? TILE_GROUP : TILE_GROUP_SMALL;
    uint32_t across = wide ? TILE_ACROSS : TILE_ACROSS_SMALL;
    int64_t tile_rows = TILE_SIDE * across, tile_tokens = TILE_SIDE * (group_size / across);
    vk_call call = {.op = FM_OP_matmul, .kernel = VK_KERNEL_matmul_tile, .group_size = group_size};
    vk_bind(&call, s, &a->x, VK_READ);
    vk_bind_weight(&call, s, (const vk_weight *)a->w, window);
    vk_push_constant(&call, vk_format_of(a->w->dtype));
    vk_push_constant(&call, across);
    return matmul_end(s, &call, a,
                      ceil_div(window.count, tile_rows) * ceil_div(a->x.size[0], tile_tokens));
}

static bool has_tiles(const fm_device_state *s, const fm_matmul *a) {
    int64_t n_turns = TILE_DEPTH_TURNS * vk_ceil_div(a->w->cols, TILE_DEPTH);
    return a->x.size[0] >= TILE_TOKENS_LEAST && !vk_is_deterministic(s) &&
           !vk_loop_ends_early(s, n_turns);
}

static fm_status matmul_window(fm_device_state *s, const fm_matmul *a, vk_window window) {
    if (has_tiles(s, a)) return matmul_tile(s, a, window);
    block b = block_choose(a->w->rows, a->x.size[0]);
    vk_call call = product_begin(s, FM_OP_matmul, VK_KERNEL_matmul, &a->x, a->w, window, b);
    return matmul_end(s, &call, a,
                      ceil_div(window.count, b.rows) * ceil_div(a->x.size[0], b.tokens));
}

fm_status vk_matmul(fm_device_state *s, const fm_matmul *a) {
    const vk_weight *w = (const vk_weight *)a->w;
    vk_window window;
    for (int64_t first = 0; vk_weight_window(s, w, first, &window); first += window.count)
        FM_TRY(matmul_window(s, a, window));
    return FM_OK;
}

/* ---- matmul_heads ---------------------------------------------------------------------------- */

static fm_status matmul_heads_window(fm_device_state *s, const fm_matmul_heads *a,
                                     vk_window window) {
    int64_t n_rows = a->w->rows, first_head = window.first / n_rows;
    int64_t n_heads = (window.first + window.count - 1) / n_rows - first_head + 1;
    block b = block_choose(n_rows * n_heads, a->x.size[0]);
    vk_call call =
        product_begin(s, FM_OP_matmul_heads, VK_KERNEL_matmul_heads, &a->x, a->w, window, b);
    vk_bind(&call, s, &a->y, VK_WRITE);
    vk_push_size(&call, a->x.size[0]);
    vk_push_size(&call, a->x.size[2]);
    vk_push_size(&call, n_rows);
    vk_push_size(&call, first_head);
    vk_push_size(&call, n_heads);
    vk_push_size(&call, a->x.stride[0]);
    vk_push_size(&call, a->x.stride[1]);
    vk_push_size(&call, a->y.stride[0]);
    vk_push_size(&call, a->y.stride[1]);
    vk_groups(&call,
              (uint64_t)n_heads * ceil_div(n_rows, b.rows) * ceil_div(a->x.size[0], b.tokens));
    return vk_encode(s, &call);
}

fm_status vk_matmul_heads(fm_device_state *s, const fm_matmul_heads *a) {
    const vk_weight *w = (const vk_weight *)a->w;
    vk_window window;
    for (int64_t first = 0; vk_weight_window(s, w, first, &window); first += window.count)
        FM_TRY(matmul_heads_window(s, a, window));
    return FM_OK;
}

/* ---- matmul_experts -------------------------------------------------------------------------- */

/** Where there are more experts than rows, most rows are alone with theirs: blocks of one row each
 * keep them side by side. */
static block experts_block(const fm_matmul_experts *a) {
    block b = block_choose(a->w->rows, a->x.size[0]);
    if (a->x.size[0] <= a->w->n_matrices) b.tokens = 1;
    return b;
}

static fm_status matmul_experts_window(fm_device_state *s, const fm_matmul_experts *a,
                                       vk_window window) {
    block b = experts_block(a);
    vk_call call =
        product_begin(s, FM_OP_matmul_experts, VK_KERNEL_matmul_experts, &a->x, a->w, window, b);
    vk_bind(&call, s, &a->offsets, VK_READ);
    vk_bind(&call, s, &a->y, VK_WRITE);
    vk_push_size(&call, a->x.size[0]);
    vk_push_size(&call, a->x.size[1]);
    vk_push_size(&call, a->w->rows);
    vk_push_size(&call, a->w->n_matrices);
    vk_push_size(&call, a->x.stride[0]);
    vk_push_size(&call, a->y.stride[0]);
    vk_groups(&call, ceil_div(a->w->rows, b.rows) * ceil_div(a->x.size[0], b.tokens));
    return vk_encode(s, &call);
}

fm_status vk_matmul_experts(fm_device_state *s, const fm_matmul_experts *a) {
    const vk_weight *w = (const vk_weight *)a->w;
    vk_window window;
    for (int64_t first = 0; vk_weight_window(s, w, first, &window); first += window.count)
        FM_TRY(matmul_experts_window(s, a, window));
    return FM_OK;
}
