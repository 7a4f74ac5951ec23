/*
 * head_parts.glsl - how the two halves of head_topk lay out what they share, for each row and
 * behind the push constants' n_blocks, n_best, n_raw and parts_offset. In words:
 *
 *   sums      [n_blocks, 4]       largest logit, sum of exp; largest edited logit, sum of exp: bits
 *   keys      [n_blocks, n_best]  candidates in no order: the order of their edited logit; 0: none
 *   ids       [n_blocks, n_best]
 *   raw_keys  [n_blocks, n_raw]   the same of the logits as they came
 *   raw_ids   [n_blocks, n_raw]
 */
struct head_parts {
    uint sums;
    uint keys;
    uint ids;
    uint raw_keys;
    uint raw_ids;
};

/** Where the parts of a row begin. */
head_parts head_parts_of(uint row) {
    head_parts at;
    at.sums = parts_offset + row * n_blocks * (4 + 2 * n_best + 2 * n_raw);
    at.keys = at.sums + 4 * n_blocks;
    at.ids = at.keys + n_blocks * n_best;
    at.raw_keys = at.ids + n_blocks * n_best;
    at.raw_ids = at.raw_keys + n_blocks * n_raw;
    return at;
}
