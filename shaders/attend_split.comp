/*
 * attend_split.comp - attention of one task (attend.glsl) over one split of 512 keys: those of them that
 * the token attends to. Splits without such keys are left as they are.
 *
 *   0 q          f32 [T, H, Dk]
 *   1 k          f32 or bf16 [n, G, Dk]
 *   2 v          f32 or bf16 [n, G, Dv]
 *   3 positions  i32 [T]
 *   4 sequences  i32 [T]
 *   5 pages      i32 [S, n_pages]: key s of a sequence lies in row pages[s / 64] * 64 + s % 64
 *   6 result     partial results; or with ONE_SPLIT y, f32 [T, H, Dv], finished
 *
 * A workgroup takes a task and a split. Scores first: LANES invocations share a key's row, each taking
 * every LANES-th unit of it, and then the sums over the lanes. Softmax in shared memory. Then values:
 * each invocation has columns of its own and goes through the keys in ascending order. Rows of keys that
 * the token does not attend to are never read: they may hold anything.
 */
#version 450
#include "fathom.glsl"
#include "sum.glsl"
#include "attend.glsl"

layout(constant_id = 2) const uint FORMAT = FORMAT_F32; /* of k and v */
layout(constant_id = 3) const uint LANES = 1;           /* divides GROUP_SIZE */
/* Numbers of k, and of v, that one invocation takes at once. 2 only of bf16 where all offsets, strides
 * and sizes are even, so that they fill a word. */
layout(constant_id = 4) const uint KEY_UNIT = 1;
layout(constant_id = 5) const uint VALUE_UNIT = 1;
layout(constant_id = 6) const uint ONE_SPLIT = 0; /* 1: n_splits is 1 */

layout(set = 0, binding = 0) readonly buffer Q { float q[]; };
layout(set = 0, binding = 1) readonly buffer K { uint k[]; };
layout(set = 0, binding = 2) readonly buffer V { uint v[]; };
layout(set = 0, binding = 3) readonly buffer Positions { uint positions[]; };
layout(set = 0, binding = 4) readonly buffer Sequences { uint sequences[]; };
layout(set = 0, binding = 5) readonly buffer Pages { uint pages[]; };
layout(set = 0, binding = 6) writeonly buffer Result { float result[]; };

layout(push_constant) uniform Push {
    uint q_offset;
    uint k_offset;
    uint v_offset;
    uint positions_offset;
    uint sequences_offset;
    uint pages_offset;
    uint result_offset;
    uint first_task; /* of this dispatch */
    uint n_tasks;
    uint n_splits;
    uint n_groups;    /* G */
    uint group_heads; /* H / G */
    uint window;
    float scale;
    uint key_dim;   /* Dk */
    uint value_dim; /* Dv */
    uint q_token_stride;
    uint q_head_stride;
    uint k_row_stride; /* strides and offsets are in numbers, also of bf16 */
    uint k_head_stride;
    uint v_row_stride;
    uint v_head_stride;
    uint pages_stride;
    uint y_token_stride; /* y's are read with ONE_SPLIT only */
    uint y_head_stride;
};

const uint LANE_KEYS = 2;  /* keys whose scores an invocation sums at once, for each q it reads */
const uint VALUE_ROWS = 4; /* rows of v that an invocation asks for before it needs the first */

/* The scores, then weights of the split's keys: of head h and key j of the split at j * HEADS + h,
 * wherever a window begins, so that sums over them go the same way with a window and without. */
shared float weights[SPLIT_KEYS * HEADS];
/* A lane's sums of LANE_KEYS keys and HEADS heads. One more in a row keeps the lanes that add them up
 * on different banks. */
shared float lane_sums[LANE_KEYS * HEADS * (GROUP_SIZE + 1)];

struct key_range {
    uint first, end; /* keys, not empty, within a split */
    uint pages_row;  /* of the token's sequence */
};

uint cache_row(key_range keys, uint key) {
    return pages[keys.pages_row + key / PAGE_KEYS] * PAGE_KEYS + key % PAGE_KEYS;
}

/* The word of a cache that holds number `at`. */
uint word_at(uint at) {
    return FORMAT == FORMAT_F32 ? at : at / 2;
}

