/* vk_recorder.c - command buffers in their order, submissions, and waiting for them. */
#include "vk_recorder.h"

#include "vk_device.h"

/* ---- Opening and closing ------------------------------------------------------------------------- */

static fm_status make_timeline(fm_device_state *s, fm_error *err) {
    VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                      .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
    return vk_check(s, s->vk.CreateSemaphore(s->device, &info, NULL, &s->recorder.timeline),
                    "vkCreateSemaphore", err);
}

/* All command buffers there will ever be, so that a step allocates none. */
static fm_status make_command_buffers(fm_device_state *s, fm_error *err) {
    vk_recorder *r = &s->recorder;
    VkCommandBuffer kept[VK_STRETCHES_MAX];
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = r->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = VK_DYNAMIC_MAX};
    FM_TRY(vk_check(s, s->vk.AllocateCommandBuffers(s->device, &info, r->dynamic),
                    "vkAllocateCommandBuffers", err));
    info.commandBufferCount = VK_STRETCHES_MAX;
    FM_TRY(vk_check(s, s->vk.AllocateCommandBuffers(s->device, &info, kept),
                    "vkAllocateCommandBuffers", err));
    for (int32_t i = 0; i < VK_STRETCHES_MAX; i++) r->stretches.at[i].commands = kept[i];
    return FM_OK;
}

fm_status vk_recorder_open(fm_device_state *s, fm_error *err) {
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = s->gpu.queue_family};
    FM_TRY(make_timeline(s, err));
    FM_TRY(vk_check(s, s->vk.CreateCommandPool(s->device, &pool, NULL, &s->recorder.pool),
                    "vkCreateCommandPool", err));
    return make_command_buffers(s, err);
}

void vk_recorder_close(fm_device_state *s) {
    /* Also a device that was lost may still run what it was given. */
    s->vk.DeviceWaitIdle(s->device);
    s->vk.DestroyCommandPool(s->device, s->recorder.pool, NULL);
    s->vk.DestroySemaphore(s->device, s->recorder.timeline, NULL);
    s->recorder = (vk_recorder){0};
}

/* ---- Moments ------------------------------------------------------------------------------------- */

bool vk_recorder_has_passed(fm_device_state *s, uint64_t moment) {
    vk_recorder *r = &s->recorder;
    uint64_t now = 0;
    if (moment <= r->completed) return true;
    if (moment > r->submitted) return false; /* VK_MOMENT_NONE too */
    if (vk_status(s, s->vk.GetSemaphoreCounterValue(s->device, r->timeline, &now)) == FM_OK)
        r->completed = now;
    return moment <= r->completed;
}

fm_status vk_recorder_wait(fm_device_state *s, uint64_t moment) {
    vk_recorder *r = &s->recorder;
    VkSemaphoreWaitInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &r->timeline,
                                .pValues = &moment};
    if (moment > r->completed) {
        FM_TRY(vk_status(s, s->vk.WaitSemaphores(s->device, &info, UINT64_MAX)));
        r->completed = moment;
    }
    vk_times_read(s);
    return FM_OK;
}

fm_status vk_recorder_settle(fm_device_state *s) {
    FM_TRY(vk_recorder_flush(s));
    return vk_recorder_wait(s, s->recorder.submitted);
}

bool vk_recorder_is_idle(fm_device_state *s) {
    const vk_recorder *r = &s->recorder;
    return !r->open && r->n_pieces == 0 && vk_recorder_has_passed(s, r->submitted);
}

/* ---- Pieces -------------------------------------------------------------------------------------- */

static void set_barrier(fm_device_state *s, VkPipelineStageFlags2 from, VkPipelineStageFlags2 to,
                        VkAccessFlags2 read) {
    VkMemoryBarrier2 barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                .srcStageMask = from,
                                .srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT,
                                .dstStageMask = to,
                                .dstAccessMask = read};
    VkDependencyInfo info = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                             .memoryBarrierCount = 1,
                             .pMemoryBarriers = &barrier};
    s->vk.CmdPipelineBarrier2(s->recorder.open, &info);
}

/** Of all commands before against all that follow. */
static void set_full_barrier(fm_device_state *s) {
    const VkPipelineStageFlags2 work =
        VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT;
    set_barrier(s, work, work, VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT);
}

fm_status vk_recorder_begin(fm_device_state *s, VkCommandBuffer commands,
                            VkCommandBufferUsageFlags flags) {
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = flags};
    FM_TRY(vk_status(s, s->vk.BeginCommandBuffer(commands, &info)));
    s->recorder.open = commands;
    vk_hazards_clear(&s->recorder.hazards);
    set_full_barrier(s);
    return FM_OK;
}

fm_status vk_recorder_end(fm_device_state *s) {
    VkCommandBuffer commands = s->recorder.open;
    if (!commands) return FM_OK;
    set_barrier(s, VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT,
                VK_PIPELINE_STAGE_2_HOST_BIT, VK_ACCESS_2_HOST_READ_BIT);
    s->recorder.open = NULL;
    return vk_status(s, s->vk.EndCommandBuffer(commands));
}

