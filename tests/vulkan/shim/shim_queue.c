/*
 * shim_queue.c - owns what a device is told to do: recordings, submissions and waits, barriers; and
 * its loss. A lost device finishes what was submitted, so that its objects may be destroyed, and
 * from then on every submission and wait says that it is lost.
 */
#include "shim_next.h"

/* ---- Loss --------------------------------------------------------------------------------------- */

/** Whether this submission or wait finds the device lost, or loses it. */
static bool is_lost(void) {
    if (shim.lose_nth > 0 && --shim.lose_nth == 0) shim.is_lost = true;
    return shim.is_lost;
}

static bool loses_submission(VkQueue queue) {
    shim.counts.submissions++;
    if (!is_lost()) return false;
    next.QueueWaitIdle(queue);
    return true;
}

static bool loses_wait(VkDevice device) {
    shim.counts.waits++;
    if (!is_lost()) return false;
    next.DeviceWaitIdle(device);
    return true;
}

/* ---- Submissions and waits ---------------------------------------------------------------------- */

VKAPI_ATTR VkResult VKAPI_CALL shim_QueueSubmit(VkQueue queue, uint32_t n,
                                                const VkSubmitInfo *infos, VkFence fence) {
    if (loses_submission(queue)) return VK_ERROR_DEVICE_LOST;
    return next.QueueSubmit(queue, n, infos, fence);
}

#define SHIM_SUBMIT(name)                                                                          \
    VKAPI_ATTR VkResult VKAPI_CALL shim_##name(VkQueue queue, uint32_t n,                          \
                                               const VkSubmitInfo2 *infos, VkFence fence) {        \
        if (loses_submission(queue)) return VK_ERROR_DEVICE_LOST;                                  \
        return next.name(queue, n, infos, fence);                                                  \
    }
SHIM_SUBMIT(QueueSubmit2)
SHIM_SUBMIT(QueueSubmit2KHR)

VKAPI_ATTR VkResult VKAPI_CALL shim_QueueWaitIdle(VkQueue queue) {
    shim.counts.waits++;
    VkResult result = next.QueueWaitIdle(queue);
    return is_lost() ? VK_ERROR_DEVICE_LOST : result;
}

VKAPI_ATTR VkResult VKAPI_CALL shim_DeviceWaitIdle(VkDevice device) {
    if (loses_wait(device)) return VK_ERROR_DEVICE_LOST;
    return next.DeviceWaitIdle(device);
}

VKAPI_ATTR VkResult VKAPI_CALL shim_WaitForFences(VkDevice device, uint32_t n,
                                                  const VkFence *fences, VkBool32 all,
                                                  uint64_t timeout) {
    if (loses_wait(device)) return VK_ERROR_DEVICE_LOST;
    return next.WaitForFences(device, n, fences, all, timeout);
}

#define SHIM_WAIT(name)                                                                            \
    VKAPI_ATTR VkResult VKAPI_CALL shim_##name(VkDevice device, const VkSemaphoreWaitInfo *info,   \
                                               uint64_t timeout) {                                 \
        if (loses_wait(device)) return VK_ERROR_DEVICE_LOST;                                       \
        return next.name(device, info, timeout);                                                   \
    }
SHIM_WAIT(WaitSemaphores)
SHIM_WAIT(WaitSemaphoresKHR)

/* Asks, and does not wait: it loses nothing, but a lost device has no value to tell. */
#define SHIM_COUNTER(name)                                                                         \
    VKAPI_ATTR VkResult VKAPI_CALL shim_##name(VkDevice device, VkSemaphore semaphore,             \
                                               uint64_t *value) {                                  \
        return shim.is_lost ? VK_ERROR_DEVICE_LOST : next.name(device, semaphore, value);          \
    }
SHIM_COUNTER(GetSemaphoreCounterValue)
SHIM_COUNTER(GetSemaphoreCounterValueKHR)

/* ---- Recording ---------------------------------------------------------------------------------- */

VKAPI_ATTR VkResult VKAPI_CALL shim_BeginCommandBuffer(VkCommandBuffer commands,
                                                       const VkCommandBufferBeginInfo *info) {
    shim.counts.recordings++;
    if (shim_refuses()) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return next.BeginCommandBuffer(commands, info);
}

VKAPI_ATTR VkResult VKAPI_CALL shim_EndCommandBuffer(VkCommandBuffer commands) {
    bool refused = shim_refuses();
    VkResult result = next.EndCommandBuffer(commands);
    return refused ? VK_ERROR_OUT_OF_DEVICE_MEMORY : result;
}

VKAPI_ATTR void VKAPI_CALL shim_CmdPipelineBarrier(
    VkCommandBuffer commands, VkPipelineStageFlags src, VkPipelineStageFlags dst,
    VkDependencyFlags flags, uint32_t n_memory, const VkMemoryBarrier *memory, uint32_t n_buffers,
    const VkBufferMemoryBarrier *buffers, uint32_t n_images, const VkImageMemoryBarrier *images) {
    shim.counts.barriers++;
    if (!shim.drop_barriers)
        next.CmdPipelineBarrier(commands, src, dst, flags, n_memory, memory, n_buffers, buffers,
                                n_images, images);
}

#define SHIM_BARRIER(name)                                                                         \
    VKAPI_ATTR void VKAPI_CALL shim_##name(VkCommandBuffer commands,                               \
                                           const VkDependencyInfo *info) {                         \
        shim.counts.barriers++;                                                                    \
        if (!shim.drop_barriers) next.name(commands, info);                                        \
    }
SHIM_BARRIER(CmdPipelineBarrier2)
SHIM_BARRIER(CmdPipelineBarrier2KHR)

VKAPI_ATTR void VKAPI_CALL shim_CmdDispatch(VkCommandBuffer commands, uint32_t x, uint32_t y,
                                            uint32_t z) {
    shim.counts.dispatches++;
    next.CmdDispatch(commands, x, y, z);
}
