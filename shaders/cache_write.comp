/*
 * cache_write.comp - cache[rows[t]] = x[t], rounded to the cache's format.
 *
 *   0 x      f32 [T, G, D]
 *   1 rows   i32 [T]
 *   2 cache  f32 or bf16 [n, G, D]
 *
 * A workgroup takes `block` of the units of a token's G * D numbers. A unit is one number, or with
 * PAIRS two of bf16 that fill a word: then D, and the cache's offset and both strides, are even.
 * Without, a word may belong to two rows, heads or tensors whose writers do not know of each other:
 * the bits of one half are cleared and set by atomic operations that leave the other half as it is.
 */
#version 450
#include "fathom.glsl"
#include "rows.glsl"

layout(constant_id = 1) const uint FORMAT = FORMAT_F32;
layout(constant_id = 2) const uint PAIRS = 0;

layout(set = 0, binding = 0) readonly buffer X { uint x[]; }; /* bits of float32 */
layout(set = 0, binding = 1) readonly buffer Rows { uint rows[]; };
layout(set = 0, binding = 2) buffer Cache { uint cache[]; };

layout(push_constant) uniform Push {
    uint x_offset;
    uint rows_offset;
    uint cache_offset;
    uint n_tokens;
    uint n_heads; /* G */
    uint n_units; /* of one head: D or D/2 */
    uint x_token_stride;
    uint x_head_stride;
    uint cache_row_stride; /* strides and offsets are in numbers, also of bf16 */
    uint cache_head_stride;
    uint block; /* units */
};

uint rounded(uint x_at) {
    return bf16_bits(uintBitsToFloat(x[x_at]));
}

void write_half(uint cache_at, uint bits) {
    uint shift = cache_at % 2 * 16;
    atomicAnd(cache[cache_at / 2], ~(0xffffu << shift));
    atomicOr(cache[cache_at / 2], bits << shift);
}

void write_unit(uint x_head, uint cache_head, uint i) {
    if (FORMAT == FORMAT_F32)
        cache[cache_head + i] = x[x_head + i];
    else if (PAIRS == 1)
        cache[cache_head / 2 + i] = rounded(x_head + 2 * i) | rounded(x_head + 2 * i + 1) << 16;
    else
        write_half(cache_head + i, rounded(x_head + i));
}

void main() {
    row_block part = group_block(n_heads * n_units, block);
    uint t = part.row;
    if (t >= n_tokens) return;
    uint x_row = x_offset + t * x_token_stride;
    uint cache_row = cache_offset + rows[rows_offset + t] * cache_row_stride;
    for (uint u = part.first + gl_LocalInvocationIndex; u < part.end; u += GROUP_SIZE) {
        uint g = u / n_units, i = u % n_units;
        write_unit(x_row + g * x_head_stride, cache_row + g * cache_head_stride, i);
    }
}
