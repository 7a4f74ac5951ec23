/* answer.c - generates, streams and reports one answer. */
#include "answer.h"

#include "answer_rate.h"
#include "bytes.h"
#include "json_out.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What one answer is made of; lives for one answer_run. */
typedef struct answer {
    const options *options;
    const session *session;
    fm_sampling sampling;
    fm_decoder decoder;
    char *piece; /* [piece_size] text of one token; NULL without a tokenizer */
    size_t piece_size;
    uint64_t request; /* names it, for cancelling */
    fm_tokens ids;    /* the new ones */
    bytes text;       /* collected for --json */
    fm_event end;     /* the last event: why it ended, counts and seconds */
    bool no_memory;
} answer;

/* Streams text, or collects it for --json. False ends the answer. */
static bool emit(answer *a, const char *text, size_t length) {
    if (length == 0) return true;
    if (!a->options->json) return terminal_write(text, length);
    if (bytes_append(&a->text, text, length)) return true;
    a->no_memory = true;
    return false;
}

/* Without a tokenizer the answer is shown as ids. */
static bool emit_id(answer *a, int32_t id) {
    if (a->options->json) return true;
    char number[16];
    int length = snprintf(number, sizeof number, "%s%" PRId32, a->ids.count > 1 ? " " : "", id);
    return terminal_write(number, (size_t)length);
}

static bool take_token(answer *a, int32_t id) {
    if (fm_tokens_append(&a->ids, id) != FM_OK) {
        a->no_memory = true;
        return false;
    }
    if (!a->session->tokenizer) return emit_id(a, id);
    size_t length = 0;
    fm_decoder_push(&a->decoder, a->session->tokenizer, id, a->piece, a->piece_size, &length);
    return emit(a, a->piece, length);
}

static bool on_event(void *user, const fm_event *event) {
    answer *a = user;
    if (event->finish == FM_FINISH_NONE) return take_token(a, event->id);
    a->end = *event;
    return true;
}

/* A seed for a request that names none. 32 bits, so that it is short to type again. */
static uint64_t random_seed(void) {
    uint32_t seed = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    if (!file || fread(&seed, sizeof seed, 1, file) != 1) seed = (uint32_t)time(NULL);
    if (file) fclose(file);
    return seed;
}

static int answer_begin(answer *a, const fm_tokens *prompt) {
    fm_error err;
    const fm_tokenizer *t = a->session->tokenizer;
    if (t) {
        a->piece_size = fm_decoder_bound(t);
        a->piece = malloc(a->piece_size);
        if (!a->piece) return terminal_fail("out of memory for the answer");
    }
    a->sampling = options_sampling(a->options);
    if (a->sampling.temperature > 0 && !a->options->has_seed) a->sampling.seed = random_seed();
    fm_request request = {
        .ids = prompt->ids,
        .n_ids = prompt->count,
        .max_new = a->options->max_new,
        .sampling = a->sampling,
        .on_event = on_event,
        .user = a,
    };
    if (fm_engine_submit(a->session->engine, &request, &a->request, &err) != FM_OK)
        return terminal_fail("%s", err.text);
    return STATUS_DONE;
}

/* Steps until the request has ended. An interrupt ends it between two steps, also those of a long
 * prompt, from which no event comes; a->end is then set by the last one. */
static int answer_step(answer *a) {
    fm_error err;
    int32_t active = 1;
    terminal_watch_interrupt();
    while (active > 0) {
        fm_status status = fm_engine_step(a->session->engine, &active, &err);
        if (status != FM_OK) {
            if (!a->options->json && a->ids.count > 0) terminal_write("\n", 1);
            return terminal_fail("%s", err.text);
        }
        if (active > 0 && terminal_interrupted()) {
            fm_engine_cancel(a->session->engine, a->request, NULL);
            active = 0;
        }
    }
    return a->no_memory ? terminal_fail("out of memory for the answer") : STATUS_DONE;
}

static const char *finish_text(fm_finish finish) {
    switch (finish) {
    case FM_FINISH_STOP:
        return "stop";
    case FM_FINISH_LENGTH:
        return "length";
    case FM_FINISH_CANCELLED:
        return "cancelled";
    case FM_FINISH_ERROR:
        return "error";
    case FM_FINISH_NONE:
        break;
    }
    return "none";
}

static int print_json(const answer *a) {
    const fm_event *end = &a->end;
    cJSON *object = cJSON_CreateObject();
    bool ok = object && json_out_ids(object, "ids", a->ids.ids, a->ids.count);
    if (a->session->tokenizer)
        ok = ok && json_out_text(object, "text", a->text.data, a->text.length);
    else
        ok = ok && cJSON_AddNullToObject(object, "text");
    ok = ok && cJSON_AddStringToObject(object, "finish_reason", finish_text(end->finish)) &&
         cJSON_AddNumberToObject(object, "prompt_tokens", end->n_prompt) &&
         cJSON_AddNumberToObject(object, "generated_tokens", end->n_generated) &&
         json_out_rate(object, "prefill_tokens_per_s", answer_prefill_rate(end)) &&
         json_out_rate(object, "decode_tokens_per_s", answer_decode_rate(end));
    if (a->sampling.temperature > 0) ok = ok && json_out_count(object, "seed", a->sampling.seed);
    return json_out_print(object, ok);
}

static void print_stats(const answer *a) {
    const fm_event *end = &a->end;
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

/* The end of the text, or the JSON object; then the line of speeds. */
static int answer_end(answer *a) {
    int status = STATUS_DONE;
    if (a->session->tokenizer) {
        char rest[4];
        emit(a, rest, fm_decoder_end(&a->decoder, rest));
    }
    if (a->options->json)
        status = print_json(a);
    else
        terminal_write("\n", 1);
    if (status == STATUS_DONE && a->options->stats) print_stats(a);
    return status;
}

int answer_run(const options *o, const session *s, const fm_tokens *prompt) {
    answer a = {.options = o, .session = s, .decoder = {.skip_special = true}};
    int status = answer_begin(&a, prompt);
    if (status == STATUS_DONE) status = answer_step(&a);
    if (status == STATUS_DONE) status = answer_end(&a);
    free(a.piece);
    fm_tokens_free(&a.ids);
    bytes_free(&a.text);
    return status;
}
