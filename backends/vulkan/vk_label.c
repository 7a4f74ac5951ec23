/* vk_label.c - gives names to the debugging extension. */
#include "vk_label.h"

#include "vk_device.h"

static const char *const op_names[FM_OP_COUNT] = {
#define LABEL_NAME(name) #name,
    FM_OP_ALL_LIST(LABEL_NAME)
#undef LABEL_NAME
};

const char *vk_label_of(fm_op op) {
    return op_names[op];
}

void vk_label_begin(const fm_device_state *s, VkCommandBuffer commands, fm_op op) {
    VkDebugUtilsLabelEXT label = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT,
                                  .pLabelName = op_names[op]};
    if (s->options.validate) s->vk.CmdBeginDebugUtilsLabelEXT(commands, &label);
}

void vk_label_end(const fm_device_state *s, VkCommandBuffer commands) {
    if (s->options.validate) s->vk.CmdEndDebugUtilsLabelEXT(commands);
}

void vk_label_object(const fm_device_state *s, VkObjectType type, uint64_t handle,
                     const char *name) {
    VkDebugUtilsObjectNameInfoEXT info = {.sType =
                                              VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                          .objectType = type,
                                          .objectHandle = handle,
                                          .pObjectName = name};
    /* A name is no reason to fail. */
    if (s->options.validate) (void)s->vk.SetDebugUtilsObjectNameEXT(s->device, &info);
}
