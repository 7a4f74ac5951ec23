/*
 * head_topk_merge.comp - the second half of head_topk: of what head_topk_block found in the blocks
 * of a row, the row's best tokens and its sums.
 *
 *   0 parts         as head_parts.glsl says
 *   1 logits        f32 [L, V], as bits
 *   2 temperatures  f32 [L]
 *   3 ids           i32 [L, K]
 *   4 values        f32 [L, K], as bits
 *   5 raw           f32 [L, K], as bits
 *   6 best_ids      i32 [L, A]
 *   7 best_raw      f32 [L, A], as bits
 *   8 sums          f32 [L, 4], as bits
 *
 * A workgroup takes a row's candidates and sums, and another its best as they came, where these are
 * wanted.
 */
#version 450
#include "fathom.glsl"
#include "sum.glsl"
#include "exp.glsl"
#include "order.glsl"

layout(set = 0, binding = 0) readonly buffer Parts { uint parts[]; };
layout(set = 0, binding = 1) readonly buffer Logits { uint logits[]; };
layout(set = 0, binding = 2) readonly buffer Temperatures { float temperatures[]; };
layout(set = 0, binding = 3) writeonly buffer Ids { int ids[]; };
layout(set = 0, binding = 4) writeonly buffer Values { uint values[]; };
layout(set = 0, binding = 5) writeonly buffer Raw { uint raw[]; };
layout(set = 0, binding = 6) writeonly buffer BestIds { int best_ids[]; };
layout(set = 0, binding = 7) writeonly buffer BestRaw { uint best_raw[]; };
layout(set = 0, binding = 8) writeonly buffer Sums { uint sums[]; };

layout(push_constant) uniform Push {
    uint parts_offset;
    uint logits_offset;
    uint temperatures_offset;
    uint ids_offset;
    uint values_offset;
    uint raw_offset;
    uint best_ids_offset;
    uint best_raw_offset;
    uint sums_offset;
    uint logits_stride;
    uint ids_stride;
    uint values_stride;
    uint raw_stride;
    uint best_ids_stride;
    uint best_raw_stride;
    uint sums_stride;
    uint n_blocks;  /* of a row */
    uint n_best;    /* K */
    uint n_raw;     /* A; 0: not wanted, bindings 6 and 7 are not looked at */
    uint first_row; /* of L: the one that `parts` begins with */
    uint n_rows;    /* that `parts` holds */
};

#include "head_parts.glsl"

const uint TOP_MAX = 128; /* K and A at most */

uint list_keys, list_ids, list_size; /* the list of candidates that is looked at */
shared uint best_keys[TOP_MAX], best_tokens[TOP_MAX];
shared uint n_taken;

uint entry_key(uint turn) {
    uint i = turn * GROUP_SIZE + gl_LocalInvocationIndex;
    return i < list_size ? parts[list_keys + i] : 0;
}

uint entry_id(uint turn) {
    return parts[list_ids + turn * GROUP_SIZE + gl_LocalInvocationIndex];
}

#include "select.glsl"

/* ---- Candidates ------------------------------------------------------------------------------ */

/** Leaves the k best of the list in best_keys and best_tokens, in no order; n_taken are there. */
void list_select(uint keys_at, uint ids_at, uint k) {
    list_keys = keys_at;
    list_ids = ids_at;
    list_size = n_blocks * k;
    if (gl_LocalInvocationIndex == 0) n_taken = 0;
    select_bound bound = select_best(list_size, k);
    for (uint turn = 0; turn < select_turns(list_size); turn++)
        if (select_has(bound, turn)) {
            uint slot = atomicAdd(n_taken, 1);
            best_keys[slot] = entry_key(turn);
            best_tokens[slot] = entry_id(turn);
        }
    barrier();
}

/** How many of the selected are better than the i-th: its place. */
uint place_of(uint i) {
    uint place = 0, key = best_keys[i], id = best_tokens[i];
    for (uint k = 0; k < n_taken; k++)
        if (best_keys[k] > key || (best_keys[k] == key && best_tokens[k] < id)) place++;
    return place;
}

