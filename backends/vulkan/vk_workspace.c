/* vk_workspace.c - plans the memory that operations keep between their dispatches, once, from the
 * limits that a device is opened with. */
#include "vk_device.h"

enum {
    TOKEN_HEADS_MOST = 128, /* a token of more heads takes a batch more where tokens are few */
};

/** What attend keeps where all steps fit in one batch. More would not make it faster. */
static const uint64_t ATTEND_BYTES_MOST = 32u << 20;
/** What head_topk keeps of as many rows as fit: 8 of 128,000 ids when it wants the most of them. No
 * limit of a device says how many ids there are. */
static const uint64_t HEAD_BYTES = 4u << 20;

/** Bytes of the partial results of one head, for a token that attends to all of the context: for
 * each split the largest score, the sum of weights, and values. */
static uint64_t attend_head_bytes(const fm_device_params *params) {
    int64_t n_keys = (int64_t)cache_page_count(params->max_context) * FM_CACHE_PAGE_ROWS;
    uint64_t n_splits = (uint64_t)vk_ceil_div(n_keys, VK_ATTEND_SPLIT_KEYS);
    return n_splits * (2 + FM_VALUE_DIM_MAX) * sizeof(float);
}

/** 0 where one split is all there is: then attend writes its results at once. */
static uint64_t attend_bytes(const fm_device_params *params, uint64_t buf_max) {
    uint64_t head = attend_head_bytes(params), least = VK_ATTEND_HEADS_MOST * head;
    if (params->max_context <= VK_ATTEND_SPLIT_KEYS) return 0;
    uint64_t size = (uint64_t)params->max_tokens * TOKEN_HEADS_MOST * head;
    if (size > ATTEND_BYTES_MOST) size = ATTEND_BYTES_MOST;
    if (size < least) size = least;
    return size < buf_max ? size : buf_max;
}

static fm_status open_attend(fm_device_state *s, fm_error *err) {
    uint64_t size = attend_bytes(&s->params, vk_buf_max(&s->gpu));
    if (size == 0) return FM_OK;
    if (size < attend_head_bytes(&s->params))
        return error_set(err, FM_ERR_LIMIT, "a context of %d keys is too long for %s",
                         s->params.max_context, s->gpu.name);
    return vk_buf_make(s, size, VK_MEMORY_DEVICE, &s->workspaces[VK_WORKSPACE_ATTEND], err);
}

static fm_status open_head(fm_device_state *s, fm_error *err) {
    uint64_t max = vk_buf_max(&s->gpu), size = HEAD_BYTES < max ? HEAD_BYTES : max;
    return vk_buf_make(s, size, VK_MEMORY_DEVICE, &s->workspaces[VK_WORKSPACE_HEAD], err);
}

fm_status vk_workspace_open(fm_device_state *s, fm_error *err) {
    FM_TRY(open_attend(s, err));
    return open_head(s, err);
}

fm_tensor vk_workspace(const fm_device_state *s, vk_workspace_use use) {
    vk_buf *buf = s->workspaces[use];
    return tensor_1d(&buf->base, FM_DTYPE_F32, (int64_t)(buf->base.size / sizeof(float)));
}
