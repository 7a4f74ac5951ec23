/*
 * vk_ops_rows.c - the operations of the Vulkan backend that go row by row. Their shaders share the
 * work out by blocks of a row, or by rows; each binding pushes its offset, and sizes and strides
 * follow in the order of the shader's push constants.
 */
#include "vk.h"

enum {
    BLOCK_ELEMENTS = 1024
}; /* of a row that a workgroup takes: some for each of its invocations */

/** A call that goes through as many things in each workgroup. */
static vk_call call_begin(const fm_device_state *s, fm_op op, vk_kernel_id kernel,
                          int64_t n_visits) {
    return (vk_call){
        .op = op, .kernel = kernel, .group_size = vk_group_size(s, VK_GROUP_SIZE_MOST, n_visits)};
}

/** Pushes the size of a block and asks for the workgroups of n rows. */
static void push_blocks(vk_call *call, int64_t n_rows, int64_t width) {
    vk_push_size(call, BLOCK_ELEMENTS);
    vk_groups(call, (uint64_t)(n_rows * vk_ceil_div(width, BLOCK_ELEMENTS)));
}

/* ---- Rows ---------------------------------------------------------------------------------------- */

static fm_status embed_window(fm_device_state *s, const fm_embed *a, vk_window window) {
    vk_call call = call_begin(s, FM_OP_embed, VK_KERNEL_embed, BLOCK_ELEMENTS);
    vk_push_constant(&call, vk_format_of(a->table->dtype));
    vk_bind(&call, s, &a->tokens, VK_READ);
    vk_bind_weight(&call, s, (const vk_weight *)a->table, window);
    vk_bind(&call, s, &a->y, VK_WRITE);
    vk_push_size(&call, a->y.size[0]);
    vk_push_size(&call, a->y.size[1]);
    vk_push_size(&call, a->y.stride[0]);
    push_blocks(&call, a->y.size[0], a->y.size[1]);
    return vk_encode(s, &call);
}

fm_status vk_embed(fm_device_state *s, const fm_embed *a) {
    const vk_weight *table = (const vk_weight *)a->table;
    vk_window window;
    for (int64_t first = 0; vk_weight_window(s, table, first, &window); first += window.count)
        FM_TRY(embed_window(s, a, window));
    return FM_OK;
}

fm_status vk_norm(fm_device_state *s, const fm_norm *a) {
    vk_call call = call_begin(s, FM_OP_norm, VK_KERNEL_norm, 2 * a->x.size[1]);
    vk_bind(&call, s, &a->x, VK_READ);
    vk_bind(&call, s, &a->weight, VK_READ);
    vk_bind(&call, s, &a->y, VK_WRITE);
    vk_push_size(&call, a->x.size[0]);
    vk_push_size(&call, a->x.size[1]);
    vk_push_size(&call, a->x.stride[0]);
    vk_push_size(&call, a->y.stride[0]);
    vk_push_f32(&call, a->eps);
    vk_groups(&call, (uint64_t)a->x.size[0]);
    return vk_encode(s, &call);
}

fm_status vk_gate_mul(fm_device_state *s, const fm_gate_mul *a) {
    vk_call call = call_begin(s, FM_OP_gate_mul, VK_KERNEL_gate_mul, BLOCK_ELEMENTS);
    vk_bind(&call, s, &a->gate, VK_READ);
    vk_bind(&call, s, &a->up, VK_READ);
    vk_bind(&call, s, &a->y, VK_WRITE);
    vk_push_size(&call, a->y.size[0]);
    vk_push_size(&call, a->y.size[1]);
    vk_push_size(&call, a->gate.stride[0]);
    vk_push_size(&call, a->up.stride[0]);
    vk_push_size(&call, a->y.stride[0]);
    push_blocks(&call, a->y.size[0], a->y.size[1]);
    return vk_encode(s, &call);
}

