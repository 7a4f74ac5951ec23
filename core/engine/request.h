/*
 * request.h - a submitted request: what was asked, copied, and how far it is. Made by whichever
 * thread submits; afterwards the stepping thread alone changes it, except for `cancelled` and the
 * queue's links. Everything that it will need while it runs is allocated when it is made.
 */
#ifndef FATHOM_ENGINE_REQUEST_H
#define FATHOM_ENGINE_REQUEST_H

#include <stdatomic.h>
#include <stddef.h>

#include "../base/arena.h"
#include "answer_text.h"
#include "scheduler.h"

/** What requests of an engine may be; fixed when the engine is made. */
typedef struct request_rules {
    const paging *p;
    int32_t vocab_size;
    int32_t max_context;
    const int32_t *end_ids; /* [n_end_ids] of requests that name none */
    size_t n_end_ids;
} request_rules;

/** What became of a draw. */
typedef struct drawn {
    fm_status status; /* FM_ERR_NOT_FINITE when the logits are not, FM_ERR_ARG when no token is
                         allowed; then there is none */
    int32_t id;
    float logprob; /* of id, and of the alternatives, where the request asks for them */
    int32_t n_top;
    fm_logprob top[FM_MAX_LOGPROBS];
} drawn;

typedef struct request {
    sequence q; /* first: a sequence of the scheduler is the beginning of its request */
    uint64_t id;
    arena *memory; /* owns the request itself, too */

    /* what was asked */
    int32_t n_prompt;
    int32_t max_new; /* cut to what the context leaves; q.ids has room for n_prompt + max_new */
    fm_sampling sampling;
    const int32_t *end_ids; /* [n_end_ids] */
    size_t n_end_ids;
    int32_t n_logprobs;
    const char **stop; /* [n_stop] */
    size_t n_stop;
    double submitted, deadline; /* of the monotonic clock; 0: none */
    fm_mask_fn mask;
    void *mask_user;
    fm_event_fn on_event;
    void *user;

    /* how far it is */
    int32_t n_prefilled;
    int32_t n_failed; /* steps in a row that could not be computed */
    double wait_seconds, prefill_seconds, decode_seconds;
    answer_text text;
    drawn drawn; /* the newest; the next is not drawn before the event of this one was told */

    /* what is to be told, set by events.c alone: events.h has the table of states */
    bool has_untold_token; /* the last of q.ids */
    fm_finish end;         /* why it has ended; FM_FINISH_NONE: it has not */
    fm_status end_status;  /* FM_OK, unless `end` is FM_FINISH_ERROR */
    struct request *next_event;

    /* the queue's */
    bool is_queued; /* was submitted, and had no step yet. Once the stepping thread has taken the
                       request, no other looks at it */
    atomic_bool cancelled;
    struct request *next_submitted;
    struct request *next_live;
} request;

/** FM_ERR_ARG or FM_ERR_LIMIT for ids that are no prompt. */
fm_status request_check_ids(const request_rules *rules, const int32_t *ids, size_t n_ids,
                            fm_error *err);

/** Checks what `asked` says and copies it. The last n_answer of its ids are an answer that it goes
 * on with: they count as generated. FM_ERR_ARG and FM_ERR_LIMIT for what cannot be run,
 * FM_ERR_MEMORY; *out is NULL then. Any thread. */
fm_status request_new(const request_rules *rules, const fm_request *asked, int32_t n_answer,
                      request **out, fm_error *err);
/** The pages of its sequence were released. NULL is allowed. */
void request_free(request *r);

/** Whether drawing `id` ends the answer. */
bool request_is_end(const request *r, int32_t id);

static inline int32_t request_n_generated(const request *r) {
    return r->q.n_ids - r->n_prompt;
}

/** The part of the answer that its owner knows of. */
static inline int32_t request_n_told(const request *r) {
    return request_n_generated(r) - r->has_untold_token;
}

/** Any thread that keeps the request from being freed, which the queue's lock does. */
static inline void request_cancel(request *r) {
    atomic_store_explicit(&r->cancelled, true, memory_order_relaxed);
}

static inline bool request_is_cancelled(request *r) {
    return atomic_load_explicit(&r->cancelled, memory_order_relaxed);
}

/** The request of a sequence that the scheduler names. */
static inline request *request_of(sequence *q) {
    _Static_assert(offsetof(request, q) == 0, "a request begins with its sequence");
    return (request *)(void *)q;
}

#endif
