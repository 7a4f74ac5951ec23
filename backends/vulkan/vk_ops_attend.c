/*
 * vk_ops_attend.c - attention: one dispatch where a sequence has no more than one split of keys,
 * else batches of two, the splits' partial results and their merge. How many splits and batches
 * there are comes from the shapes and the size of the workspace; what lies in the buffers decides
 * which of the workgroups have nothing to do.
 */
#include "vk.h"

enum {
    SPLIT_PAGES = VK_ATTEND_SPLIT_KEYS / FM_CACHE_PAGE_ROWS,
    LANE_KEYS = 2,   /* keys that an invocation takes at once */
    VALUE_ROWS = 4,  /* rows of values that it takes at once */
    LANE_TURNS = 28, /* of loops, to add up what it took */
    LANES_WIDE = 8,  /* invocations of a large workgroup that share a key: they read side by side */
};

/** What the shaders of one call have in common. */
typedef struct attend_plan {
    const fm_attend *args;
    int64_t group_heads; /* query heads that share a key-value head */
    int64_t task_heads;  /* of them in a task */
    int64_t task_size;   /* elements of a task's partial results */
    int64_t n_tasks;
    int64_t n_splits;
} attend_plan;

/** Query heads that a task may have: one at least fits in the workspace, as it was planned so. */
static int64_t task_heads_most(int64_t room, int64_t head_size) {
    return room / head_size < VK_ATTEND_HEADS_MOST ? room / head_size : VK_ATTEND_HEADS_MOST;
}

/** `room`: elements of the workspace; with one split not looked at. */
static attend_plan plan_of(const fm_attend *a, int64_t n_splits, int64_t room) {
    int64_t group_heads = a->q.size[1] / a->k.size[1];
    int64_t head_size = n_splits * (2 + a->v.size[2]);
    int64_t most = n_splits > 1 ? task_heads_most(room, head_size) : VK_ATTEND_HEADS_MOST;
    int64_t parts = vk_ceil_div(group_heads, most);
    int64_t task_heads = vk_ceil_div(group_heads, parts);
    return (attend_plan){
        .args = a,
        .group_heads = group_heads,
        .task_heads = task_heads,
        .task_size = task_heads * head_size,
        .n_tasks = a->q.size[0] * a->k.size[1] * parts,
        .n_splits = n_splits,
    };
}

/** Two, where all of a cache's rows lie in whole words and there are enough of them for everyone.
 */
static int64_t unit_of(const fm_tensor *cache, int64_t n_invocations) {
    int64_t odd = cache->offset | cache->stride[0] | cache->stride[1] | cache->size[2];
    bool pairs = cache->dtype == FM_DTYPE_BF16 && odd % 2 == 0;
    return pairs && cache->size[2] / 2 >= n_invocations ? 2 : 1;
}

static void push_tasks(vk_call *call, const attend_plan *p, int64_t first_task, int64_t n_tasks) {
    vk_push_size(call, first_task);
    vk_push_size(call, n_tasks);
    vk_push_size(call, p->n_splits);
    vk_push_size(call, p->args->k.size[1]);
    vk_push_size(call, p->group_heads);
    vk_push_size(call, p->args->window);
}

static void push_strides(vk_call *call, const fm_tensor *t) {
    vk_push_size(call, t->stride[0]);
    vk_push_size(call, t->stride[1]);
}

/** What a workgroup of attend_split goes through: numbers of keys for the scores, the weights, and
 * rows of values. Says no more than the shapes do, as the size of a workgroup decides the order of
 * sums. */
static int64_t split_visits(const fm_attend *a) {
    const int64_t n_weights = 2 * VK_ATTEND_SPLIT_KEYS * VK_ATTEND_HEADS_MOST;
    const int64_t n_rows = VK_ATTEND_SPLIT_KEYS / VALUE_ROWS + 2 * SPLIT_PAGES + 2;
    return VK_ATTEND_SPLIT_KEYS / LANE_KEYS * (a->k.size[2] + LANE_TURNS) + n_weights +
           n_rows * (a->v.size[2] + VK_GROUP_SIZE_MOST);
}