void write_best(uint row, head_parts at) {
    list_select(at.keys, at.ids, n_best);
    uint to_ids = ids_offset + row * ids_stride, to_values = values_offset + row * values_stride;
    uint to_raw = raw_offset + row * raw_stride, from = logits_offset + row * logits_stride;
    for (uint i = gl_LocalInvocationIndex; i < n_taken; i += GROUP_SIZE) {
        uint place = place_of(i);
        ids[to_ids + place] = int(best_tokens[i]);
        values[to_values + place] = order_bits(best_keys[i]);
        raw[to_raw + place] = logits[from + best_tokens[i]];
    }
    for (uint i = n_taken + gl_LocalInvocationIndex; i < n_best; i += GROUP_SIZE) {
        ids[to_ids + i] = -1;
        values[to_values + i] = 0;
        raw[to_raw + i] = 0;
    }
}

void write_best_raw(uint row, head_parts at) {
    list_select(at.raw_keys, at.raw_ids, n_raw);
    uint to_ids = best_ids_offset + row * best_ids_stride;
    uint to_raw = best_raw_offset + row * best_raw_stride;
    uint from = logits_offset + row * logits_stride;
    for (uint i = gl_LocalInvocationIndex; i < n_taken; i += GROUP_SIZE) {
        uint place = place_of(i);
        best_ids[to_ids + place] = int(best_tokens[i]);
        best_raw[to_raw + place] = logits[from + best_tokens[i]];
    }
    for (uint i = n_taken + gl_LocalInvocationIndex; i < n_raw; i += GROUP_SIZE) {
        best_ids[to_ids + i] = -1;
        best_raw[to_raw + i] = 0;
    }
}

/* ---- Sums ------------------------------------------------------------------------------------ */

/** The largest of all blocks and the sum of exp over them, from pairs at parts[at + 4 * block]; as
 * bits. A block's sum is of exp((logit - its own largest) / temperature). */
uvec2 merge_sums(uint at, float temperature) {
    float largest = uintBitsToFloat(NEGATIVE_INFINITY), odd = 0.0, sum = 0.0;
    for (uint b = gl_LocalInvocationIndex; b < n_blocks; b += GROUP_SIZE) {
        largest = max(largest, uintBitsToFloat(parts[at + 4 * b]));
        if (bits_are_nan(parts[at + 4 * b + 1])) odd = 1.0;
    }
    largest = group_max(largest);
    odd = group_max(odd);
    for (uint b = gl_LocalInvocationIndex; b < n_blocks && odd == 0.0; b += GROUP_SIZE) {
        float block_largest = uintBitsToFloat(parts[at + 4 * b]);
        float block_sum = uintBitsToFloat(parts[at + 4 * b + 1]);
        if (block_sum == 0.0) continue;
        sum += block_sum * exp_negative((block_largest - largest) / temperature);
    }
    sum = group_sum(sum);
    return uvec2(floatBitsToUint(largest), odd == 0.0 ? floatBitsToUint(sum) : NOT_A_NUMBER);
}

void write_sums(uint row, head_parts at) {
    uvec2 sum_raw = merge_sums(at.sums, 1.0);
    uvec2 sum = merge_sums(at.sums + 2, temperatures[temperatures_offset + row]);
    uint to = sums_offset + row * sums_stride;
    if (gl_LocalInvocationIndex > 0) return;
    sums[to] = sum_raw.x;
    sums[to + 1] = sum_raw.y;
    sums[to + 2] = sum.x;
    sums[to + 3] = sum.x == NEGATIVE_INFINITY ? 0 : sum.y;
}

void main() {
    uint n_lists = n_raw > 0 ? 2 : 1, index = group_index();
    if (index >= n_rows * n_lists) return;
    uint row = first_row + index / n_lists;
    head_parts at = head_parts_of(index / n_lists);
    if (index % n_lists == 0) {
        write_best(row, at);
        write_sums(row, at);
    } else {
        write_best_raw(row, at);
    }
}
