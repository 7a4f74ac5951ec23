/*
 * penalties.h - what a sequence's history and a request's bias do to its logits: a list of edits,
 * one for each id that changes, in the form that head_topk takes. A `penalties` owns scratch of the
 * vocabulary's size, so that a list costs no allocation; the lists are the caller's.
 *
 * A logit x of an id that stands `count` times in the answer becomes
 *     y = x > 0 ? x / repetition_penalty : x * repetition_penalty    (ids of prompt and answer)
 *     y + (bias - count * frequency_penalty - (count > 0) * presence_penalty)
 */
#ifndef FATHOM_ENGINE_PENALTIES_H
#define FATHOM_ENGINE_PENALTIES_H

#include "../base/error.h"

typedef struct penalties {
    int32_t vocab_size;
    /* All zero between calls. */
    int32_t *counts;     /* [V] times an id stands in the answer */
    float *bias;         /* [V] */
    uint32_t *changed;   /* [(V + 31) / 32] ids that may get an edit */
    uint32_t *in_prompt; /* [(V + 31) / 32] */
} penalties;

/** The tokens that a sequence has so far; ids are below the vocabulary's size. */
typedef struct penalty_history {
    const int32_t *prompt; /* [n_prompt] */
    int32_t n_prompt;
    const int32_t *answer; /* [n_answer] */
    int32_t n_answer;
} penalty_history;

/** Edits in ascending order of ids, each id once. */
typedef struct penalty_edits {
    int32_t n;
    int32_t *ids;  /* [n] */
    float *scales; /* [n] */
    float *adds;   /* [n] */
} penalty_edits;

fm_status penalties_new(int32_t vocab_size, penalties *out, fm_error *err);
void penalties_free(penalties *s);

/** Edits that a list needs room for at most: 0 when `p` edits nothing. */
int32_t penalties_bound(int32_t vocab_size, const fm_sampling *p, const penalty_history *history);

/** The largest penalties_bound that there can be of a history of at most max_context tokens, prompt
 * and answer together: each token of it and each entry of the bias edits one id, and no id twice.
 */
int32_t penalties_limit(int32_t vocab_size, int32_t max_context);

/** Writes the edits of a checked `p` (sampler_check) into the arrays of `out`, which have room for
 * penalties_bound of them, and sets out->n. Takes time by the history's length, and the time of
 * one look at a bit for each id of the vocabulary; none when nothing is edited. */
void penalties_collect(penalties *s, const fm_sampling *p, const penalty_history *history,
                       penalty_edits *out);

/** An edited logit, to the bit as head_topk makes it. */
static inline float penalty_apply(float logit, float scale, float add) {
    float scaled = logit > 0.0f ? logit / scale : logit * scale;
    return scaled + add;
}

#endif