/** `result`: partial results, or with one split y. */
static fm_status encode_split(fm_device_state *s, const attend_plan *p, int64_t first_task,
                              int64_t n_tasks, const fm_tensor *result) {
    const fm_attend *a = p->args;
    vk_call call = {.op = FM_OP_attend,
                    .kernel = VK_KERNEL_attend_split,
                    .group_size = vk_group_size(s, VK_GROUP_SIZE_MOST, split_visits(a))};
    int64_t lanes = call.group_size < VK_GROUP_SIZE_MOST ? 1 : LANES_WIDE;
    vk_push_constant(&call, p->task_heads);
    vk_push_constant(&call, vk_format_of(a->k.dtype));
    vk_push_constant(&call, lanes);
    vk_push_constant(&call, unit_of(&a->k, lanes));
    vk_push_constant(&call, unit_of(&a->v, call.group_size));
    vk_push_constant(&call, p->n_splits == 1);
    vk_bind(&call, s, &a->q, VK_READ);
    vk_bind(&call, s, &a->k, VK_READ);
    vk_bind(&call, s, &a->v, VK_READ);
    vk_bind(&call, s, &a->positions, VK_READ);
    vk_bind(&call, s, &a->sequences, VK_READ);
    vk_bind(&call, s, &a->pages, VK_READ);
    vk_bind(&call, s, result, VK_WRITE);
    push_tasks(&call, p, first_task, n_tasks);
    vk_push_f32(&call, a->scale);
    vk_push_size(&call, a->k.size[2]);
    vk_push_size(&call, a->v.size[2]);
    push_strides(&call, &a->q);
    push_strides(&call, &a->k);
    push_strides(&call, &a->v);
    vk_push_size(&call, a->pages.stride[0]);
    push_strides(&call, &a->y);
    vk_groups(&call, (uint64_t)(n_tasks * p->n_splits));
    return vk_encode(s, &call);
}

static fm_status encode_merge(fm_device_state *s, const attend_plan *p, int64_t first_task,
                              int64_t n_tasks, const fm_tensor *partial) {
    const fm_attend *a = p->args;
    /* Every invocation goes through the splits once more, to find the largest score. */
    int64_t n_visits = (p->n_splits + 2) * (a->v.size[2] + 2 * VK_GROUP_SIZE_MOST);
    vk_call call = {.op = FM_OP_attend,
                    .kernel = VK_KERNEL_attend_merge,
                    .group_size = vk_group_size(s, VK_GROUP_SIZE_MOST, n_visits)};
    vk_push_constant(&call, p->task_heads);
    vk_bind(&call, s, partial, VK_READ);
    vk_bind(&call, s, &a->positions, VK_READ);
    vk_bind(&call, s, &a->y, VK_WRITE);
    push_tasks(&call, p, first_task, n_tasks);
    vk_push_size(&call, a->v.size[2]);
    push_strides(&call, &a->y);
    vk_groups(&call, (uint64_t)(n_tasks * p->task_heads));
    return vk_encode(s, &call);
}

/** Batches of as many tasks as the workspace has room for. */
static fm_status encode_batches(fm_device_state *s, const fm_attend *a, int64_t n_splits) {
    fm_tensor room = vk_workspace(s, VK_WORKSPACE_ATTEND);
    attend_plan plan = plan_of(a, n_splits, room.size[0]);
    int64_t most = room.size[0] / plan.task_size;
    for (int64_t first = 0, n; first < plan.n_tasks; first += n) {
        n = plan.n_tasks - first < most ? plan.n_tasks - first : most;
        fm_tensor partial = tensor_slice(room, 0, 0, n * plan.task_size);
        FM_TRY(encode_split(s, &plan, first, n, &partial));
        FM_TRY(encode_merge(s, &plan, first, n, &partial));
    }
    return FM_OK;
}

fm_status vk_attend(fm_device_state *s, const fm_attend *a) {
    int64_t n_splits = vk_ceil_div(a->pages.size[1], SPLIT_PAGES);
    if (n_splits > 1) return encode_batches(s, a, n_splits);
    attend_plan plan = plan_of(a, 1, 0);
    return encode_split(s, &plan, 0, plan.n_tasks, &a->y);
}