fm_status vk_gather_rows(fm_device_state *s, const fm_gather_rows *a) {
    int64_t n_visits = BLOCK_ELEMENTS * (2 + a->rows.size[1]);
    vk_call call = call_begin(s, FM_OP_gather_rows, VK_KERNEL_gather_rows, n_visits);
    vk_push_constant(&call, a->weights.buf != NULL);
    vk_push_constant(&call, a->accumulate);
    vk_bind(&call, s, &a->x, VK_READ);
    vk_bind(&call, s, &a->rows, VK_READ);
    vk_bind(&call, s, &a->weights, VK_READ);
    vk_bind(&call, s, &a->y, a->accumulate ? VK_READ_WRITE : VK_WRITE);
    vk_push_size(&call, a->y.size[0]);
    vk_push_size(&call, a->rows.size[1]);
    vk_push_size(&call, a->y.size[1]);
    vk_push_size(&call, a->x.stride[0]);
    vk_push_size(&call, a->rows.stride[0]);
    vk_push_size(&call, a->weights.buf ? a->weights.stride[0] : 0);
    vk_push_size(&call, a->y.stride[0]);
    push_blocks(&call, a->y.size[0], a->y.size[1]);
    return vk_encode(s, &call);
}

/* ---- Positions and cache ------------------------------------------------------------------------- */

fm_status vk_rope(fm_device_state *s, const fm_rope *a) {
    int64_t n_pairs = a->x.size[2] / 2;
    vk_call call = call_begin(s, FM_OP_rope, VK_KERNEL_rope, BLOCK_ELEMENTS);
    vk_push_constant(&call, a->pairing == FM_ROPE_PAIRING_INTERLEAVED);
    vk_bind(&call, s, &a->x, VK_READ);
    vk_bind(&call, s, &a->positions, VK_READ);
    vk_bind(&call, s, &a->table, VK_READ);
    vk_bind(&call, s, &a->y, VK_WRITE);
    vk_push_size(&call, a->x.size[0]);
    vk_push_size(&call, a->x.size[1]);
    vk_push_size(&call, n_pairs);
    vk_push_size(&call, a->x.stride[0]);
    vk_push_size(&call, a->x.stride[1]);
    vk_push_size(&call, a->table.stride[0]);
    vk_push_size(&call, a->y.stride[0]);
    vk_push_size(&call, a->y.stride[1]);
    push_blocks(&call, a->x.size[0], a->x.size[1] * n_pairs);
    return vk_encode(s, &call);
}

/** Whether the cache's bf16 numbers can be written two by two, as whole words. */
static bool writes_pairs(const fm_tensor *cache) {
    int64_t odd = cache->offset | cache->stride[0] | cache->stride[1] | cache->size[2];
    return cache->dtype == FM_DTYPE_BF16 && odd % 2 == 0;
}

fm_status vk_cache_write(fm_device_state *s, const fm_cache_write *a) {
    bool pairs = writes_pairs(&a->cache), halves = a->cache.dtype == FM_DTYPE_BF16 && !pairs;
    int64_t n_units = pairs ? a->x.size[2] / 2 : a->x.size[2];
    vk_call call = call_begin(s, FM_OP_cache_write, VK_KERNEL_cache_write, BLOCK_ELEMENTS);
    vk_push_constant(&call, vk_format_of(a->cache.dtype));
    vk_push_constant(&call, pairs);
    vk_bind(&call, s, &a->x, VK_READ);
    vk_bind(&call, s, &a->rows, VK_READ);
    vk_bind(&call, s, &a->cache, halves ? VK_READ_WRITE : VK_WRITE);
    vk_push_size(&call, a->x.size[0]);
    vk_push_size(&call, a->x.size[1]);
    vk_push_size(&call, n_units);
    vk_push_size(&call, a->x.stride[0]);
    vk_push_size(&call, a->x.stride[1]);
    vk_push_size(&call, a->cache.stride[0]);
    vk_push_size(&call, a->cache.stride[1]);
    push_blocks(&call, a->x.size[0], a->x.size[1] * n_units);
    return vk_encode(s, &call);
}
