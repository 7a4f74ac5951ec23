/*
 * matmul.comp - y = W x (+ bias), or with ACCUMULATE y += that. A dispatch sees one window of W's
 * rows and writes the columns of y that belong to them.
 *
 *   0 x     [T, K]
 *   1 w     a window of [N, K] in FORMAT
 *   2 bias  [N], not looked at without BIAS
 *   3 y     [T, N]
 *
 * A workgroup computes ROWS columns of y for TOKENS tokens, as product.glsl says. Workgroups with
 * the same rows follow each other, so that caches hold these.
 */
#version 450
#include "fathom.glsl"
#include "sum.glsl"
#include "weight.glsl"
#include "product.glsl"

layout(constant_id = 5) const bool BIAS = false;
layout(constant_id = 6) const bool ACCUMULATE = false;

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

void write(uint token, uint row, float value) {
    if (BIAS) value += bias[bias_offset + row];
    uint at = y_offset + token * y_stride + row;
    y[at] = ACCUMULATE ? y[at] + value : value;
}

/* Rows and tokens beyond the last are computed as the last again, and not written. */
void main() {
    uint n_token_blocks = (n_tokens + TOKENS - 1) / TOKENS;
    uint first_token = group_index() % n_token_blocks * TOKENS;
    uint first_row = group_index() / n_token_blocks * ROWS;
    if (first_row >= window_rows) return;
    for (uint r = 0; r < ROWS; r++) w_at[r] = min(first_row + r, window_rows - 1) * (row_words / 4);
    for (uint t = 0; t < TOKENS; t++)
        x_at[t] = x_offset + min(first_token + t, n_tokens - 1) * x_stride;
    product_run(n_k);
    for (uint r = 0; r < ROWS; r++)
        for (uint t = 0; t < TOKENS; t++)
            if (product_is_mine(r * TOKENS + t) && first_row + r < window_rows &&
                first_token + t < n_tokens)
                write(first_token + t, window_first + first_row + r, sums[r * TOKENS + t]);
}
