/*
 * product.glsl - what the matrix products share: ROWS rows of a weight times TOKENS rows of x, by
 * one workgroup that reads each of these weights once. Behind fathom.glsl, sum.glsl and
 * weight.glsl.
 *
 *   0 x  numbers, found by the offsets that the shader puts into x_at
 *   1 w  a window of a weight: rows of numbers in FORMAT, padded with zeros to stretches of 16 bytes
 *
 * A product is one chain: an invocation takes every GROUP_SIZE-th stretch of the row and adds its
 * products ascending, each with one fma; group_sum adds the invocations' sums. So its bits depend
 * on K, the format and the size of the workgroup, not on ROWS, TOKENS or what else the workgroup
 * does.
 */
layout(constant_id = 2) const uint ROWS = 1;
layout(constant_id = 3) const uint TOKENS = 1;
/* Whether every row of x begins at a multiple of four numbers of the buffer. */
layout(constant_id = 4) const bool X_QUADS = false;

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 0) readonly buffer XQuads { vec4 x_quads[]; };
layout(set = 0, binding = 1) readonly buffer Weight { uvec4 w[]; };

uint w_at[ROWS];   /* the first stretch of each row of the weight */
uint x_at[TOKENS]; /* the first number of each row of x */
float sums[ROWS * TOKENS]; /* of row r and token t at r * TOKENS + t */

/** Four numbers of x; those behind the first n are not read and count as zeros. */
vec4 x_quad(uint at, uint n) {
    if (n >= 4) return X_QUADS ? x_quads[at / 4] : vec4(x[at], x[at + 1], x[at + 2], x[at + 3]);
    return vec4(n > 0 ? x[at] : 0.0, n > 1 ? x[at + 1] : 0.0, n > 2 ? x[at + 2] : 0.0, 0.0);
}

/** Adds four products to a sum. */
float product_quad(vec4 a, vec4 b, float sum) {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

/** Adds the products of one stretch, which begins at number k of a row; n_left: numbers from there
 * to the row's end. */
void product_add(uint k, uint n_left) {
    uvec4 words[ROWS];
    vec4 quads[TOKENS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) words[r] = w[w_at[r] + k / STRETCH];
    [[unroll]] for (uint first = 0; first < STRETCH; first += 4) {
        uint n = max(n_left, first) - first;
        [[unroll]] for (uint t = 0; t < TOKENS; t++) quads[t] = x_quad(x_at[t] + k + first, n);
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            vec4 weights = weight_quad(words[r], first);
            [[unroll]] for (uint t = 0; t < TOKENS; t++)
                sums[r * TOKENS + t] = product_quad(weights, quads[t], sums[r * TOKENS + t]);
        }
    }
}

/** Fills `sums`, for all invocations, with the products over K numbers of the rows at w_at and
 * x_at. The last stretch, which may be a part of one, is kept apart so that the others need no
 * care. */
void product_run(uint n_k) {
    uint last = n_k / STRETCH * STRETCH, step = GROUP_SIZE * STRETCH;
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++) sums[i] = 0.0;
    uint k = gl_LocalInvocationIndex * STRETCH;
    for (; k < last; k += step) product_add(k, STRETCH);
    if (k == last && k < n_k) product_add(k, n_k - k);
    [[unroll]] for (uint i = 0; i < ROWS * TOKENS; i++) sums[i] = group_sum(sums[i]);
}

/** Whether this invocation writes product i: all hold it, so the work is spread. */
bool product_is_mine(uint i) {
    return gl_LocalInvocationIndex == i % GROUP_SIZE;
}