void vk_recorder_add_piece(fm_device_state *s, VkCommandBuffer commands) {
    vk_recorder *r = &s->recorder;
    r->pieces[r->n_pieces++] = (VkCommandBufferSubmitInfo){
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = commands};
}

/** Ends the open dynamic command buffer: it becomes a piece, or is lost where that fails. */
static fm_status close_dynamic(fm_device_state *s) {
    VkCommandBuffer commands = s->recorder.open;
    if (!commands) return FM_OK;
    FM_TRY(vk_recorder_end(s));
    vk_recorder_add_piece(s, commands);
    return FM_OK;
}

fm_status vk_recorder_make_room(fm_device_state *s) {
    /* The last place is for the dynamic piece that may follow. */
    FM_TRY(close_dynamic(s));
    return s->recorder.n_pieces < VK_PIECES_MAX - 1 ? FM_OK : vk_recorder_flush(s);
}

/** Index of a dynamic command buffer that is free; the one that will be first is waited for. */
static fm_status find_dynamic(fm_device_state *s, int32_t *out) {
    vk_recorder *r = &s->recorder;
    int32_t first = -1;
    for (int32_t i = 0; i < VK_DYNAMIC_MAX; i++)
        if (first < 0 || r->dynamic_moment[i] < r->dynamic_moment[first]) first = i;
    if (r->dynamic_moment[first] == VK_MOMENT_NONE) { /* all are encoded */
        FM_TRY(vk_recorder_flush(s));
        first = 0;
    }
    FM_TRY(vk_recorder_wait(s, r->dynamic_moment[first]));
    *out = first;
    return FM_OK;
}

static fm_status open_dynamic(fm_device_state *s) {
    vk_recorder *r = &s->recorder;
    int32_t i = 0;
    FM_TRY(vk_recorder_make_room(s));
    FM_TRY(find_dynamic(s, &i));
    FM_TRY(vk_recorder_begin(s, r->dynamic[i], VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT));
    r->dynamic_moment[i] = VK_MOMENT_NONE;
    return FM_OK;
}

fm_status vk_recorder_command(fm_device_state *s, const vk_touch *touches, int32_t n,
                              VkCommandBuffer *out) {
    if (!s->recorder.open) FM_TRY(open_dynamic(s));
    if (vk_hazards_add(&s->recorder.hazards, touches, n)) set_full_barrier(s);
    *out = s->recorder.open;
    return FM_OK;
}

/* ---- Submitting ---------------------------------------------------------------------------------- */

/** What the pieces used is free at this moment. Where they will never run, that of the last
 * submission: a stretch may be in an earlier one as well. */
static void release_pieces(fm_device_state *s, uint64_t moment) {
    vk_recorder *r = &s->recorder;
    for (int32_t i = 0; i < VK_DYNAMIC_MAX; i++)
        if (r->dynamic_moment[i] == VK_MOMENT_NONE) r->dynamic_moment[i] = moment;
    vk_stretches_submitted(s, moment);
    vk_staging_submitted(s, moment);
    r->n_pieces = 0;
}

static VkResult submit_pieces(fm_device_state *s, uint64_t moment) {
    const vk_recorder *r = &s->recorder;
    VkSemaphoreSubmitInfo signal = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                    .semaphore = r->timeline,
                                    .value = moment,
                                    .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT};
    VkSubmitInfo2 info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                          .commandBufferInfoCount = (uint32_t)r->n_pieces,
                          .pCommandBufferInfos = r->pieces,
                          .signalSemaphoreInfoCount = 1,
                          .pSignalSemaphoreInfos = &signal};
    return s->vk.QueueSubmit2(s->queue, 1, &info, VK_NULL_HANDLE);
}

fm_status vk_recorder_flush(fm_device_state *s) {
    vk_recorder *r = &s->recorder;
    if (r->stretches.recording) return FM_ERR_STATE; /* the open one is not a piece yet */
    fm_status status = close_dynamic(s);
    bool is_empty = r->n_pieces == 0;
    if (status == FM_OK && !is_empty) status = vk_status(s, submit_pieces(s, r->submitted + 1));
    if (status == FM_OK && !is_empty) r->submitted++;
    release_pieces(s, r->submitted);
    return status;
}

fm_status vk_recorder_submit(fm_device_state *s, uint64_t ticket) {
    vk_recorder *r = &s->recorder;
    FM_TRY(vk_recorder_flush(s));
    r->tickets[r->n_tickets++ % VK_TICKETS_MAX] = (vk_ticket){ticket, r->submitted};
    return FM_OK;
}

/* Of tickets too old to be remembered it is known that they are older than the oldest of those that
 * are. */
static uint64_t moment_of(const vk_recorder *r, uint64_t ticket) {
    uint64_t moment = 0;
    uint32_t n = r->n_tickets < VK_TICKETS_MAX ? r->n_tickets : VK_TICKETS_MAX;
    for (uint32_t i = 1; i <= n; i++) {
        const vk_ticket *t = &r->tickets[(r->n_tickets - i) % VK_TICKETS_MAX];
        if (t->ticket < ticket) break;
        moment = t->moment;
    }
    return moment;
}

fm_status vk_recorder_wait_ticket(fm_device_state *s, uint64_t ticket) {
    return vk_recorder_wait(s, moment_of(&s->recorder, ticket));
}
