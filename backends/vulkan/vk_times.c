/* vk_times.c - time stamps around dispatches, and their sums. */
#include "vk_times.h"

#include <string.h>

#include "../../core/base/os.h"
#include "vk_device.h"

static bool has_clock(const fm_device_state *s) {
    return s->times.stamps != VK_NULL_HANDLE;
}

void vk_profile(fm_device_state *s, bool on) {
    vk_times *t = &s->times;
    VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                  .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                  .queryCount = 2 * VK_TIMES_MAX};
    t->is_on = on;
    if (!on) return;
    (void)vk_recorder_settle(s); /* what was encoded before does not count */
    memset(t->seconds, 0, sizeof t->seconds);
    t->n = 0;
    /* Where this fails, the host's clock does. */
    if (!t->stamps && s->gpu.timestamp_bits > 0)
        (void)vk_status(s, s->vk.CreateQueryPool(s->device, &info, NULL, &t->stamps));
}

void vk_op_seconds(const fm_device_state *s, double seconds[FM_OP_COUNT]) {
    memcpy(seconds, s->times.seconds, sizeof s->times.seconds);
}

void vk_times_close(fm_device_state *s) {
    s->vk.DestroyQueryPool(s->device, s->times.stamps, NULL);
    s->times = (vk_times){0};
}

fm_status vk_times_prepare(fm_device_state *s) {
    vk_times *t = &s->times;
    if (!t->is_on) return FM_OK;
    if (!has_clock(s)) FM_TRY(vk_recorder_settle(s));
    if (t->n == VK_TIMES_MAX) FM_TRY(vk_recorder_settle(s));
    t->started = has_clock(s) ? 0.0 : os_seconds();
    return FM_OK;
}

/* Each stamp is taken when all before it is done, so that dispatches which run at the same time do
 * not count each other's time. */
void vk_times_begin(fm_device_state *s, VkCommandBuffer commands, fm_op op) {
    vk_times *t = &s->times;
    if (!t->is_on || !has_clock(s)) return;
    uint32_t first = 2 * (uint32_t)t->n;
    t->ops[t->n] = op;
    s->vk.CmdResetQueryPool(commands, t->stamps, first, 2);
    s->vk.CmdWriteTimestamp2(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, t->stamps, first);
}

fm_status vk_times_end(fm_device_state *s, VkCommandBuffer commands, fm_op op) {
    vk_times *t = &s->times;
    if (!t->is_on) return FM_OK;
    if (has_clock(s)) {
        s->vk.CmdWriteTimestamp2(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, t->stamps,
                                 2 * (uint32_t)t->n + 1);
        t->n++;
        return FM_OK;
    }
    FM_TRY(vk_recorder_settle(s));
    t->seconds[op] += os_seconds() - t->started;
    return FM_OK;
}

void vk_times_read(fm_device_state *s) {
    vk_times *t = &s->times;
    if (t->n == 0 || !vk_recorder_is_idle(s)) return;
    uint64_t valid = s->gpu.timestamp_bits < 64 ? (1ull << s->gpu.timestamp_bits) - 1 : UINT64_MAX;
    double unit = (double)s->gpu.limits.timestampPeriod * 1e-9;
    VkResult result = s->vk.GetQueryPoolResults(
        s->device, t->stamps, 0, 2 * (uint32_t)t->n, sizeof t->results, t->results,
        2 * sizeof(uint64_t), VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT);
    /* Of what was encoded and never submitted there are no stamps. */
    for (int32_t i = 0; result >= 0 && i < t->n; i++)
        if (t->results[i][0][1] && t->results[i][1][1])
            t->seconds[t->ops[i]] +=
                (double)((t->results[i][1][0] - t->results[i][0][0]) & valid) * unit;
    t->n = 0;
}
