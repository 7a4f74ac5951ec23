/*
 * exp.glsl - e^x for x <= 0, as exact as float32 allows: the language's own exp may be off by many
 * units, and its error grows with x. Nothing here may be contracted or reordered, hence `precise`.
 */

/** e^x for x <= 0 in two parts, a float32 and what it lacks: together good to about 28 bits. 0
 * below -87; exactly 1 at 0. x = n ln 2 + r with |r| <= ln 2 / 2, then e^r = 1 + r + r^2 (1/2 + r/6
 * + ...). */
vec2 exp_parts(float x) {
    if (!(x >= -87.0)) return vec2(0.0);
    precise float n = roundEven(x * 1.44269504);
    /* ln 2 in two parts: the product of n and the first is exact, and so is the difference. */
    precise float r_head = fma(n, -0.693145752, x);
    precise float r_tail = n * -1.42860677e-6;
    precise float r = r_head + r_tail;
    precise float r_rest = (r_head - r) + r_tail;
    precise float p = 1.0 / 5040.0;
    p = fma(p, r, 1.0 / 720.0);
    p = fma(p, r, 1.0 / 120.0);
    p = fma(p, r, 1.0 / 24.0);
    p = fma(p, r, 1.0 / 6.0);
    p = fma(p, r, 0.5);
    precise float small = fma(p * r, r, r_rest);
    precise float head = 1.0 + r;
    precise float head_rest = (1.0 - head) + r;
    precise float tail = head_rest + small;
    precise float sum = head + tail;
    precise float sum_rest = (head - sum) + tail;
    float scale = uintBitsToFloat(uint(int(n) + 127) << 23);
    return vec2(sum * scale, sum_rest * scale);
}

/** e^x for x <= 0. */
float exp_negative(float x) {
    return exp_parts(x).x;
}
