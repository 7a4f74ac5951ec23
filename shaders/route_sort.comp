/*
 * route_sort.comp - gives every slot its row, sorted by expert and of one expert by token: a
 * counting sort that keeps the slots' order. A slot is a token's k-th expert: slot = t * K + k.
 *
 *   0 experts    i32 [T, K]
 *   1 offsets    i32 [E + 1]   first row of each expert
 *   2 row_token  i32 [T*K, 1]
 *   3 slot_row   i32 [T, K]
 *
 * A workgroup places a stretch of slots. It counts all of them by expert, adds the counts up, and
 * those before its stretch; then it goes through the stretch in chunks of GROUP_SIZE, in which a
 * slot comes after those before it that have the same expert. The first workgroup also writes the
 * offsets.
 */
#version 450
#include "fathom.glsl"

layout(constant_id = 1) const uint N_EXPERTS = 1; /* E */

layout(set = 0, binding = 0) readonly buffer Experts { uint experts[]; };
layout(set = 0, binding = 1) writeonly buffer Offsets { uint offsets[]; };
layout(set = 0, binding = 2) writeonly buffer RowToken { uint row_token[]; };
layout(set = 0, binding = 3) writeonly buffer SlotRow { uint slot_row[]; };

layout(push_constant) uniform Push {
    uint experts_offset;
    uint offsets_offset;
    uint row_token_offset;
    uint slot_row_offset;
    uint experts_stride;
    uint row_token_stride;
    uint slot_row_stride;
    uint n_slots; /* T * K */
    uint top_k;   /* K */
    uint stretch; /* slots that a workgroup places */
};

const uint NO_EXPERT = 0xffffffffu;

shared uint next[N_EXPERTS]; /* each expert's number of rows, then its next row */
shared uint part_rows[GROUP_SIZE];
shared uint chunk[GROUP_SIZE]; /* the experts of a chunk's slots */

uint expert_of(uint slot) {
    return experts[experts_offset + slot / top_k * experts_stride + slot % top_k];
}

/** Counts slots 0 to n by expert, on top of what is there. */
void count_slots(uint n) {
    for (uint i = gl_LocalInvocationIndex; i < n; i += GROUP_SIZE)
        atomicAdd(next[expert_of(i)], 1);
    barrier();
}

/** The sum of all lower invocations' numbers: what lies 1, 2, 4, ... before is added. */
uint sum_before(uint value) {
    uint i = gl_LocalInvocationIndex, sum = value;
    for (uint step = 1; step < GROUP_SIZE; step *= 2) {
        part_rows[i] = sum;
        barrier();
        if (i >= step) sum += part_rows[i - step];
        barrier();
    }
    return sum - value;
}

/** Turns the numbers of rows into first rows. Each invocation takes some experts that follow each
 * other. */
void place_experts() {
    const uint n = (N_EXPERTS + GROUP_SIZE - 1) / GROUP_SIZE;
    uint first = min(gl_LocalInvocationIndex * n, N_EXPERTS), end = min(first + n, N_EXPERTS);
    uint n_rows = 0;
    for (uint e = first; e < end; e++) n_rows += next[e];
    uint row = sum_before(n_rows);
    for (uint e = first; e < end; e++) {
        uint count = next[e];
        next[e] = row;
        if (group_index() == 0) offsets[offsets_offset + e] = row;
        row += count;
    }
    if (group_index() == 0 && gl_LocalInvocationIndex == 0)
        offsets[offsets_offset + N_EXPERTS] = n_slots;
    barrier();
}

/** Places a chunk's slots before `end`. */
void place_chunk(uint first, uint end) {
    uint i = gl_LocalInvocationIndex, slot = first + i;
    uint expert = slot < end ? expert_of(slot) : NO_EXPERT;
    chunk[i] = expert;
    barrier();
    uint n_before = 0, n_same = 0, row = 0;
    for (uint k = 0; k < GROUP_SIZE; k++)
        if (chunk[k] == expert) {
            n_same++;
            if (k < i) n_before++;
        }
    if (slot < end) row = next[expert] + n_before;
    barrier();
    if (slot < end) {
        if (n_before == n_same - 1) next[expert] = row + 1;
        row_token[row_token_offset + row * row_token_stride] = slot / top_k;
        slot_row[slot_row_offset + slot / top_k * slot_row_stride + slot % top_k] = row;
    }
    barrier();
}

void main() {
    uint first = group_index() * stretch, end = min(first + stretch, n_slots);
    if (first >= n_slots) return;
    for (uint e = gl_LocalInvocationIndex; e < N_EXPERTS; e += GROUP_SIZE) next[e] = 0;
    barrier();
    count_slots(n_slots);
    place_experts();
    count_slots(first);
    for (uint chunk_first = first; chunk_first < end; chunk_first += GROUP_SIZE)
        place_chunk(chunk_first, end);
}
