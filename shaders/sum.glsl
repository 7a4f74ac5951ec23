/*
 * sum.glsl - one number made of the numbers of all invocations of a workgroup, and given to each of
 * them. Behind fathom.glsl; the shader is compiled with FM_SUBGROUP and without.
 *
 * The order of a sum depends on the sizes of workgroup and subgroup alone, so the same numbers give
 * the same sum. Every invocation of the workgroup must call, as they wait for each other; one that
 * has nothing to give passes 0, or -infinity. Calls may follow each other without a barrier.
 *
 * With FM_SUBGROUP, GROUP_SIZE must be a multiple of the device's subgroup size, as vk_group_size
 * makes it: lavapipe does not count a subgroup that is not full.
 */
shared float group_parts[GROUP_SIZE];

#ifdef FM_SUBGROUP
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require

/** Hands each subgroup's part to the whole workgroup. The first barrier keeps an earlier call's
 * parts until all have read them. */
void group_share(float part) {
    barrier();
    if (subgroupElect()) group_parts[gl_SubgroupID] = part;
    barrier();
}

float group_sum(float value) {
    float part = subgroupAdd(value);
    if (gl_NumSubgroups == 1) return part;
    group_share(part);
    float sum = group_parts[0];
    for (uint i = 1; i < gl_NumSubgroups; i++) sum += group_parts[i];
    return sum;
}

float group_max(float value) {
    float part = subgroupMax(value);
    if (gl_NumSubgroups == 1) return part;
    group_share(part);
    float largest = group_parts[0];
    for (uint i = 1; i < gl_NumSubgroups; i++) largest = max(largest, group_parts[i]);
    return largest;
}

#else

/** Hands each invocation's number to the whole workgroup. */
void group_share(float value) {
    barrier();
    group_parts[gl_LocalInvocationIndex] = value;
    barrier();
}

/* A tree: of n parts the upper half is folded onto the lower one, whose size is rounded up, so that
 * any size of a workgroup does. */

float group_sum(float value) {
    uint i = gl_LocalInvocationIndex;
    group_share(value);
    for (uint n = GROUP_SIZE; n > 1;) {
        uint lower = (n + 1) / 2;
        if (i + lower < n) group_parts[i] += group_parts[i + lower];
        barrier();
        n = lower;
    }
    return group_parts[0];
}

float group_max(float value) {
    uint i = gl_LocalInvocationIndex;
    group_share(value);
    for (uint n = GROUP_SIZE; n > 1;) {
        uint lower = (n + 1) / 2;
        if (i + lower < n) group_parts[i] = max(group_parts[i], group_parts[i + lower]);
        barrier();
        n = lower;
    }
    return group_parts[0];
}

#endif
