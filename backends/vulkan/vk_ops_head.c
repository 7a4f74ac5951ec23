/*
 * vk_ops_head.c - head_topk, in two dispatches: one finds what each block of ids adds to its row,
 * the other merges a row's blocks. What passes between them lies in the workspace, whose size does
 * not depend on the step: a call that has more rows than fit runs them in turns.
 */
#include "vk.h"

enum {
    SUMS = 4,          /* of each block */
    BLOCKS_MOST = 512, /* of a row, which is half a million ids: one workgroup merges them */
    /* How often an entry is looked at, at most, to select the best: for each bit of a key and of an
     * id, and a few times more. */
    SELECT_VISITS = 32 + 31 + 7,
};

/** How a call is shared out. */
typedef struct head_split {
    int64_t n_blocks; /* of a row */
    int64_t n_raw;    /* A; 0: the best as they came are not wanted */
    int64_t most;     /* rows of a turn at most */
} head_split;

static head_split split_of(const fm_head_topk *a, const fm_tensor *parts) {
    int64_t n_blocks = vk_ceil_div(a->logits.size[1], FM_HEAD_BLOCK_IDS);
    int64_t n_raw = a->best_ids.buf ? a->best_ids.size[1] : 0;
    int64_t row_words = n_blocks * (SUMS + 2 * a->ids.size[1] + 2 * n_raw);
    return (head_split){n_blocks, n_raw, parts->size[0] / row_words};
}

/** Pushes what both shaders end with. */
static void push_split(vk_call *call, const fm_head_topk *a, const head_split *split, int64_t first,
                       int64_t n_rows) {
    vk_push_size(call, split->n_blocks);
    vk_push_size(call, a->ids.size[1]);
    vk_push_size(call, split->n_raw);
    vk_push_size(call, first);
    vk_push_size(call, n_rows);
}

static fm_status head_block(fm_device_state *s, const fm_head_topk *a, const fm_tensor *parts,
                            const head_split *split, int64_t first, int64_t n_rows) {
    const int64_t n_visits = FM_HEAD_BLOCK_IDS * 2 * SELECT_VISITS;
    vk_call call = {.op = FM_OP_head_topk,
                    .kernel = VK_KERNEL_head_topk_block,
                    .group_size = vk_group_size(s, VK_GROUP_SIZE_MOST, n_visits)};
    vk_bind(&call, s, &a->logits, VK_READ);
    vk_bind(&call, s, &a->edit_offsets, VK_READ);
    fm_tensor none = {0};
    bool edits = a->edit_offsets.buf;
    vk_bind(&call, s, edits ? &a->edit_ids : &none, VK_READ);
    vk_bind(&call, s, edits ? &a->edit_scales : &none, VK_READ);
    vk_bind(&call, s, edits ? &a->edit_adds : &none, VK_READ);
    vk_bind(&call, s, &a->mask, VK_READ);
    vk_bind(&call, s, &a->temperatures, VK_READ);
    vk_bind(&call, s, parts, VK_WRITE);
    vk_push_size(&call, a->logits.stride[0]);
    vk_push_size(&call, a->mask.stride[0]);
    vk_push_u32(&call, edits);
    vk_push_u32(&call, a->mask.buf != NULL);
    vk_push_size(&call, a->logits.size[1]);
    push_split(&call, a, split, first, n_rows);
    vk_groups(&call, (uint64_t)(n_rows * split->n_blocks));
    return vk_encode(s, &call);
}

static fm_status head_merge(fm_device_state *s, const fm_head_topk *a, const fm_tensor *parts,
                            const head_split *split, int64_t first, int64_t n_rows) {
    const fm_tensor *const outputs[] = {&a->ids,      &a->values,   &a->raw,
                                        &a->best_ids, &a->best_raw, &a->sums};
    enum { N_OUTPUTS = sizeof outputs / sizeof outputs[0] };
    /* For the most that can be asked, so that sums do not depend on what is. Each of the best is
     * compared with all of them, and the sums of blocks are gone through. */
    const int64_t n_most = FM_HEAD_TOP_MAX;
    int64_t n_visits = split->n_blocks * (n_most * SELECT_VISITS + SUMS) + n_most * n_most;
    vk_call call = {.op = FM_OP_head_topk,
                    .kernel = VK_KERNEL_head_topk_merge,
                    .group_size = vk_group_size(s, VK_GROUP_SIZE_MOST, n_visits)};
    fm_tensor none = {0};
    vk_bind(&call, s, parts, VK_READ);
    vk_bind(&call, s, &a->logits, VK_READ);
    vk_bind(&call, s, &a->temperatures, VK_READ);
    for (int i = 0; i < N_OUTPUTS; i++) {
        bool unwanted = outputs[i] == &a->best_raw && split->n_raw == 0;
        vk_bind(&call, s, unwanted ? &none : outputs[i], VK_WRITE);
    }
    vk_push_size(&call, a->logits.stride[0]);
    for (int i = 0; i < N_OUTPUTS; i++) vk_push_size(&call, outputs[i]->stride[0]);
    push_split(&call, a, split, first, n_rows);
    vk_groups(&call, (uint64_t)(split->n_raw > 0 ? 2 * n_rows : n_rows));
    return vk_encode(s, &call);
}

/** FM_ERR_UNSUPPORTED beyond BLOCKS_MOST, and where the workspace does not take in one row. */
fm_status vk_head_topk(fm_device_state *s, const fm_head_topk *a) {
    fm_tensor parts = vk_workspace(s, VK_WORKSPACE_HEAD);
    head_split split = split_of(a, &parts);
    int64_t n_rows = a->logits.size[0];
    if (split.n_blocks > BLOCKS_MOST || split.most == 0)
        return vk_refuse(s, FM_OP_head_topk, "its rows have more than 524,288 logits");
    for (int64_t first = 0; first < n_rows; first += split.most) {
        int64_t n = n_rows - first < split.most ? n_rows - first : split.most;
        FM_TRY(head_block(s, a, &parts, &split, first, n));
        FM_TRY(head_merge(s, a, &parts, &split, first, n));
    }
    return FM_OK;
}
