/*
 * select.glsl - the k best of n entries. Behind sum.glsl, and behind the shader's own
 *
 *   uint entry_key(uint turn)  how good an entry is; 0: not to be selected, or none is there
 *   uint entry_id(uint turn)   which comes first among equal keys: the lower id, below 2^31
 *
 * for the entry turn * GROUP_SIZE + gl_LocalInvocationIndex: each invocation looks at its own. No
 * two entries share an id, so what is selected is never a matter of the order of invocations. The
 * whole workgroup calls, with the same arguments.
 */

/** Selected are the entries whose key is above `key`, and those of that key and an id below
 * `id_end`. */
struct select_bound {
    uint key;
    uint id_end;
};

shared uint select_largest;

uint select_turns(uint n) {
    return (n + GROUP_SIZE - 1) / GROUP_SIZE;
}

bool select_has(select_bound bound, uint turn) {
    uint key = entry_key(turn);
    if (key != bound.key || bound.id_end == 0) return key > bound.key;
    return entry_id(turn) < bound.id_end;
}

/** The largest key. */
uint select_top(uint n_turns) {
    uint largest = 0;
    for (uint turn = 0; turn < n_turns; turn++) largest = max(largest, entry_key(turn));
    if (gl_LocalInvocationIndex == 0) select_largest = 0;
    barrier();
    atomicMax(select_largest, largest);
    barrier();
    return select_largest;
}

/** Entries of at least this key. Counts stay below 2^24, where float32 is exact. */
uint select_count(uint n_turns, uint key) {
    uint count = 0;
    for (uint turn = 0; turn < n_turns; turn++)
        if (entry_key(turn) >= key) count++;
    return uint(group_sum(float(count)));
}

/** Entries of exactly this key and an id below `id_end`. */
uint select_count_ties(uint n_turns, uint key, uint id_end) {
    uint count = 0;
    for (uint turn = 0; turn < n_turns; turn++)
        if (entry_key(turn) == key && entry_id(turn) < id_end) count++;
    return uint(group_sum(float(count)));
}

/** Of the entries of this key the `places` with the lowest ids. */
select_bound select_ties(uint n_turns, uint key, uint places) {
    uint id_end = 0;
    for (uint bit = 1u << 30; bit != 0; bit >>= 1)
        if (select_count_ties(n_turns, key, id_end | bit) <= places) id_end |= bit;
    return select_bound(key, id_end);
}

/** Finds the bound of the k best, bit after bit of the key: the key that k entries reach but no
 * more, or the k-th best's. All that have a key are selected where there are fewer than k. */
select_bound select_best(uint n, uint k) {
    uint n_turns = select_turns(n), top = select_top(n_turns), key = 0;
    if (k == 1 && select_count(n_turns, top) == 1) return select_bound(top - 1, 0);
    for (uint bit = 1u << 31; bit != 0; bit >>= 1) {
        if ((key | bit) > top) continue;
        uint count = select_count(n_turns, key | bit);
        if (count == k) return select_bound((key | bit) - 1, 0);
        if (count > k) key |= bit;
    }
    if (key == 0) return select_bound(0, 0);
    return select_ties(n_turns, key, k - select_count(n_turns, key + 1));
}