/* Number `at`, and the next one where a unit is two; else y means nothing. */
vec2 unit_of(uint word, uint at, uint unit) {
    if (FORMAT == FORMAT_F32) return vec2(uintBitsToFloat(word), 0.0);
    vec2 pair = bf16_pair(word);
    return unit == 2 || at % 2 == 0 ? pair : pair.yx;
}

/* ---- Scores -------------------------------------------------------------------------------------- */

/* Adds one lane's part of q[h] · key for keys base, base + step, … to lane_sums. Behind the last key it
 * does that one again. */
void sum_lane(attend_task task, key_range keys, uint base, uint step) {
    uint lane = gl_LocalInvocationIndex % LANES, q_at[HEADS], k_at[LANE_KEYS];
    float sums[LANE_KEYS * HEADS];
    [[unroll]] for (uint h = 0; h < HEADS; h++)
        q_at[h] = q_offset + task.t * q_token_stride +
                  (task.first_head + min(h, task.n_heads - 1)) * q_head_stride;
    [[unroll]] for (uint r = 0; r < LANE_KEYS; r++)
        k_at[r] = k_offset + task.group * k_head_stride +
                  cache_row(keys, min(base + r * step, keys.end - 1)) * k_row_stride;
    [[unroll]] for (uint i = 0; i < LANE_KEYS * HEADS; i++) sums[i] = 0.0;
    for (uint i = lane * KEY_UNIT; i < key_dim; i += LANES * KEY_UNIT) {
        vec2 key[LANE_KEYS];
        [[unroll]] for (uint r = 0; r < LANE_KEYS; r++)
            key[r] = unit_of(k[word_at(k_at[r] + i)], k_at[r] + i, KEY_UNIT);
        [[unroll]] for (uint h = 0; h < HEADS; h++) {
            vec2 query = vec2(q[q_at[h] + i], KEY_UNIT == 2 ? q[q_at[h] + i + 1] : 0.0);
            [[unroll]] for (uint r = 0; r < LANE_KEYS; r++) {
                float sum = fma(query.x, key[r].x, sums[r * HEADS + h]);
                sums[r * HEADS + h] = KEY_UNIT == 2 ? fma(query.y, key[r].y, sum) : sum;
            }
        }
    }
    [[unroll]] for (uint i = 0; i < LANE_KEYS * HEADS; i++)
        lane_sums[i * (GROUP_SIZE + 1) + gl_LocalInvocationIndex] = sums[i];
}

/* Adds the lanes' sums ascending. The lanes of a key share out its heads and its neighbours. */
void add_lanes(key_range keys, uint base, uint step) {
    uint lane = gl_LocalInvocationIndex % LANES, first = gl_LocalInvocationIndex - lane;
    for (uint i = lane; i < LANE_KEYS * HEADS; i += LANES) {
        uint key = base + i / HEADS * step;
        float sum = 0.0;
        for (uint n = 0; n < LANES; n++) sum += lane_sums[i * (GROUP_SIZE + 1) + first + n];
        if (key < keys.end) weights[key % SPLIT_KEYS * HEADS + i % HEADS] = sum * scale;
    }
}

void find_scores(attend_task task, key_range keys) {
    uint step = GROUP_SIZE / LANES;
    for (uint pass = keys.first; pass < keys.end; pass += LANE_KEYS * step) {
        uint base = pass + gl_LocalInvocationIndex / LANES;
        barrier(); /* the pass before has been added up */
        sum_lane(task, keys, base, step);
        barrier();
        add_lanes(keys, base, step);
    }
    barrier();
}

/* ---- Softmax and values -------------------------------------------------------------------------- */

