/*
 * matmul_tile.comp - what matmul.comp computes, for many tokens: a workgroup brings a tile of W and
 * one of x into its shared memory, DEPTH numbers of K at a time, and each invocation keeps
 * ROWS x TOKENS sums of them.
 *
 *   0 x     [T, K]
 *   1 w     a window of [N, K] in FORMAT
 *   2 bias  [N], not looked at without BIAS
 *   3 y     [T, N]
 *
 * The tile has ROWS * ACROSS rows of W and TOKENS * DOWN tokens, ACROSS * DOWN being GROUP_SIZE. A
 * sum is one chain of fma over k ascending, so its bits differ from those of matmul.comp.
 */
#version 450
#include "fathom.glsl"
#include "weight.glsl"

layout(constant_id = 2) const uint ACROSS = 8;
layout(constant_id = 3) const bool BIAS = false;
layout(constant_id = 4) const bool ACCUMULATE = false;

const uint DOWN = GROUP_SIZE / ACROSS;
const uint ROWS = 8, TOKENS = 8;
const uint DEPTH = 16;
const uint TILE_ROWS = ROWS * ACROSS, TILE_TOKENS = TOKENS * DOWN;

layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Weight { uvec4 w[]; };
layout(set = 0, binding = 2) readonly buffer Bias { float bias[]; };
layout(set = 0, binding = 3) buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint x_offset;
    uint window_first; /* W's row that the window begins with */
    uint window_rows;
    uint row_words; /* 32-bit words from row to row of W */
    uint bias_offset;
    uint y_offset;
    uint n_tokens; /* T */
    uint n_k;      /* K */
    uint x_stride;
    uint y_stride;
};

shared float w_tile[DEPTH * TILE_ROWS];   /* [DEPTH][TILE_ROWS] */
shared float x_tile[DEPTH * TILE_TOKENS]; /* [DEPTH][TILE_TOKENS] */

/* Both tiles are filled so that neighbouring invocations take the same numbers k of neighbouring
 * rows: then they write to neighbouring places of shared memory. */

/** Fills w_tile with numbers first_k … of the window's rows first_row …; zeros beyond its ends. */
void load_weights(uint first_row, uint first_k) {
    for (uint i = gl_LocalInvocationIndex; i < TILE_ROWS * (DEPTH / STRETCH); i += GROUP_SIZE) {
        uint row = i % TILE_ROWS, k = i / TILE_ROWS * STRETCH;
        bool inside = first_row + row < window_rows && first_k + k < n_k;
        uint at = (first_row + row) * (row_words / 4) + (first_k + k) / STRETCH;
        uvec4 words = inside ? w[at] : uvec4(0);
        [[unroll]] for (uint part = 0; part < STRETCH; part += 4) {
            vec4 quad = weight_quad(words, part);
            [[unroll]] for (uint j = 0; j < 4; j++)
                w_tile[(k + part + j) * TILE_ROWS + row] = quad[j];
        }
    }
}

/** Fills x_tile with numbers first_k … of the tokens first_token …; zeros beyond their ends, so
 * that what a weight is padded with meets no NaN. */
void load_x(uint first_token, uint first_k) {
    for (uint i = gl_LocalInvocationIndex; i < TILE_TOKENS * (DEPTH / 4); i += GROUP_SIZE) {
        uint token = i % TILE_TOKENS, k = i / TILE_TOKENS * 4;
        uint at = x_offset + (first_token + token) * x_stride + first_k + k;
        [[unroll]] for (uint j = 0; j < 4; j++) {
            bool inside = first_token + token < n_tokens && first_k + k + j < n_k;
            x_tile[(k + j) * TILE_TOKENS + token] = inside ? x[at + j] : 0.0;
        }
    }
}

void write(uint token, uint row, float value) {
    if (BIAS) value += bias[bias_offset + row];
    uint at = y_offset + token * y_stride + row;
    y[at] = ACCUMULATE ? y[at] + value : value;
}

/** Adds the products of the numbers k of this invocation's rows and tokens. */
void add_products(uint w_at, uint x_at, inout float sums[TOKENS * ROWS]) {
    float weights[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) weights[r] = w_tile[w_at + r];
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        float number = x_tile[x_at + t];
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            sums[t * ROWS + r] = fma(number, weights[r], sums[t * ROWS + r]);
    }
}

void main() {
    uint n_token_blocks = (n_tokens + TILE_TOKENS - 1) / TILE_TOKENS;
    uint first_token = group_index() % n_token_blocks * TILE_TOKENS;
    uint first_row = group_index() / n_token_blocks * TILE_ROWS;
    if (first_row >= window_rows) return;
    /* This invocation's first ones inside the tile. */
    uint my_row = gl_LocalInvocationIndex % ACROSS * ROWS;
    uint my_token = gl_LocalInvocationIndex / ACROSS * TOKENS;
    float sums[TOKENS * ROWS];
    [[unroll]] for (uint i = 0; i < TOKENS * ROWS; i++) sums[i] = 0.0;
    for (uint first_k = 0; first_k < n_k; first_k += DEPTH) {
        load_weights(first_row, first_k);
        load_x(first_token, first_k);
        barrier();
        for (uint k = 0; k < DEPTH; k++)
            add_products(k * TILE_ROWS + my_row, k * TILE_TOKENS + my_token, sums);
        barrier();
    }
    [[unroll]] for (uint t = 0; t < TOKENS; t++)
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint token = first_token + my_token + t, row = first_row + my_row + r;
            if (token < n_tokens && row < window_rows)
                write(token, window_first + row, sums[t * ROWS + r]);
        }
}
