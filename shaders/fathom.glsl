/*
 * fathom.glsl - what all shaders share: the size of a workgroup, numbers in storage, sums over a
 * workgroup. A shader is compiled twice where it includes sums: with FM_SUBGROUP they use the
 * device's subgroups, without they go through shared memory alone.
 *
 * Storage buffers are arrays of 32-bit words, also those of 16-bit numbers: two of them lie in a word,
 * the even one in the low half. So no device needs 16-bit storage.
 */
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint GROUP_SIZE = 32;

const uint FORMAT_F32 = 0;
const uint FORMAT_BF16 = 1;
const uint FORMAT_F16 = 2;

/** The index of this workgroup among those that vk_groups asked for; may reach beyond the last. */
uint group_index() {
    return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
}

/** The two numbers of a word, the even one first. */
vec2 bf16_pair(uint word) {
    return vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xffff0000u));
}

vec2 f16_pair(uint word) {
    return unpackHalf2x16(word);
}

/** float32 to bfloat16, to nearest even; NaN stays NaN. */
uint bf16_bits(float value) {
    uint bits = floatBitsToUint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40u;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
