/*
 * route_choose.comp - each token's experts and their weights: the device's half of
 * core/model/router.h, router_choose.
 *
 *   0 logits   f32 [T, E]
 *   1 bias     f32 [E]
 *   2 experts  i32 [T, K]
 *   3 weights  f32 [T, K]
 *
 * A workgroup takes a token. It keeps the experts' biased scores by their order, and takes the best
 * K times.
 */
#version 450
#include "fathom.glsl"
#include "exp.glsl"
#include "order.glsl"

layout(constant_id = 1) const uint N_EXPERTS = 1; /* E */
layout(constant_id = 2) const uint N_GROUPS = 1;

layout(set = 0, binding = 0) readonly buffer Logits { uint logits[]; };
layout(set = 0, binding = 1) readonly buffer Bias { float bias[]; };
layout(set = 0, binding = 2) writeonly buffer Experts { int experts[]; };
layout(set = 0, binding = 3) writeonly buffer Weights { float weights[]; };

layout(push_constant) uniform Push {
    uint logits_offset;
    uint bias_offset;
    uint experts_offset;
    uint weights_offset;
    uint logits_stride;
    uint experts_stride;
    uint weights_stride;
    uint n_tokens;   /* T */
    uint top_k;      /* K */
    uint top_groups; /* groups that stay eligible */
    uint has_bias;
    uint normalize;
    float scale;
};

const uint TOP_MAX = 128; /* K at most */
const uint KEY_NONE = 0; /* not eligible */
const uint KEY_NAN = 1;  /* eligible when nothing else is left */

shared uint keys[N_EXPERTS]; /* how good they are: order_of of their biased scores, and as above */
shared uint kept[(N_GROUPS + 31) / 32]; /* a bit for each group */
shared uint best_key, best_index;
shared uint chosen[TOP_MAX];
shared float chosen_scores[TOP_MAX];

/* ---- Scores ---------------------------------------------------------------------------------- */

/** a in two parts of at most 12 bits, so that products of such parts are exact. */
vec2 halves_of(float a) {
    precise float scaled = a * 4097.0;
    precise float above = scaled - a;
    precise float high = scaled - above;
    precise float low = a - high;
    return vec2(high, low);
}

/** What a product lacks of a * b. fma would say, but devices may round in the middle of it. */
float product_rest(float a, float b, float product) {
    vec2 x = halves_of(a), y = halves_of(b);
    precise float rest = x.x * y.x - product;
    rest = rest + x.x * y.y;
    rest = rest + x.y * y.x;
    rest = rest + x.y * y.y;
    return rest;
}

/** 1 / (1 + e^-x), to little more than half a unit: both e and the sum have two parts, and the
 * quotient is corrected by what it leaves. */
float sigmoid(float x) {
    vec2 e = exp_parts(-abs(x));
    precise float sum = 1.0 + e.x;
    precise float sum_rest = ((1.0 - sum) + e.x) + e.y;
    vec2 top = x >= 0.0 ? vec2(1.0, 0.0) : e;
    precise float quotient = top.x / sum;
    precise float product = quotient * sum;
    precise float rest = (top.x - product) - product_rest(quotient, sum, product);
    rest = rest + (top.y - quotient * sum_rest);
    precise float score = quotient + rest / sum;
    return score;
}

/** The score of an expert; NaN where its logit is. */
float score_of(uint token, uint expert) {
    uint bits = logits[logits_offset + token * logits_stride + expert];
    return bits_are_nan(bits) ? uintBitsToFloat(bits) : sigmoid(uintBitsToFloat(bits));
}

uint key_of(float value) {
    return max(order_of(floatBitsToUint(value)), KEY_NAN);
}

void score_experts(uint token) {
    for (uint e = gl_LocalInvocationIndex; e < N_EXPERTS; e += GROUP_SIZE) {
        precise float score = score_of(token, e);
        if (has_bias != 0) score = score + bias[bias_offset + e];
        keys[e] = key_of(score);
    }
    barrier();
}

/* ---- Choice ---------------------------------------------------------------------------------- */

/** The index of the best of the workgroup's keys, the lowest among equals. Each invocation gives
 * its best, where that is not KEY_NONE with its index. */
