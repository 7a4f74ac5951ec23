/* request.c - checks and copies what was asked. */
#include "request.h"

#include <math.h>
#include <string.h>

#include "../base/os.h"
#include "sampler.h"

/* ---- What may be asked ----------------------------------------------------------------------- */

fm_status request_check_ids(const request_rules *rules, const int32_t *ids, size_t n_ids,
                            fm_error *err) {
    if (n_ids == 0 || !ids)
        return error_set(err, FM_ERR_ARG, "the prompt is empty: give at least one token");
    if (n_ids > (size_t)rules->max_context)
        return error_set(err, FM_ERR_LIMIT,
                         "the prompt has %zu tokens, the context %d: raise --ctx or shorten it",
                         n_ids, (int)rules->max_context);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || ids[i] >= rules->vocab_size)
            return error_set(err, FM_ERR_ARG, "token id %d is outside the vocabulary of %d",
                             (int)ids[i], (int)rules->vocab_size);
    return FM_OK;
}

static fm_status check(const request_rules *rules, const fm_request *asked, fm_error *err) {
    if (!asked->on_event) return error_set(err, FM_ERR_ARG, "a request needs a callback");
    if (asked->max_new < 0) return error_set(err, FM_ERR_ARG, "max_new must not be negative");
    if (asked->n_logprobs < -1 || asked->n_logprobs > FM_MAX_LOGPROBS)
        return error_set(err, FM_ERR_ARG, "n_logprobs must be from -1 to %d", FM_MAX_LOGPROBS);
    if (!(asked->deadline_seconds >= 0.0) || !isfinite(asked->deadline_seconds))
        return error_set(err, FM_ERR_ARG, "the deadline must be a number of seconds from 0");
    for (size_t i = 0; i < asked->n_stop && i < FM_MAX_STOPS; i++)
        if (!asked->stop || !asked->stop[i])
            return error_set(err, FM_ERR_ARG, "stop string %zu is missing", i + 1);
    FM_TRY(sampler_check(&asked->sampling, rules->vocab_size, err));
    return request_check_ids(rules, asked->ids, asked->n_ids, err);
}

/* ---- Copies ---------------------------------------------------------------------------------- */

/** A copy of n items in the request's memory; NULL when that is out. */
static void *keep(request *r, const void *items, size_t n, size_t size) {
    void *copy = arena_alloc(r->memory, n, size);
    if (copy && n > 0) memcpy(copy, items, n * size);
    return copy;
}

static bool keep_ids(request *r, const fm_request *asked) {
    r->q.ids = arena_alloc(r->memory, (size_t)r->n_prompt + (size_t)r->max_new, sizeof *r->q.ids);
    if (!r->q.ids) return false;
    memcpy(r->q.ids, asked->ids, asked->n_ids * sizeof *asked->ids);
    r->q.n_ids = (int32_t)asked->n_ids;
    return true;
}

static bool keep_end_ids(request *r, const request_rules *rules, const fm_request *asked) {
    const int32_t *ids = asked->end_ids ? asked->end_ids : rules->end_ids;
    r->n_end_ids = asked->end_ids ? asked->n_end_ids : rules->n_end_ids;
    r->end_ids = keep(r, ids, r->n_end_ids, sizeof *ids);
    return r->end_ids != NULL;
}

static bool keep_sampling(request *r, const fm_request *asked) {
    r->sampling = asked->sampling;
    r->sampling.bias =
        keep(r, asked->sampling.bias, asked->sampling.n_bias, sizeof *asked->sampling.bias);
    return r->sampling.bias != NULL;
}

static bool keep_stop(request *r, const fm_request *asked) {
    r->n_stop = asked->n_stop;
    r->stop = arena_alloc(r->memory, asked->n_stop, sizeof *r->stop);
    for (size_t i = 0; r->stop && i < asked->n_stop; i++) {
        r->stop[i] = arena_strndup(r->memory, asked->stop[i], strlen(asked->stop[i]));
        if (!r->stop[i]) return false;
    }
    return r->stop != NULL;
}

/** New tokens: as asked, and not more than the context leaves. */
static int32_t cut_max_new(const request_rules *rules, const fm_request *asked, int32_t n_prompt) {
    int32_t room = rules->max_context - n_prompt;
    return asked->max_new > 0 && asked->max_new < room ? asked->max_new : room;
}

static fm_status copy(request *r, const request_rules *rules, const fm_request *asked,
                      fm_error *err) {
    if (!keep_ids(r, asked) || !keep_end_ids(r, rules, asked) || !keep_sampling(r, asked))
        return error_set(err, FM_ERR_MEMORY, "out of memory for a request");
    /* Counts and lengths of stop strings are checked before they are copied. */
    FM_TRY(answer_text_new(r->memory, asked->tokenizer, asked->stop, asked->n_stop, &r->text, err));
    if (!keep_stop(r, asked)) return error_set(err, FM_ERR_MEMORY, "out of memory for a request");
    return paged_sequence_new(rules->p, asked->tenant, r->n_prompt + r->max_new, &r->q.pages, err);
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

fm_status request_new(const request_rules *rules, const fm_request *asked, int32_t n_answer,
                      request **out, fm_error *err) {
    *out = NULL;
    FM_TRY(check(rules, asked, err));
    int32_t n_prompt = (int32_t)asked->n_ids - n_answer;
    int32_t max_new = cut_max_new(rules, asked, n_prompt);
    if (max_new < n_answer)
        return error_set(err, FM_ERR_ARG,
                         "max_new %d is less than the %d tokens of the answer so far", (int)max_new,
                         (int)n_answer);
    arena *memory = arena_new();
    request *r = memory ? arena_alloc(memory, 1, sizeof *r) : NULL;
    if (!r) {
        arena_free(memory);
        return error_set(err, FM_ERR_MEMORY, "out of memory for a request");
    }
    r->memory = memory;
    r->n_prompt = n_prompt;
    r->max_new = max_new;
    r->n_logprobs = asked->n_logprobs;
    r->submitted = os_seconds();
    if (asked->deadline_seconds > 0.0) r->deadline = r->submitted + asked->deadline_seconds;
    r->mask = asked->mask;
    r->mask_user = asked->mask_user;
    r->on_event = asked->on_event;
    r->user = asked->user;
    atomic_init(&r->cancelled, false);
    fm_status status = copy(r, rules, asked, err);
    if (status != FM_OK) {
        request_free(r);
        return status;
    }
    for (int32_t i = r->n_prompt; i < r->q.n_ids; i++) answer_text_push(&r->text, r->q.ids[i]);
    *out = r;
    return FM_OK;
}

void request_free(request *r) {
    if (!r) return;
    answer_text_free(&r->text);
    paged_sequence_free(&r->q.pages);
    arena_free(r->memory);
}

bool request_is_end(const request *r, int32_t id) {
    for (size_t i = 0; i < r->n_end_ids; i++)
        if (r->end_ids[i] == id) return true;
    return false;
}
