/*
 * head_topk_block.comp - the first half of head_topk: what a block of BLOCK_IDS ids adds to its
 * row. Edits and masks the block's logits, and gives the largest of them and their sum of exp,
 * before and after, and the block's candidates for the row's best K (edited) and A (as they came).
 *
 *   0 logits        f32 [L, V], as bits
 *   1 edit_offsets  i32 [L + 1]
 *   2 edit_ids      i32 [n], ascending in a row
 *   3 edit_scales   f32 [n]
 *   4 edit_adds     f32 [n]
 *   5 mask          [L, (V + 31) / 32], a bit for each id
 *   6 temperatures  f32 [L]
 *   7 parts         as head_parts.glsl says
 *
 * A workgroup takes a block of a row, in shared memory.
 */
#version 450
#include "fathom.glsl"
#include "sum.glsl"
#include "exp.glsl"
#include "order.glsl"

layout(set = 0, binding = 0) readonly buffer Logits { uint logits[]; };
layout(set = 0, binding = 1) readonly buffer EditOffsets { uint edit_offsets[]; };
layout(set = 0, binding = 2) readonly buffer EditIds { uint edit_ids[]; };
layout(set = 0, binding = 3) readonly buffer EditScales { float edit_scales[]; };
layout(set = 0, binding = 4) readonly buffer EditAdds { float edit_adds[]; };
layout(set = 0, binding = 5) readonly buffer Mask { uint mask[]; };
layout(set = 0, binding = 6) readonly buffer Temperatures { float temperatures[]; };
layout(set = 0, binding = 7) writeonly buffer Parts { uint parts[]; };

layout(push_constant) uniform Push {
    uint logits_offset;
    uint edit_offsets_offset;
    uint edit_ids_offset;
    uint edit_scales_offset;
    uint edit_adds_offset;
    uint mask_offset;
    uint temperatures_offset;
    uint parts_offset;
    uint logits_stride;
    uint mask_stride;
    uint has_edits; /* 0: bindings 1 to 4 are not looked at */
    uint has_mask;  /* 0: nor is 5 */
    uint n_ids;     /* V */
    uint n_blocks;  /* of a row */
    uint n_best;    /* K */
    uint n_raw;     /* A; 0: not wanted */
    uint first_row; /* of L: the one that `parts` begins with */
    uint n_rows;    /* that `parts` holds */
};

#include "head_parts.glsl"

const uint BLOCK_IDS = 1024;

shared uint block[BLOCK_IDS]; /* the bits of the logits */
shared uint n_taken;
uint own_keys[(BLOCK_IDS + GROUP_SIZE - 1) / GROUP_SIZE]; /* of those that it ranks */

uint entry_key(uint turn) {
    return own_keys[turn];
}

uint entry_id(uint turn) {
    return turn * GROUP_SIZE + gl_LocalInvocationIndex;
}

#include "select.glsl"

/* ---- Logits, edited -------------------------------------------------------------------------- */

/** Fills the block with the row's ids `first` to `first + n`. */
void block_load(uint row, uint first, uint n) {
    uint from = logits_offset + row * logits_stride + first;
    for (uint i = gl_LocalInvocationIndex; i < n; i += GROUP_SIZE) block[i] = logits[from + i];
    barrier();
}

/** x / y, rounded to nearest even, where both are positive: division in the language may be off by
 * several units, and that could turn the order of two tokens. The mantissas are divided by hand, to
 * one bit more than a result has; of two numbers of 24 bits no quotient ends there, so this bit
 * alone says where to round. What is not normal is left to the device. */
float divide(float x, float y) {
    uint x_bits = floatBitsToUint(x), y_bits = floatBitsToUint(y);
    uint rest = x_bits & 0x7fffffu | 0x800000u, divisor = y_bits & 0x7fffffu | 0x800000u;
    int exponent = int(x_bits >> 23) - int(y_bits >> 23) + 127;
    if (rest < divisor) {
        rest <<= 1;
        exponent--;
    }
    bool normal = x_bits >> 23 >= 1 && x_bits < INFINITY && y_bits >> 23 >= 1 && y_bits < INFINITY;
    if (!normal || exponent < 1 || exponent > 254) return x / y;
    uint quotient = 0;
    for (uint i = 0; i < 25; i++) {
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1;
        }
        rest <<= 1;
    }
    /* The highest bit is the one that floats do not store; rounding may carry into the exponent. */
    return uintBitsToFloat((uint(exponent) << 23) + ((quotient + 1) >> 1) - 0x800000u);
}