uint best_of(uint key, uint index) {
    if (gl_LocalInvocationIndex == 0) {
        best_key = KEY_NONE;
        best_index = 0xffffffffu;
    }
    barrier();
    atomicMax(best_key, key);
    barrier();
    if (key == best_key) atomicMin(best_index, index);
    barrier();
    return best_index;
}

/** Takes the best expert that is eligible, and makes it ineligible. At least one is eligible. */
uint take_expert() {
    uint key = KEY_NONE, index = 0xffffffffu;
    for (uint e = gl_LocalInvocationIndex; e < N_EXPERTS; e += GROUP_SIZE)
        if (keys[e] > key) {
            key = keys[e];
            index = e;
        }
    uint best = best_of(key, index);
    if (index == best) keys[best] = KEY_NONE;
    barrier();
    return best;
}

/** The sum of the two best of a group's biased scores; of NaN nothing counts. */
float group_score(uint group) {
    const uint size = N_EXPERTS / N_GROUPS;
    uint first = 0, second = 0;
    for (uint e = group * size; e < (group + 1) * size; e++) {
        uint key = keys[e] == KEY_NAN ? 0 : keys[e];
        if (key > first) {
            second = first;
            first = key;
        } else if (key > second) {
            second = key;
        }
    }
    uint first_bits = first == 0 ? NEGATIVE_INFINITY : order_bits(first);
    uint second_bits = second == 0 ? NEGATIVE_INFINITY : order_bits(second);
    precise float sum = uintBitsToFloat(first_bits) + uintBitsToFloat(second_bits);
    return size > 1 ? sum : uintBitsToFloat(first_bits);
}

bool group_is_kept(uint group) {
    return (kept[group / 32] >> group % 32 & 1u) != 0;
}

/** Keeps the best group that is not kept. Scores are few and made anew, as no array holds them. */
void keep_group() {
    uint key = KEY_NONE, index = 0xffffffffu;
    for (uint g = gl_LocalInvocationIndex; g < N_GROUPS; g += GROUP_SIZE) {
        uint group_key = group_is_kept(g) ? KEY_NONE : key_of(group_score(g));
        if (group_key > key) {
            key = group_key;
            index = g;
        }
    }
    uint best = best_of(key, index);
    if (index == best) kept[best / 32] |= 1u << best % 32;
    barrier();
}

/** Leaves only the experts of the best groups eligible. */
void keep_groups() {
    for (uint i = gl_LocalInvocationIndex; i < (N_GROUPS + 31) / 32; i += GROUP_SIZE) kept[i] = 0;
    barrier();
    for (uint i = 0; i < top_groups; i++) keep_group();
    for (uint e = gl_LocalInvocationIndex; e < N_EXPERTS; e += GROUP_SIZE)
        if (!group_is_kept(e / (N_EXPERTS / N_GROUPS))) keys[e] = KEY_NONE;
    barrier();
}

/* ---- Weights --------------------------------------------------------------------------------- */

/** The scores of the chosen experts, without bias, as weights. */
void write_chosen(uint token) {
    for (uint k = gl_LocalInvocationIndex; k < top_k; k += GROUP_SIZE)
        chosen_scores[k] = score_of(token, chosen[k]);
    barrier();
    float sum = 0.0;
    for (uint k = 0; k < top_k; k++) sum += chosen_scores[k];
    float factor = normalize != 0 ? scale / (sum + 1e-20) : scale;
    for (uint k = gl_LocalInvocationIndex; k < top_k; k += GROUP_SIZE) {
        experts[experts_offset + token * experts_stride + k] = int(chosen[k]);
        weights[weights_offset + token * weights_stride + k] = chosen_scores[k] * factor;
    }
}

void main() {
    uint token = group_index();
    if (token >= n_tokens) return;
    score_experts(token);
    if (N_GROUPS > 1) keep_groups();
    for (uint k = 0; k < top_k; k++) {
        uint best = take_expert();
        if (gl_LocalInvocationIndex == 0) chosen[k] = best;
    }
    barrier();
    write_chosen(token);
}
