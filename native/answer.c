/* answer.c - generates, streams and reports one answer. */
#include "answer.h"

#include "answer_rate.h"
#include "display.h"
#include "json_out.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdio.h>

/* What one answer is made of; lives for one call. */
typedef struct answer {
    const options *options;
    const session *session;
    bool is_turn; /* of a conversation: the caller wants the text and catches the interrupts */
    fm_sampling sampling;
    uint64_t request; /* names it, for cancelling */
    reply *reply;
    display display;
} answer;

/* Streams what an event brings: text, or the id where there is no tokenizer. */
static bool stream(answer *a, const fm_event *event) {
    char number[16];
    bool is_last = event->finish != FM_FINISH_NONE;
    if (a->session->tokenizer)
        return display_write(&a->display, event->text, event->text_length) &&
               (!is_last || display_end(&a->display));
    if (is_last) return true;
    int length = snprintf(number, sizeof number, "%s%" PRId32, a->reply->ids.count > 1 ? " " : "",
                          event->id);
    return terminal_write(number, (size_t)length);
}

static bool on_event(void *user, const fm_event *event) {
    answer *a = user;
    return reply_take(a->reply, event) && (a->options->json || stream(a, event));
}

static int answer_begin(answer *a, const fm_tokens *prompt) {
    fm_error err;
    fm_request request = options_request(a->options);
    if (request.sampling.temperature > 0 && !a->options->has_seed)
        request.sampling.seed = reply_random_seed();
    a->sampling = request.sampling;
    a->reply->has_text = a->session->tokenizer != NULL;
    a->reply->keeps_text = a->reply->has_text && (a->options->json || a->is_turn);
    a->reply->has_logprobs = request.n_logprobs != 0;
    a->reply->has_parts = a->options->parts;
    if (a->reply->has_parts)
        a->reply->format = fm_parts_format_get(a->session->tokenizer, prompt->ids, prompt->count);
    if (!display_open(&a->display, a->session->tokenizer, prompt))
        return terminal_fail("out of memory for the answer");
    request.ids = prompt->ids;
    request.n_ids = prompt->count;
    request.tokenizer = a->session->tokenizer;
    request.on_event = on_event;
    request.user = a;
    if (fm_engine_submit(a->session->engine, &request, &a->request, &err) != FM_OK)
        return terminal_fail("%s", err.text);
    return STATUS_DONE;
}

/* Steps until the request has ended. An interrupt ends it between two steps, also those of a long
 * prompt, from which no event comes. */
static int answer_step(answer *a) {
    fm_error err = {0};
    int32_t active = 1;
    const reply *r = a->reply;
    if (!a->is_turn) terminal_watch_interrupt();
    while (active > 0) {
        fm_engine_step(a->session->engine, &active, &err);
        if (active > 0 && terminal_interrupted())
            fm_engine_cancel(a->session->engine, a->request, NULL);
    }
    if (r->end.finish == FM_FINISH_ERROR) {
        if (!a->options->json && r->ids.count > 0) terminal_write("\n", 1);
        return terminal_fail("%s", err.text[0] ? err.text : fm_status_text(r->end.status));
    }
    return r->no_memory ? terminal_fail("out of memory for the answer") : STATUS_DONE;
}

static int print_json(const answer *a) {
    const fm_event *end = &a->reply->end;
    cJSON *object = cJSON_CreateObject();
    bool ok = object && reply_add_json(a->reply, object) &&
              cJSON_AddNumberToObject(object, "prompt_tokens", end->n_prompt) &&
              cJSON_AddNumberToObject(object, "generated_tokens", end->n_generated) &&
              json_out_rate(object, "prefill_tokens_per_s", answer_prefill_rate(end)) &&
              json_out_rate(object, "decode_tokens_per_s", answer_decode_rate(end));
    if (a->sampling.temperature > 0) ok = ok && json_out_count(object, "seed", a->sampling.seed);
    return json_out_print(object, ok);
}

static void print_stats(const answer *a) {
    const fm_event *end = &a->reply->end;
    char seed[40] = "", whole[24] = "";
    if (a->sampling.temperature > 0)
        snprintf(seed, sizeof seed, ", seed %" PRIu64, a->sampling.seed);
    if (end->n_prefilled < end->n_prompt)
        snprintf(whole, sizeof whole, " of %" PRId32, end->n_prompt);
    terminal_note("prompt %" PRId32 "%s tokens at %.1f tokens/s, generated %" PRId32
                  " at %.1f tokens/s%s; %s",
                  end->n_prefilled, whole, answer_prefill_rate(end), end->n_generated,
                  answer_decode_rate(end), seed, fm_model_summary(a->session->model));
}

int answer_check_options(const options *o) {
    if (o->logprobs >= 0 && !o->json && !o->batch)
        return terminal_refuse("--logprobs needs --json: text has no place for them");
    if (o->parts && !o->json && !o->batch)
        return terminal_refuse("--parts needs --json: text is the answer as it is written");
    return STATUS_DONE;
}

static int run(answer *a, const fm_tokens *prompt) {
    int status = answer_begin(a, prompt);
    if (status == STATUS_DONE) status = answer_step(a);
    if (status == STATUS_DONE && a->options->json)
        status = print_json(a);
    else if (status == STATUS_DONE)
        terminal_write("\n", 1);
    if (status == STATUS_DONE && a->options->stats) print_stats(a);
    display_close(&a->display);
    return status;
}

int answer_run(const options *o, const session *s, const fm_tokens *prompt) {
    reply r = {0};
    answer a = {.options = o, .session = s, .reply = &r};
    int status = run(&a, prompt);
    reply_free(&r);
    return status;
}

int answer_turn(const options *o, const session *s, const fm_tokens *prompt, reply *out) {
    answer a = {.options = o, .session = s, .is_turn = true, .reply = out};
    *out = (reply){0};
    return run(&a, prompt);
}
