/*
 * vk_ops_route.c - route, in two dispatches: one chooses each token's experts, the other sorts all
 * of them.
 */
#include "vk.h"

enum {
    CHOOSE_SIZE_MOST = 64, /* invocations that choose for a token: some experts for each */
    SORT_STRETCH = 1024,   /* slots that a workgroup sorts */
};

static fm_status route_choose(fm_device_state *s, const fm_route *a) {
    /* All experts are gone through for each choice, of groups and of experts. */
    int64_t n_choices = 1 + a->weights.size[1] + a->top_groups;
    int64_t n_each = a->logits.size[1] + 2 * a->n_groups + 2 * VK_GROUP_SIZE_MOST;
    int64_t n_visits = n_each * n_choices;
    vk_call call = {.op = FM_OP_route,
                    .kernel = VK_KERNEL_route_choose,
                    .group_size = vk_group_size(s, CHOOSE_SIZE_MOST, n_visits),
                    .constants = {(uint32_t)a->logits.size[1], (uint32_t)a->n_groups},
                    .n_constants = 2};
    vk_bind(&call, s, &a->logits, VK_READ);
    vk_bind(&call, s, &a->bias, VK_READ);
    vk_bind(&call, s, &a->experts, VK_WRITE);
    vk_bind(&call, s, &a->weights, VK_WRITE);
    vk_push_size(&call, a->logits.stride[0]);
    vk_push_size(&call, a->experts.stride[0]);
    vk_push_size(&call, a->weights.stride[0]);
    vk_push_size(&call, a->logits.size[0]);
    vk_push_size(&call, a->weights.size[1]);
    vk_push_size(&call, a->top_groups);
    vk_push_u32(&call, a->bias.buf != NULL);
    vk_push_u32(&call, a->normalize);
    vk_push_f32(&call, a->scale);
    vk_groups(&call, (uint64_t)a->logits.size[0]);
    return vk_encode(s, &call);
}

static fm_status route_sort(fm_device_state *s, const fm_route *a) {
    int64_t n_slots = a->experts.size[0] * a->experts.size[1];
    int64_t n_visits = 2 * (n_slots + a->logits.size[1]); /* to count and to place */
    vk_call call = {.op = FM_OP_route,
                    .kernel = VK_KERNEL_route_sort,
                    .group_size = vk_group_size(s, VK_GROUP_SIZE_MOST, n_visits),
                    .constants = {(uint32_t)a->logits.size[1]},
                    .n_constants = 1};
    vk_bind(&call, s, &a->experts, VK_READ);
    vk_bind(&call, s, &a->offsets, VK_WRITE);
    vk_bind(&call, s, &a->row_token, VK_WRITE);
    vk_bind(&call, s, &a->slot_row, VK_WRITE);
    vk_push_size(&call, a->experts.stride[0]);
    vk_push_size(&call, a->row_token.stride[0]);
    vk_push_size(&call, a->slot_row.stride[0]);
    vk_push_size(&call, n_slots);
    vk_push_size(&call, a->experts.size[1]);
    vk_push_size(&call, SORT_STRETCH);
    vk_groups(&call, (uint64_t)vk_ceil_div(n_slots, SORT_STRETCH));
    return vk_encode(s, &call);
}

/** Whether what the shaders keep of each expert, and of each group a bit, can be shared. */
static bool is_shareable(const fm_device_state *s, const fm_route *a) {
    enum { OTHERS = 2 * 128 + 2 }; /* words: of the chosen, or of a chunk of slots; the best */
    int64_t n_words = a->logits.size[1] + vk_ceil_div(a->n_groups, 32) + OTHERS;
    return n_words * 4 <= vk_shared_max(s);
}

/** FM_ERR_UNSUPPORTED where there are too many experts for the memory of a workgroup: 3,800 take
 * less than every device has. */
fm_status vk_route(fm_device_state *s, const fm_route *a) {
    if (!is_shareable(s, a))
        return vk_refuse(s, FM_OP_route, "so many experts do not fit the memory of a workgroup");
    FM_TRY(route_choose(s, a));
    return route_sort(s, a);
}
