/*
 * vk_label.h - names of ours in what the validation layer and debuggers say: of pipelines, buffers
 * and stretches of commands. Only on a device that is validated; elsewhere they do nothing.
 */
#ifndef FATHOM_VK_LABEL_H
#define FATHOM_VK_LABEL_H

#include "vk.h"
#include "vk_api.h"

/** An operation's name. */
const char *vk_label_of(fm_op op);

/** Stand around the commands of an operation. */
void vk_label_begin(const fm_device_state *s, VkCommandBuffer commands, fm_op op);
void vk_label_end(const fm_device_state *s, VkCommandBuffer commands);

/** Names an object; the handle as a number. */
void vk_label_object(const fm_device_state *s, VkObjectType type, uint64_t handle,
                     const char *name);

#endif
