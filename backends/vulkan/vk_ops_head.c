/*
 * vk_ops_head.c - head_topk, in two dispatches: one finds what each block of ids adds to its row,
 * the other merges a row's blocks. What passes between them lies in the workspace, whose size does
 * not depend on the step: a call that has more rows than fit runs them in turns.
 */
#include "vk.h"

enum {
    GROUP_SIZE_MOST = 128, /* invocations of a workgroup that every device has */
    GROUP_SIZE_WIDE = 16,  /* smaller subgroups are those of a CPU's vectors: there one is best */
    SUMS = 4,              /* of each block */
    BLOCKS_MOST = 512,     /* of a row, which is half a million ids: one workgroup merges them, and
                              drivers may end loops that are longer than that takes */
    ENTRIES_FEW = 1024,    /* candidates that also one small subgroup merges quickly */
};

/** How a call is shared out. */
typedef struct head_split {
    int64_t n_blocks; /* of a row */
    int64_t n_raw;    /* A; 0: the best as they came are not wanted */
    int64_t most;     /* rows of a turn at most */
} head_split;

/** Invocations for n entries. */
static uint32_t group_size(const fm_device_state *s, int64_t n) {
    uint32_t size = vk_subgroup_size(s);
    return size < GROUP_SIZE_WIDE && n <= ENTRIES_FEW ? size : GROUP_SIZE_MOST;
}

static void push_size(vk_call *call, int64_t n) {
    vk_push_u32(call, (uint32_t)n);
}

static head_split split_of(const fm_head_topk *a, const fm_tensor *parts) {
    int64_t n_blocks = (a->logits.size[1] + FM_HEAD_BLOCK_IDS - 1) / FM_HEAD_BLOCK_IDS;
    int64_t n_raw = a->best_ids.buf ? a->best_ids.size[1] : 0;
    int64_t row_words = n_blocks * (SUMS + 2 * a->ids.size[1] + 2 * n_raw);
    return (head_split){n_blocks, n_raw, parts->size[0] / row_words};
}

/** Pushes what both shaders end with. */
static void push_split(vk_call *call, const fm_head_topk *a, const head_split *split, int64_t first,
                       int64_t n_rows) {
    push_size(call, split->n_blocks);
    push_size(call, a->ids.size[1]);
    push_size(call, split->n_raw);
    push_size(call, first);
    push_size(call, n_rows);
}

static fm_status head_block(fm_device_state *s, const fm_head_topk *a, const fm_tensor *parts,
                            const head_split *split, int64_t first, int64_t n_rows) {
    vk_call call = {.op = FM_OP_head_topk,
                    .kernel = VK_KERNEL_head_topk_block,
                    .group_size = group_size(s, FM_HEAD_BLOCK_IDS)};
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
    push_size(&call, a->logits.stride[0]);
    push_size(&call, a->mask.stride[0]);
    vk_push_u32(&call, edits);
    vk_push_u32(&call, a->mask.buf != NULL);
    push_size(&call, a->logits.size[1]);
    push_split(&call, a, split, first, n_rows);
    vk_groups(&call, (uint64_t)(n_rows * split->n_blocks));
    return vk_encode(s, &call);
}

static fm_status head_merge(fm_device_state *s, const fm_head_topk *a, const fm_tensor *parts,
                            const head_split *split, int64_t first, int64_t n_rows) {
    const fm_tensor *const outputs[] = {&a->ids,      &a->values,   &a->raw,
                                        &a->best_ids, &a->best_raw, &a->sums};
    enum { N_OUTPUTS = sizeof outputs / sizeof outputs[0] };
    int64_t n_most = a->ids.size[1] > split->n_raw ? a->ids.size[1] : split->n_raw;
    vk_call call = {.op = FM_OP_head_topk,
                    .kernel = VK_KERNEL_head_topk_merge,
                    .group_size = group_size(s, split->n_blocks * n_most)};
    fm_tensor none = {0};
    vk_bind(&call, s, parts, VK_READ);
    vk_bind(&call, s, &a->logits, VK_READ);
    vk_bind(&call, s, &a->temperatures, VK_READ);
    for (int i = 0; i < N_OUTPUTS; i++) {
        bool unwanted = outputs[i] == &a->best_raw && split->n_raw == 0;
        vk_bind(&call, s, unwanted ? &none : outputs[i], VK_WRITE);
    }
    push_size(&call, a->logits.stride[0]);
    for (int i = 0; i < N_OUTPUTS; i++) push_size(&call, outputs[i]->stride[0]);
    push_split(&call, a, split, first, n_rows);
    vk_groups(&call, (uint64_t)(split->n_raw > 0 ? 2 * n_rows : n_rows));
    return vk_encode(s, &call);
}

/** FM_ERR_UNSUPPORTED beyond BLOCKS_MOST, and where the workspace does not take in one row. */
fm_status vk_head_topk(fm_device_state *s, const fm_head_topk *a) {
    fm_tensor parts = vk_workspace(s, VK_WORKSPACE_HEAD);
    head_split split = split_of(a, &parts);
    int64_t n_rows = a->logits.size[0];
    if (split.n_blocks > BLOCKS_MOST || split.most == 0) return FM_ERR_UNSUPPORTED;
    for (int64_t first = 0; first < n_rows; first += split.most) {
        int64_t n = n_rows - first < split.most ? n_rows - first : split.most;
        FM_TRY(head_block(s, a, &parts, &split, first, n));
        FM_TRY(head_merge(s, a, &parts, &split, first, n));
    }
    return FM_OK;
}
