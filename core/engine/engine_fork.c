/* engine_fork.c - a second request that goes on from where another one is. */
#include "engine.h"

/** What the parent was asked, with the first n_answer tokens of its answer, as part of the prompt.
 */
static fm_request ask_again(const request *parent, const fm_fork *fork, int32_t n_answer) {
    return (fm_request){
        .ids = parent->q.ids,
        .n_ids = (size_t)(parent->n_prompt + n_answer),
        .max_new = fork->max_new > 0 ? fork->max_new : parent->max_new,
        .sampling = fork->sampling ? *fork->sampling : parent->sampling,
        .end_ids = parent->end_ids,
        .n_end_ids = parent->n_end_ids,
        .n_logprobs = parent->n_logprobs,
        .tokenizer = parent->text.tokenizer,
        .stop = parent->stop,
        .n_stop = parent->n_stop,
        .tenant = parent->q.pages.tenant,
        .mask = fork->mask,
        .mask_user = fork->mask_user,
        .on_event = fork->on_event,
        .user = fork->user,
    };
}

/** The child takes the parent's pages as far as they hold its own tokens but the last, which is run
 * to give logits. Where a window has lost what that needs, it begins with nothing. */
static void share_pages(fm_engine *e, request *parent, request *child) {
    paged_sequence *from = &parent->q.pages, *to = &child->q.pages;
    if (from->n_tokens > to->max_tokens) return;
    paging_fork(&e->paging, from, to);
    int32_t n_back = to->n_tokens - (child->q.n_ids - 1);
    if (n_back > 0 && !paging_rollback(&e->paging, to, n_back)) paging_release(&e->paging, to);
    child->q.n_shared = to->n_tokens;
}

static fm_status fork_request(fm_engine *e, uint64_t parent_id, const fm_fork *fork, uint64_t *id,
                              fm_error *err) {
    request *child, *parent = queue_find(&e->queue, parent_id);
    if (!parent) return engine_not_found(parent_id, err);
    int32_t n_answer = request_n_told(parent); /* n_back counts from what the caller has seen */
    if (fork->n_back < 0 || fork->n_back > n_answer)
        return error_set(err, FM_ERR_ARG, "n_back %d is out of range: the answer has %d tokens",
                         (int)fork->n_back, (int)n_answer);
    if (fork->max_new < 0) return error_set(err, FM_ERR_ARG, "max_new must not be negative");
    n_answer -= fork->n_back;
    const fm_request asked = ask_again(parent, fork, n_answer);
    FM_TRY(request_new(&e->rules, &asked, n_answer, &child, err));
    child->deadline = parent->deadline;
    share_pages(e, parent, child);
    return engine_enqueue(e, child, id, err);
}

fm_status fm_engine_fork(fm_engine *e, uint64_t parent, const fm_fork *fork, uint64_t *id,
                         fm_error *err) {
    if (id) *id = 0;
    FM_TRY(engine_begin(e, err));
    fm_status status = fork_request(e, parent, fork, id, err);
    engine_end(e);
    return status;
}