/* Makes weights of the scores. */
void find_weights(key_range keys, out float largest[HEADS], out float sums[HEADS]) {
    uint start = keys.first / SPLIT_KEYS * SPLIT_KEYS;
    uint first = keys.first - start, end = keys.end - start;
    [[unroll]] for (uint h = 0; h < HEADS; h++) {
        float lane_largest = uintBitsToFloat(0xff800000u), sum = 0.0; /* -infinity */
        for (uint j = gl_LocalInvocationIndex; j < end; j += GROUP_SIZE)
            if (j >= first) lane_largest = max(lane_largest, weights[j * HEADS + h]);
        largest[h] = group_max(lane_largest);
        for (uint j = gl_LocalInvocationIndex; j < end; j += GROUP_SIZE) {
            if (j < first) continue;
            float weight = attend_exp(weights[j * HEADS + h] - largest[h]);
            weights[j * HEADS + h] = weight;
            sum += weight;
        }
        sums[h] = group_sum(sum);
    }
    barrier();
}

/* Adds the values of keys key … end - 1, at most VALUE_ROWS that lie one behind the other from v_at. */
void add_values(uint key, uint end, uint v_at, inout vec2 sums[HEADS]) {
    vec2 value[VALUE_ROWS];
    [[unroll]] for (uint r = 0; r < VALUE_ROWS; r++) {
        uint at = v_at + min(r, end - 1 - key) * v_row_stride;
        value[r] = unit_of(v[word_at(at)], at, VALUE_UNIT);
    }
    [[unroll]] for (uint r = 0; r < VALUE_ROWS; r++) {
        if (key + r >= end) break;
        [[unroll]] for (uint h = 0; h < HEADS; h++) {
            float weight = weights[(key + r) % SPLIT_KEYS * HEADS + h];
            sums[h] = fma(vec2(weight), value[r], sums[h]);
        }
    }
}

/* The weighted sum of values of column i, and of the next one where a unit is two. */
void sum_values(attend_task task, key_range keys, uint i, out vec2 sums[HEADS]) {
    [[unroll]] for (uint h = 0; h < HEADS; h++) sums[h] = vec2(0.0);
    for (uint key = keys.first; key < keys.end;) {
        uint page_end = min((key / PAGE_KEYS + 1) * PAGE_KEYS, keys.end);
        uint v_at = v_offset + task.group * v_head_stride + i + cache_row(keys, key) * v_row_stride;
        for (; key < page_end; key = min(key + VALUE_ROWS, page_end)) {
            add_values(key, page_end, v_at, sums);
            v_at += VALUE_ROWS * v_row_stride;
        }
    }
}

void main() {
    uint index = group_index(), split = index % n_splits, part = index / n_splits;
    if (part >= n_tasks) return;
    attend_task task = attend_task_of(first_task + part, n_groups, group_heads);
    uint position = positions[positions_offset + task.t];
    key_range keys;
    keys.first = max(split * SPLIT_KEYS, attend_first_key(position, window));
    keys.end = min(split * SPLIT_KEYS + SPLIT_KEYS, position + 1);
    keys.pages_row = pages_offset + sequences[sequences_offset + task.t] * pages_stride;
    if (keys.first >= keys.end) return;

    float largest[HEADS], sums[HEADS];
    find_scores(task, keys);
    find_weights(keys, largest, sums);
    uint result_at[HEADS];
    [[unroll]] for (uint h = 0; h < HEADS; h++) {
        uint y_at = task.t * y_token_stride + (task.first_head + h) * y_head_stride;
        uint partial_at = attend_partial_at(part, h, split, n_splits, value_dim);
        result_at[h] = result_offset + (ONE_SPLIT == 1 ? y_at : partial_at + 2);
        if (ONE_SPLIT == 1 || h >= task.n_heads || gl_LocalInvocationIndex > 0) continue;
        result[result_at[h] - 2] = largest[h];
        result[result_at[h] - 1] = sums[h];
    }
    for (uint i = gl_LocalInvocationIndex * VALUE_UNIT; i < value_dim;
         i += GROUP_SIZE * VALUE_UNIT) {
        vec2 values[HEADS];
        sum_values(task, keys, i, values);
        [[unroll]] for (uint h = 0; h < HEADS; h++) {
            if (h >= task.n_heads) continue;
            vec2 value = ONE_SPLIT == 1 ? values[h] / sums[h] : values[h];
            result[result_at[h] + i] = value.x;
            if (VALUE_UNIT == 2) result[result_at[h] + i + 1] = value.y;
        }
    }
}
