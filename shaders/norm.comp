/*
 * norm.comp - RMSNorm: y[t] = x[t] / sqrt(mean(x[t]^2) + eps) * weight. y may be x.
 *
 *   0 x       f32 [T, C]
 *   1 weight  f32 [C]
 *   2 y       f32 [T, C]
 *
 * A workgroup takes a row. Each invocation sums the squares of every GROUP_SIZE-th number, so that
 * the sum's order depends on C alone; it writes only where no other invocation reads.
 */
#version 450
#include "fathom.glsl"
#include "sum.glsl"

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Weight { float weight[]; };
layout(set = 0, binding = 2) writeonly buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint x_offset;
    uint weight_offset;
    uint y_offset;
    uint n_rows; /* T */
    uint width;  /* C */
    uint x_stride;
    uint y_stride;
    float eps;
};

void main() {
    uint row = group_index();
    if (row >= n_rows) return;
    uint x_row = x_offset + row * x_stride, y_row = y_offset + row * y_stride;
    float sum = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < width; i += GROUP_SIZE)
        sum = fma(x[x_row + i], x[x_row + i], sum);
    float scale = 1.0 / sqrt(group_sum(sum) / float(width) + eps);
    for (uint i = gl_LocalInvocationIndex; i < width; i += GROUP_SIZE)
        y[y_row + i] = x[x_row + i] * scale * weight[weight_offset + i];
}
