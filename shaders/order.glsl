/*
 * order.glsl - float32 numbers as unsigned integers in the same order. Comparing these, devices
 * that take tiny numbers for 0, or that assume no NaN, still agree with each other.
 */
const uint ORDER_NAN = 0;

/* Bits of float32. */
const uint NEGATIVE_INFINITY = 0xff800000u;
const uint INFINITY = 0x7f800000u;
const uint NOT_A_NUMBER = 0x7fc00000u;

bool bits_are_nan(uint bits) {
    return (bits & 0x7fffffffu) > INFINITY;
}

/** The number's place in the order: both zeros the same, -infinity above 0, NaN ORDER_NAN. */
uint order_of(uint bits) {
    if (bits_are_nan(bits)) return ORDER_NAN;
    if (bits == 0x80000000u) return 0x80000000u;
    return bits >> 31 == 1 ? ~bits : bits | 0x80000000u;
}

/** The bits of a number from its place in the order, which is not ORDER_NAN. */
uint order_bits(uint order) {
    return order >> 31 == 1 ? order & 0x7fffffffu : ~order;
}
