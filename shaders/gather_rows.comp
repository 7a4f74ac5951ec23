/*
 * gather_rows.comp - for k ascending, y[t] = fma(weights[t, k], x[rows[t, k]], y[t]), from 0 or,
 * with ACCUMULATE, from what y holds. Without WEIGHTED weights are 1, and `weights` is not read.
 *
 *   0 x        f32 [n, C]
 *   1 rows     i32 [T, K]
 *   2 weights  f32 [T, K]
 *   3 y        f32 [T, C]
 *
 * A workgroup takes `block` elements of one row of y.
 */
#version 450
#include "fathom.glsl"
#include "rows.glsl"

layout(constant_id = 1) const uint WEIGHTED = 0;
layout(constant_id = 2) const uint ACCUMULATE = 0;

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Rows { uint rows[]; };
layout(set = 0, binding = 2) readonly buffer Weights { float weights[]; };
layout(set = 0, binding = 3) buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint x_offset;
    uint rows_offset;
    uint weights_offset;
    uint y_offset;
    uint n_tokens;
    uint n_chosen; /* K */
    uint width;    /* C */
    uint x_stride;
    uint rows_stride;
    uint weights_stride;
    uint y_stride;
    uint block;
};

void main() {
    row_block part = group_block(width, block);
    uint t = part.row;
    if (t >= n_tokens) return;
    for (uint i = part.first + gl_LocalInvocationIndex; i < part.end; i += GROUP_SIZE) {
        uint at = y_offset + t * y_stride + i;
        float sum = ACCUMULATE == 1 ? y[at] : 0.0;
        for (uint k = 0; k < n_chosen; k++) {
            uint row = rows[rows_offset + t * rows_stride + k];
            float w = WEIGHTED == 1 ? weights[weights_offset + t * weights_stride + k] : 1.0;
            sum = fma(w, x[x_offset + row * x_stride + i], sum);
        }
        y[at] = sum;
    }
}
