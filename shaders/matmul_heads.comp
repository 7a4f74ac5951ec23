/*
 * matmul_heads.comp - y[t, h] = W[h] x[t, h]. A dispatch sees one window of the flat rows h * N + n
 * and writes the elements of y that belong to them.
 *
 *   0 x  [T, H, K]
 *   1 w  a window of [H, N, K] in FORMAT
 *   2 y  [T, H, N]
 *
 * A workgroup computes ROWS outputs of one head for TOKENS tokens, as product.glsl says. The heads
 * are those that the window has rows of.
 */
#version 450
#include "fathom.glsl"
#include "sum.glsl"
#include "weight.glsl"
#include "product.glsl"

layout(set = 0, binding = 2) writeonly buffer Y { float y[]; };

layout(push_constant) uniform Push {
    uint x_offset;
    uint window_first; /* the flat row that the window begins with */
    uint window_rows;
    uint row_words; /* 32-bit words from row to row of W */
    uint y_offset;
    uint n_tokens; /* T */
    uint n_k;      /* K */
    uint n_rows;   /* N */
    uint first_head;
    uint n_heads; /* that the window has rows of */
    uint x_token_stride;
    uint x_head_stride;
    uint y_token_stride;
    uint y_head_stride;
};

/* Rows outside the window and tokens beyond the last are computed as the nearest one, and not
 * written. */
void main() {
    uint n_token_blocks = (n_tokens + TOKENS - 1) / TOKENS;
    uint n_row_blocks = (n_rows + ROWS - 1) / ROWS;
    uint first_token = group_index() % n_token_blocks * TOKENS;
    uint row_block = group_index() / n_token_blocks;
    uint first_row = row_block % n_row_blocks * ROWS, end_row = min(first_row + ROWS, n_rows);
    uint head = first_head + row_block / n_row_blocks, matrix = head * n_rows;
    uint window_end = window_first + window_rows;
    if (head - first_head >= n_heads || matrix + first_row >= window_end ||
        matrix + end_row <= window_first)
        return;
    for (uint r = 0; r < ROWS; r++) {
        uint row = clamp(matrix + first_row + r, window_first, window_end - 1);
        w_at[r] = (row - window_first) * (row_words / 4);
    }
    for (uint t = 0; t < TOKENS; t++) {
        uint token = min(first_token + t, n_tokens - 1);
        x_at[t] = x_offset + token * x_token_stride + head * x_head_stride;
    }
    product_run(n_k);
    for (uint r = 0; r < ROWS; r++)
        for (uint t = 0; t < TOKENS; t++) {
            uint row = first_row + r, token = first_token + t;
            if (product_is_mine(r * TOKENS + t) && row < end_row && token < n_tokens &&
                matrix + row >= window_first && matrix + row < window_end)
                y[y_offset + token * y_token_stride + head * y_head_stride + row] =
                    sums[r * TOKENS + t];
        }
}
