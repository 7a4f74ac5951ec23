/*
 * embed.comp - y[t] = row tokens[t] of the table, widened to float32. A dispatch sees one window of
 * the table's rows; where a token's row is in another one, y[t] is left to that one's dispatch.
 *
 *   0 tokens  i32 [T]
 *   1 table   the window's rows: padded rows of numbers in FORMAT
 *   2 y       f32 [T, C]
 *
 * A workgroup takes `block` elements of one row of y. Numbers are handled as their bits.
 */
#version 450
#include "fathom.glsl"
#include "rows.glsl"

layout(constant_id = 1) const uint FORMAT = FORMAT_F32;

layout(set = 0, binding = 0) readonly buffer Tokens { uint tokens[]; };
layout(set = 0, binding = 1) readonly buffer Table { uint table[]; };
layout(set = 0, binding = 2) writeonly buffer Y { uint y[]; };

layout(push_constant) uniform Push {
    uint tokens_offset;
    uint window_first; /* the table's row that the window begins with */
    uint window_rows;
    uint row_words; /* 32-bit words from row to row of the table */
    uint y_offset;
    uint n_tokens;
    uint width; /* C */
    uint y_stride;
    uint block;
};

/** The bits of number i, widened, of the row that begins at a word of the table. */
uint widened(uint row_word, uint i) {
    if (FORMAT == FORMAT_F32) return table[row_word + i];
    uint word = table[row_word + i / 2];
    vec2 both = FORMAT == FORMAT_BF16 ? bf16_pair(word) : f16_pair(word);
    return floatBitsToUint(i % 2 == 0 ? both.x : both.y);
}

void main() {
    row_block part = group_block(width, block);
    if (part.row >= n_tokens) return;
    /* A token before the window becomes a very large number here. */
    uint row = tokens[tokens_offset + part.row] - window_first;
    if (row >= window_rows) return;
    for (uint i = part.first + gl_LocalInvocationIndex; i < part.end; i += GROUP_SIZE)
        y[y_offset + part.row * y_stride + i] = widened(row * row_words, i);
}
