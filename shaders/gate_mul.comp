/*
 * gate_mul.comp - y = silu(gate) * up, where silu(g) = g / (1 + exp(-g)). y may be gate or up.
 *
 *   0 gate  f32 [T, I]
 *   1 up    f32 [T, I]
 *   2 y     f32 [T, I]
 *
 * A workgroup takes `block` elements of one row.
 */
#version 450
#include "fathom.glsl"
#include "rows.glsl"

layout(set = 0, binding = 0) readonly buffer Gate { float gate[]; };
layout(set = 0, binding = 1) readonly buffer Up { float up[]; };
layout(set = 0, binding = 2) writeonly buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint gate_offset;
    uint up_offset;
    uint y_offset;
    uint n_rows; /* T */
    uint width;  /* I */
    uint gate_stride;
    uint up_stride;
    uint y_stride;
    uint block;
};

/** Only exponentials of numbers up to 0 are taken: shaders need not know infinity, nor divide by a
 * number near it. */
float silu(float g) {
    float e = exp(-abs(g));
    return g * ((g < 0.0 ? e : 1.0) / (1.0 + e));
}

void main() {
    row_block part = group_block(width, block);
    uint t = part.row;
    if (t >= n_rows) return;
    for (uint i = part.first + gl_LocalInvocationIndex; i < part.end; i += GROUP_SIZE) {
        float g = gate[gate_offset + t * gate_stride + i];
        float u = up[up_offset + t * up_stride + i];
        y[y_offset + t * y_stride + i] = silu(g) * u;
    }
}