/** Of the row's edits the first whose id is not below `id`. */
uint edit_find(uint row, uint id) {
    uint low = edit_offsets[edit_offsets_offset + row];
    uint high = edit_offsets[edit_offsets_offset + row + 1];
    while (low < high) {
        uint middle = (low + high) / 2;
        if (edit_ids[edit_ids_offset + middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void block_edit(uint row, uint first, uint n) {
    uint end = edit_find(row, first + n);
    for (uint e = edit_find(row, first) + gl_LocalInvocationIndex; e < end; e += GROUP_SIZE) {
        uint i = edit_ids[edit_ids_offset + e] - first;
        float x = uintBitsToFloat(block[i]), scale = edit_scales[edit_scales_offset + e];
        precise float scaled = x * scale;
        if (x > 0.0) scaled = divide(x, scale);
        precise float edited = scaled + edit_adds[edit_adds_offset + e];
        block[i] = bits_are_nan(block[i]) ? NOT_A_NUMBER : floatBitsToUint(edited);
    }
    barrier();
}

/** Rules out what the mask does not allow. Blocks start with a word of it. */
void block_mask(uint row, uint first, uint n) {
    uint from = mask_offset + row * mask_stride + first / 32;
    for (uint i = gl_LocalInvocationIndex; i < n; i += GROUP_SIZE)
        if ((mask[from + i / 32] >> i % 32 & 1u) == 0) block[i] = NEGATIVE_INFINITY;
    barrier();
}

/* ---- What comes out -------------------------------------------------------------------------- */

/** The largest of the block's logits and the sum of exp((logit - largest) / temperature) over those
 * above -infinity: 0 where there is none; as bits. NaN where one is NaN or infinite, also where one
 * is -infinity and all are `wanted`. */
uvec2 block_sum(uint n, float temperature, bool wanted) {
    float largest = uintBitsToFloat(NEGATIVE_INFINITY), odd = 0.0, sum = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < n; i += GROUP_SIZE) {
        uint bits = block[i];
        if (bits_are_nan(bits) || bits == INFINITY || (wanted && bits == NEGATIVE_INFINITY))
            odd = 1.0;
        if (!bits_are_nan(bits)) largest = max(largest, uintBitsToFloat(bits));
    }
    largest = group_max(largest);
    odd = group_max(odd);
    for (uint i = gl_LocalInvocationIndex; i < n && odd == 0.0; i += GROUP_SIZE)
        if (block[i] != NEGATIVE_INFINITY)
            sum += exp_negative((uintBitsToFloat(block[i]) - largest) / temperature);
    sum = group_sum(sum);
    return uvec2(floatBitsToUint(largest), odd == 0.0 ? floatBitsToUint(sum) : NOT_A_NUMBER);
}

/** Writes the k best of the block, in no order: keys from parts[keys], ids from parts[ids]. */
void block_select(uint n, uint first, uint k, uint keys, uint ids) {
    for (uint turn = 0; turn < select_turns(n); turn++) {
        uint i = entry_id(turn), bits = i < n ? block[i] : NEGATIVE_INFINITY;
        own_keys[turn] = bits == NEGATIVE_INFINITY ? 0 : order_of(bits);
    }
    if (gl_LocalInvocationIndex == 0) n_taken = 0;
    select_bound bound = select_best(n, k);
    for (uint turn = 0; turn < select_turns(n); turn++)
        if (select_has(bound, turn)) {
            uint slot = atomicAdd(n_taken, 1);
            parts[keys + slot] = entry_key(turn);
            parts[ids + slot] = first + entry_id(turn);
        }
    barrier();
    for (uint slot = n_taken + gl_LocalInvocationIndex; slot < k; slot += GROUP_SIZE)
        parts[keys + slot] = 0;
    barrier();
}

void main() {
    uint index = group_index();
    if (index >= n_rows * n_blocks) return;
    uint part_row = index / n_blocks, at = index % n_blocks, row = first_row + part_row;
    uint first = at * BLOCK_IDS, n = min(n_ids - first, BLOCK_IDS);
    head_parts to = head_parts_of(part_row);

    block_load(row, first, n);
    uvec2 sum_raw = block_sum(n, 1.0, true);
    if (n_raw > 0)
        block_select(n, first, n_raw, to.raw_keys + at * n_raw, to.raw_ids + at * n_raw);
    if (has_edits != 0) block_edit(row, first, n);
    if (has_mask != 0) block_mask(row, first, n);
    uvec2 sum = block_sum(n, temperatures[temperatures_offset + row], false);
    block_select(n, first, n_best, to.keys + at * n_best, to.ids + at * n_best);

    if (gl_LocalInvocationIndex > 0) return;
    parts[to.sums + 4 * at] = sum_raw.x;
    parts[to.sums + 4 * at + 1] = sum_raw.y;
    parts[to.sums + 4 * at + 2] = sum.x;
    parts[to.sums + 4 * at + 3] = sum.y;
}
