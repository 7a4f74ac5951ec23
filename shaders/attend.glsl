/*
 * attend.glsl - what the shaders of attend share: which token and heads a task is, which keys a token
 * attends to, the exponential. Behind fathom.glsl.
 *
 * A task is a token and up to HEADS query heads that share a key-value head; the tasks of a token are
 * those of its first key-value head, of its second, … The number of HEADS comes from the shape of the
 * heads alone. In the last task of a key-value head some of them may be absent.
 *
 * Partial results are f32 [tasks of the dispatch, HEADS, splits, 2 + Dv]: the largest score of a split,
 * the sum of its weights exp(score - largest), and its weighted sum of values.
 */
layout(constant_id = 1) const uint HEADS = 1;

const uint SPLIT_KEYS = 512;
const uint PAGE_KEYS = 64;

struct attend_task {
    uint t;
    uint group;      /* key-value head */
    uint first_head; /* query head */
    uint n_heads;    /* 1 … HEADS */
};

/** Task `index` of all, where each of n_groups key-value heads has group_heads query heads. */
attend_task attend_task_of(uint index, uint n_groups, uint group_heads) {
    uint n_parts = (group_heads + HEADS - 1) / HEADS, part = index % n_parts * HEADS;
    uint group = index / n_parts % n_groups;
    return attend_task(index / n_parts / n_groups, group, group * group_heads + part,
                       min(HEADS, group_heads - part));
}

/** The first key that a token attends to. Window 0: no window. */
uint attend_first_key(uint position, uint window) {
    return window > 0 && position >= window ? position - window + 1 : 0;
}

uint attend_partial_at(uint task, uint head, uint split, uint n_splits, uint value_dim) {
    return ((task * HEADS + head) * n_splits + split) * (2 + value_dim);
}

/** exp of a score's distance from the largest. The largest itself gets exactly 1 from every device, so
 * that a single split merges to what it is. */
float attend_exp(float distance) {
    return distance == 0.0 ? 1.0 : exp(distance);
}
