/*
 * attend_merge.comp - adds the partial results of attend_split, splits ascending, and divides by the sum
 * of weights.
 *
 *   0 partial    f32 [n_tasks, HEADS, n_splits, 2 + Dv] as attend.glsl says
 *   1 positions  i32 [T]
 *   2 y          f32 [T, H, Dv]
 *
 * A workgroup takes a head of a task, an invocation some of its columns. Splits without keys that the
 * token attends to hold no result and are not read.
 */
#version 450
#include "fathom.glsl"
#include "attend.glsl"

layout(set = 0, binding = 0) readonly buffer Partial { float partial[]; };
layout(set = 0, binding = 1) readonly buffer Positions { uint positions[]; };
layout(set = 0, binding = 2) writeonly buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint partial_offset;
    uint positions_offset;
    uint y_offset;
    uint first_task; /* of this dispatch */
    uint n_tasks;
    uint n_splits;
    uint n_groups;    /* G */
    uint group_heads; /* H / G */
    uint window;
    uint value_dim; /* Dv */
    uint y_token_stride;
    uint y_head_stride;
};

void main() {
    uint index = group_index(), head = index % HEADS, part = index / HEADS;
    if (part >= n_tasks) return;
    attend_task task = attend_task_of(first_task + part, n_groups, group_heads);
    if (head >= task.n_heads) return;
    uint position = positions[positions_offset + task.t];
    uint first = attend_first_key(position, window) / SPLIT_KEYS;
    uint last = position / SPLIT_KEYS, split_size = 2 + value_dim;
    uint first_at = partial_offset + attend_partial_at(part, head, first, n_splits, value_dim);
    uint y_at = y_offset + task.t * y_token_stride + (task.first_head + head) * y_head_stride;

    float largest = partial[first_at];
    for (uint split = first, at = first_at; split <= last; split++, at += split_size)
        largest = max(largest, partial[at]);
    for (uint i = gl_LocalInvocationIndex; i < value_dim; i += GROUP_SIZE) {
        float sum = 0.0, value = 0.0;
        for (uint split = first, at = first_at; split <= last; split++, at += split_size) {
            float factor = attend_exp(partial[at] - largest);
            sum = fma(factor, partial[at + 1], sum);
            value = fma(factor, partial[at + 2 + i], value);
        }
        y[y_at + i] = value / sum;
    }
}
