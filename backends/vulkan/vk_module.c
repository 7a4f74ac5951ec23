/* vk_module.c - the table of the Vulkan backend: the one symbol that the module exports. */
#include "vk_device.h"

#if defined(__GNUC__)
#define VK_EXPORT __attribute__((visibility("default")))
#else
#define VK_EXPORT
#endif

extern VK_EXPORT const fm_backend fm_backend_vulkan;

const fm_backend fm_backend_vulkan = {.version = FM_BACKEND_VERSION,
                                      .name = "vulkan",
                                      .open = vk_device_open,
                                      .list = vk_device_list,
                                      .close = vk_device_close,
                                      .info = vk_device_info,
                                      .buf_new = vk_buf_new,
                                      .buf_free = vk_buf_free,
                                      .write = vk_write,
                                      .read = vk_read,
                                      .copy = vk_copy,
                                      .submit = vk_recorder_submit,
                                      .wait = vk_recorder_wait_ticket,
                                      .weight_size = vk_weight_size,
                                      .weight_load = vk_weight_load,
                                      .weight_free = vk_weight_free,
                                      .record = vk_record,
                                      .record_end = vk_record_end,
                                      .profile = vk_profile,
                                      .op_seconds = vk_op_seconds,
#define VK_OP_ENTRY(name) .name = vk_##name,
                                      FM_OP_ALL_LIST(VK_OP_ENTRY)
#undef VK_OP_ENTRY
};
