/*
 * matmul_experts.comp - y[i] = W[e] x[i] for the rows i of x that belong to expert e, which are
 * offsets[e] … offsets[e + 1] - 1. A dispatch sees one window of the flat rows e * N + n and writes
 * the elements of y that belong to them.
 *
 *   0 x        [n, K], sorted by expert
 *   1 w        a window of [E, N, K] in FORMAT
 *   2 offsets  i32 [E + 1], ascending from 0 to n
 *   3 y        [n, N]
 *
 * A workgroup computes ROWS outputs of TOKENS rows of x. Where these belong to several experts it
 * takes one expert after the other, so the number of workgroups does not depend on the offsets; the
 * rows of one expert share its weights, as product.glsl says.
 */
#version 450
#include "fathom.glsl"
#include "sum.glsl"
#include "weight.glsl"
#include "product.glsl"

layout(set = 0, binding = 2) readonly buffer Offsets { int offsets[]; };
layout(set = 0, binding = 3) writeonly buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint x_offset;
    uint window_first; /* the flat row that the window begins with */
    uint window_rows;
    uint row_words; /* 32-bit words from row to row of W */
    uint offsets_offset;
    uint y_offset;
    uint n_tokens;  /* n: rows of x */
    uint n_k;       /* K */
    uint n_rows;    /* N */
    uint n_experts; /* E */
    uint x_stride;
    uint y_stride;
};

/** The expert of a row of x: the first one that ends behind it. */
uint expert_of(uint token) {
    uint low = 0, high = n_experts - 1;
    while (low < high) {
        uint middle = (low + high) / 2;
        if (uint(offsets[offsets_offset + middle + 1]) > token)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/** Outputs first_row … end_row - 1 of the rows of x from first_token to before end_token, all of
 * one expert. What is outside the window or beyond the end is computed as the nearest one, and not
 * written. */
void run_expert(uint expert, uint first_row, uint end_row, uint first_token, uint end_token) {
    uint matrix = expert * n_rows, window_end = window_first + window_rows;
    if (matrix + first_row >= window_end || matrix + end_row <= window_first) return;
    for (uint r = 0; r < ROWS; r++) {
        uint row = clamp(matrix + first_row + r, window_first, window_end - 1);
        w_at[r] = (row - window_first) * (row_words / 4);
    }
    for (uint t = 0; t < TOKENS; t++)
        x_at[t] = x_offset + min(first_token + t, end_token - 1) * x_stride;
    product_run(n_k);
    for (uint r = 0; r < ROWS; r++)
        for (uint t = 0; t < TOKENS; t++) {
            uint row = first_row + r, token = first_token + t;
            if (product_is_mine(r * TOKENS + t) && row < end_row && token < end_token &&
                matrix + row >= window_first && matrix + row < window_end)
                y[y_offset + token * y_stride + row] = sums[r * TOKENS + t];
        }
}

void main() {
    uint n_row_blocks = (n_rows + ROWS - 1) / ROWS;
    uint first_row = group_index() % n_row_blocks * ROWS, end_row = min(first_row + ROWS, n_rows);
    uint token = group_index() / n_row_blocks * TOKENS, end_token = min(token + TOKENS, n_tokens);
    while (token < end_token) {
        uint expert = expert_of(token);
        /* At least one row, lest offsets that are not ascending keep the device here for ever. */
        uint end = max(token + 1, min(uint(offsets[offsets_offset + expert + 1]), end_token));
        run_expert(expert, first_row, end_row, token, end);
        token = end;
    }
}
