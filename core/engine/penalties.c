/* penalties.c - notes the history in bits and counts by id, and reads them off in ascending order.
 */
#include "penalties.h"

#include <stdlib.h>

static size_t words_of(int32_t vocab_size) {
    return ((size_t)vocab_size + 31) / 32;
}

fm_status penalties_new(int32_t vocab_size, penalties *out, fm_error *err) {
    *out = (penalties){.vocab_size = vocab_size};
    out->counts = calloc((size_t)vocab_size, sizeof *out->counts);
    out->bias = calloc((size_t)vocab_size, sizeof *out->bias);
    out->changed = calloc(words_of(vocab_size), sizeof *out->changed);
    out->in_prompt = calloc(words_of(vocab_size), sizeof *out->in_prompt);
    if (out->counts && out->bias && out->changed && out->in_prompt) return FM_OK;
    penalties_free(out);
    return error_set(err, FM_ERR_MEMORY, "out of memory for the penalties of %d tokens",
                     (int)vocab_size);
}

void penalties_free(penalties *s) {
    free(s->in_prompt);
    free(s->changed);
    free(s->bias);
    free(s->counts);
    *s = (penalties){0};
}

static bool has_repetition(const fm_sampling *p) {
    return p->repetition_penalty != 0.0f && p->repetition_penalty != 1.0f;
}

static bool looks_at_answer(const fm_sampling *p) {
    return has_repetition(p) || p->frequency_penalty != 0.0f || p->presence_penalty != 0.0f;
}

int32_t penalties_bound(int32_t vocab_size, const fm_sampling *p, const penalty_history *history) {
    int64_t n = (int64_t)p->n_bias;
    if (has_repetition(p)) n += history->n_prompt;
    if (looks_at_answer(p)) n += history->n_answer;
    return n < vocab_size ? (int32_t)n : vocab_size;
}

int32_t penalties_limit(int32_t vocab_size, int32_t max_context) {
    int64_t n = (int64_t)max_context + FM_LOGIT_BIAS_MAX;
    return n < vocab_size ? (int32_t)n : vocab_size;
}

static void set_bit(uint32_t *words, int32_t id) {
    words[id / 32] |= 1u << id % 32;
}

static void note(penalties *s, const fm_sampling *p, const penalty_history *history) {
    for (size_t i = 0; i < p->n_bias; i++) {
        s->bias[p->bias[i].id] = p->bias[i].bias;
        set_bit(s->changed, p->bias[i].id);
    }
    for (int32_t i = 0; i < history->n_prompt && has_repetition(p); i++) {
        set_bit(s->in_prompt, history->prompt[i]);
        set_bit(s->changed, history->prompt[i]);
    }
    for (int32_t i = 0; i < history->n_answer && looks_at_answer(p); i++) {
        s->counts[history->answer[i]]++;
        set_bit(s->changed, history->answer[i]);
    }
}

/** Appends the edit of an id, and forgets what was noted of it. */
static void take_edit(penalties *s, const fm_sampling *p, int32_t id, penalty_edits *out) {
    int32_t count = s->counts[id];
    bool repeats = has_repetition(p) && (count > 0 || s->in_prompt[id / 32] >> id % 32 & 1u);
    float add = s->bias[id] - (float)count * p->frequency_penalty;
    if (count > 0) add -= p->presence_penalty;
    out->ids[out->n] = id;
    out->scales[out->n] = repeats ? p->repetition_penalty : 1.0f;
    out->adds[out->n++] = add;
    s->counts[id] = 0;
    s->bias[id] = 0.0f;
}

void penalties_collect(penalties *s, const fm_sampling *p, const penalty_history *history,
                       penalty_edits *out) {
    out->n = 0;
    if (penalties_bound(s->vocab_size, p, history) == 0) return;
    note(s, p, history);
    for (size_t w = 0; w < words_of(s->vocab_size); w++) {
        uint32_t word = s->changed[w];
        for (int32_t id = (int32_t)w * 32; word != 0; word >>= 1, id++)
            if (word & 1u) take_edit(s, p, id, out);
        s->changed[w] = s->in_prompt[w] = 0;
    }
}
