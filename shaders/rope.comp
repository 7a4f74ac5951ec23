/*
 * rope.comp - rotates pair i of every head by the angle of the token's position. y may be x.
 *
 *   0 x          f32 [T, H, R]
 *   1 positions  i32 [T]
 *   2 table      f32 [positions, R/2, 2]: cosine, sine
 *   3 y          f32 [T, H, R]
 *
 * A workgroup takes `block` of a token's H * R/2 pairs. Both numbers of a pair are read before
 * either is written.
 */
#version 450
#include "fathom.glsl"
#include "rows.glsl"

/* A pair is (x[2i], x[2i + 1]) where INTERLEAVED is 1, else (x[i], x[i + R/2]). */
layout(constant_id = 1) const uint INTERLEAVED = 0;

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Positions { uint positions[]; };
layout(set = 0, binding = 2) readonly buffer Table { float table[]; };
layout(set = 0, binding = 3) writeonly buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint x_offset;
    uint positions_offset;
    uint table_offset;
    uint y_offset;
    uint n_tokens;
    uint n_heads;
    uint n_pairs; /* R/2: of one head */
    uint x_token_stride;
    uint x_head_stride;
    uint table_stride; /* from position to position */
    uint y_token_stride;
    uint y_head_stride;
    uint block; /* pairs */
};

void main() {
    row_block part = group_block(n_heads * n_pairs, block);
    uint t = part.row;
    if (t >= n_tokens) return;
    uint angles = table_offset + positions[positions_offset + t] * table_stride;
    for (uint p = part.first + gl_LocalInvocationIndex; p < part.end; p += GROUP_SIZE) {
        uint h = p / n_pairs, i = p % n_pairs;
        uint a = INTERLEAVED == 1 ? 2 * i : i;
        uint b = INTERLEAVED == 1 ? 2 * i + 1 : i + n_pairs;
        uint x_head = x_offset + t * x_token_stride + h * x_head_stride;
        uint y_head = y_offset + t * y_token_stride + h * y_head_stride;
        float cosine = table[angles + 2 * i], sine = table[angles + 2 * i + 1];
        float xa = x[x_head + a], xb = x[x_head + b];
        y[y_head + a] = fma(xa, cosine, -(xb * sine));
        y[y_head + b] = fma(xb, cosine, xa * sine);
    }
}
