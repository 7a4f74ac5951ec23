/*
 * shim.h - a library between the Vulkan backend and the loader, for tests. It is named by the
 * device option `loader=PATH`, forwards every call, and on the way counts, refuses, loses the
 * device, drops barriers and hides abilities, as the control says.
 *
 *   control   one for the process: a test finds it by shim_get in the same library (shim_open),
 * writes the orders and reads the counts. Not for several threads. mask      what a device pretends
 * to lack. It has to stay as it is while a device is open. refusal   a creation or allocation that
 * fails, though there is memory. breach    a use of what a mask hides: the call fails, and the
 * control says what it was.
 *
 * Counts grow until a test sets them to zero; those of live objects are never set.
 */
#ifndef TESTS_VULKAN_SHIM_H
#define TESTS_VULKAN_SHIM_H

#include <stdbool.h>
#include <stdint.h>

/** Kinds of objects that are created and destroyed one by one: what may leak. */
#define SHIM_OBJECT_LIST(X)                                                                        \
    X(Instance)                                                                                    \
    X(DebugUtilsMessengerEXT)                                                                      \
    X(Device)                                                                                      \
    X(DeviceMemory)                                                                                \
    X(Buffer)                                                                                      \
    X(Semaphore)                                                                                   \
    X(Fence)                                                                                       \
    X(CommandPool)                                                                                 \
    X(QueryPool)                                                                                   \
    X(ShaderModule)                                                                                \
    X(DescriptorSetLayout)                                                                         \
    X(DescriptorPool)                                                                              \
    X(DescriptorUpdateTemplate)                                                                    \
    X(PipelineLayout)                                                                              \
    X(PipelineCache)                                                                               \
    X(Pipeline)

typedef enum shim_object {
#define SHIM_OBJECT_ENUM(name) SHIM_OBJECT_##name,
    SHIM_OBJECT_LIST(SHIM_OBJECT_ENUM)
#undef SHIM_OBJECT_ENUM
        SHIM_OBJECT_COUNT
} shim_object;

typedef struct shim_mask {
    bool subgroup_arithmetic; /* no sums over subgroups, and no shader that contains one */
    bool numbers_16_bit;      /* neither 16-bit storage nor arithmetic */
    bool timeline_semaphore;
    bool synchronization2;  /* neither as a feature nor as an extension */
    bool push_descriptor;   /* no such extension */
    bool mapped_local;      /* memory of the device cannot be mapped; a second type can */
    uint32_t binding_max;   /* bytes of one storage buffer binding; 0: as it is */
    uint32_t shared_max;    /* bytes that a workgroup shares; 0: as it is */
    uint32_t subgroup_size; /* that it says it has; 0: as it is */
    uint64_t memory_max;    /* bytes of each heap, and of all allocations; 0: as it is */
} shim_mask;

typedef struct shim_counts {
    int64_t allocations; /* of memory */
    int64_t creations;   /* of any object, memory and command buffers included */
    int64_t pipelines;
    int64_t recordings; /* command buffers begun */
    int64_t submissions;
    int64_t waits; /* for semaphores, fences, queues and devices */
    int64_t barriers;
    int64_t dispatches;
} shim_counts;

typedef struct shim_control {
    /* Orders */
    shim_mask mask;
    int64_t
        refuse_nth;   /* counts down at calls that may run out of memory: 1 is the next; 0: none */
    int64_t lose_nth; /* the same at submissions and waits; the device stays lost */
    bool drop_barriers;

    /* What came of them */
    bool has_refused;
    bool is_lost; /* until the last device is destroyed */
    shim_counts counts;
    int64_t live[SHIM_OBJECT_COUNT];
    uint64_t live_bytes;  /* of memory */
    uint64_t cache_bytes; /* that the last pipeline cache began with */
    int64_t n_breaches;
    char breach[160]; /* the last one */
} shim_control;

typedef shim_control *(*shim_get_fn)(void);

#endif
