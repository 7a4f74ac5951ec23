/*
 * weight.glsl - the rows of a weight, for products. Behind fathom.glsl. A row is padded with zeros
 * to whole stretches of 16 bytes: four numbers of 32 bits, or eight of 16.
 */
layout(constant_id = 1) const uint FORMAT = FORMAT_F32;

const uint STRETCH = FORMAT == FORMAT_F32 ? 4 : 8; /* numbers in 16 bytes */

/** The four numbers of a stretch that begin at number `first` of it: 0, or 4 where it has eight. */
vec4 weight_quad(uvec4 words, uint first) {
    if (FORMAT == FORMAT_F32) return uintBitsToFloat(words);
    uvec2 pair = first == 0 ? words.xy : words.zw;
    if (FORMAT == FORMAT_BF16) return vec4(bf16_pair(pair.x), bf16_pair(pair.y));
    return vec4(f16_pair(pair.x), f16_pair(pair.y));
}
