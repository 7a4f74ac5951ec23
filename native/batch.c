/* batch.c - keeps the engine supplied with requests and prints what comes of them. */
#include "batch.h"

#include "clock.h"
#include "json_out.h"
#include "reply.h"
#include "request_line.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MS = 200, /* for a line when nothing else is to do; an interrupt is seen after it */
    ITEMS_PER_SEQUENCE =
        2, /* requests in the engine, so that the next one starts without a pause */
};

static const double progress_seconds = 0.2;

typedef struct batch batch;

/* A request that is in the engine. */
typedef struct batch_item {
    batch *batch;
    bool is_used;
    size_t line;
    bytes id; /* as JSON, terminated */
    uint64_t request;
    bool is_drawn; /* with a temperature, from this seed */
    uint64_t seed;
    reply reply;
} batch_item;

struct batch {
    const options *options;
    const session *session;
    lines *input;
    fm_request defaults;
    tenants names;
    batch_item *items; /* [n_items] */
    int n_items;
    int n_used;
    batch_item **ended; /* [n_ended] of one step, in the order of their ends */
    int n_ended;
    bool input_ended;
    bool output_failed;
    uint64_t n_read, n_done, n_failed, n_cancelled;
    uint64_t n_prompt, n_generated, n_shared, n_preempted; /* of requests that have ended */
    uint64_t n_new;                                        /* tokens, of all requests */
    double seconds;                                        /* that steps took */
    double next_progress;                                  /* when it is shown again, seconds */
};

/* ---- Output -------------------------------------------------------------------------------------- */

static void show_progress(batch *b, double now) {
    if (now < b->next_progress) return;
    b->next_progress = now + progress_seconds;
    terminal_progress("%" PRIu64 " done / %" PRIu64 " read, %.1f tokens/s", b->n_done, b->n_read,
                      clock_rate(b->n_new, b->seconds));
}

/* Prints an object on a line of its own; takes it over. */
static void print(batch *b, cJSON *object, bool complete) {
    terminal_progress_clear();
    if (json_out_print(object, complete) != STATUS_DONE) b->n_failed++;
    b->n_done++;
    b->output_failed = b->output_failed || terminal_output_failed();
}

/* {"id": …, "error": "line 7: …"} */
static void print_fault(batch *b, const bytes *id, const char *fault) {
    cJSON *object = cJSON_CreateObject();
    bool ok = object && cJSON_AddRawToObject(object, "id", id->data) &&
              json_out_text(object, "error", fault, strlen(fault));
    b->n_failed++;
    print(b, object, ok);
}

static void print_error(batch *b, const bytes *id, size_t line, const char *what) {
    char text[600];
    snprintf(text, sizeof text, "line %zu: %s", line, what);
    print_fault(b, id, text);
}

static void print_answer(batch *b, const batch_item *item) {
    const fm_event *end = &item->reply.end;
    cJSON *object = cJSON_CreateObject();
    bool ok = object && cJSON_AddRawToObject(object, "id", item->id.data) &&
              reply_add_json(&item->reply, object) &&
              json_out_count(object, "prompt_tokens", (uint64_t)end->n_prompt) &&
              json_out_count(object, "generated_tokens", (uint64_t)end->n_generated) &&
              json_out_count(object, "shared_tokens", (uint64_t)end->n_shared);
    if (item->is_drawn) ok = ok && json_out_count(object, "seed", item->seed);
    print(b, object, ok);
}

/* ---- Requests ------------------------------------------------------------------------------------ */

static bool on_event(void *user, const fm_event *event) {
    batch_item *item = user;
    batch *b = item->batch;
    if (event->finish == FM_FINISH_NONE)
        b->n_new++;
    else
        b->ended[b->n_ended++] = item;
    return reply_take(&item->reply, event);
}

static batch_item *free_item(batch *b) {
    for (int i = 0; i < b->n_items; i++)
        if (!b->items[i].is_used) return &b->items[i];
    return NULL;
}

static void free_reply(batch *b, batch_item *item) {
    bytes_free(&item->id);
    reply_free(&item->reply);
    *item = (batch_item){.batch = b};
}

static fm_status submit(batch *b, batch_item *item, request_line *r, fm_error *err) {
    fm_request *request = &r->request;
    item->line = b->input->count;
    item->reply.has_text = item->reply.keeps_text = request->tokenizer != NULL;
    item->reply.has_logprobs = request->n_logprobs != 0;
    item->reply.has_parts = r->wants_parts || b->options->parts;
    if (item->reply.has_parts)
        item->reply.format = fm_parts_format_get(request->tokenizer, request->ids, request->n_ids);
    item->is_drawn = request->sampling.temperature > 0;
    if (item->is_drawn && !r->has_seed && !b->options->has_seed)
        request->sampling.seed = reply_random_seed();
    item->seed = request->sampling.seed;
    request->on_event = on_event;
    request->user = item;
    return fm_engine_submit(b->session->engine, request, &item->request, err);
}

/* A line becomes a request, or a line of output that says why it does not. */
static void take_line(batch *b, const char *line, size_t length) {
    fm_error err = {0};
    request_line r = {0};
    batch_item *item = free_item(b);
    b->n_read++;
    if (!request_line_read(&r, &b->defaults, &b->names, line, length, b->input->count)) {
        print_fault(b, &r.id, r.fault);
    } else if (submit(b, item, &r, &err) != FM_OK) {
        print_error(b, &r.id, b->input->count, err.text);
        free_reply(b, item);
    } else {
        item->is_used = true;
        item->id = r.id; /* moves */
        r.id = (bytes){0};
        b->n_used++;
    }
    request_line_free(&r);
}

static void take_long_line(batch *b) {
    char number[24], text[80];
    snprintf(number, sizeof number, "%zu", b->input->count);
    snprintf(text, sizeof text, "has more than %d bytes, the most that a line may have",
             LINES_MAX_LENGTH);
    bytes id = {.data = number, .length = strlen(number)};
    b->n_read++;
    print_error(b, &id, b->input->count, text);
}

static bool is_blank(const char *line, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
    return true;
}

static bool goes_on(const batch *b) {
    return !b->output_failed && !terminal_interrupted();
}

/* Takes lines while there is room for them, and not so many that a flood of wrong ones keeps the
 * others from their steps. Waits for one only where nothing runs. */
static void feed(batch *b) {
    const char *line;
    size_t length;
    for (int i = 0; i < b->n_items && b->n_used < b->n_items && !b->input_ended && goes_on(b);
         i++) {
        lines_got got = lines_next(b->input, b->n_used > 0 ? 0 : WAIT_MS, &line, &length);
        if (got == LINES_NONE) return;
        if (got == LINES_LINE && !is_blank(line, length)) take_line(b, line, length);
        if (got == LINES_LONG) take_long_line(b);
        if (got == LINES_FAILED) b->n_failed++;
        b->input_ended = got == LINES_END || got == LINES_FAILED;
    }
}

/* ---- Steps --------------------------------------------------------------------------------------- */

static void finish_item(batch *b, batch_item *item, const fm_error *err) {
    const fm_event *end = &item->reply.end;
    b->n_prompt += (uint64_t)end->n_prompt;
    b->n_generated += (uint64_t)end->n_generated;
    b->n_shared += (uint64_t)end->n_shared;
    b->n_preempted += (uint64_t)end->n_preempted;
    b->n_cancelled += end->finish == FM_FINISH_CANCELLED;
    if (item->reply.no_memory)
        print_error(b, &item->id, item->line, "out of memory for the answer");
    else if (end->finish == FM_FINISH_ERROR)
        print_error(b, &item->id, item->line,
                    err->status == end->status ? err->text : fm_status_text(end->status));
    else
        print_answer(b, item);
    free_reply(b, item);
    b->n_used--;
}

/* One step, and what ended in it. Requests that are cancelled end in the step that follows. */
static void step(batch *b) {
    fm_error err = {0};
    int32_t active = 0;
    for (int i = 0; i < b->n_items && !goes_on(b); i++)
        if (b->items[i].is_used) fm_engine_cancel(b->session->engine, b->items[i].request, NULL);
    double start = clock_seconds();
    b->n_ended = 0;
    fm_engine_step(b->session->engine, &active, &err);
    double now = clock_seconds();
    b->seconds += now - start;
    for (int i = 0; i < b->n_ended; i++) finish_item(b, b->ended[i], &err);
    show_progress(b, now);
}

static void print_stats(const batch *b) {
    terminal_note(
        "%" PRIu64 " requests, %" PRIu64 " failed, prompt %" PRIu64 " tokens, generated %" PRIu64
        " at %.1f tokens/s, shared %" PRIu64 " tokens, preempted %" PRIu64 " times; %s",
        b->n_read, b->n_failed, b->n_prompt, b->n_generated, clock_rate(b->n_generated, b->seconds),
        b->n_shared, b->n_preempted, fm_model_summary(b->session->model));
}

static int run(batch *b) {
    terminal_watch_interrupt();
    for (;;) {
        feed(b);
        if (b->n_used > 0)
            step(b);
        else if (b->input_ended || !goes_on(b))
            break;
    }
    terminal_progress_clear();
    if (b->options->stats) print_stats(b);
    if (terminal_interrupted())
        return terminal_fail("interrupted: %" PRIu64 " requests were cancelled, and lines behind "
                             "line %zu were not read",
                             b->n_cancelled, b->input->count);
    return b->n_failed > 0 ? STATUS_FAILED : STATUS_DONE;
}

int batch_run(const options *o, const session *s, lines *input) {
    batch b = {.options = o, .session = s, .input = input};
    int status = STATUS_FAILED;
    b.defaults = options_request(o);
    b.defaults.tokenizer = s->tokenizer;
    b.n_items = options_sequences(o) * ITEMS_PER_SEQUENCE;
    b.items = calloc((size_t)b.n_items, sizeof *b.items);
    b.ended = calloc((size_t)b.n_items, sizeof *b.ended);
    if (b.items && b.ended) {
        for (int i = 0; i < b.n_items; i++) b.items[i].batch = &b;
        status = run(&b);
    } else {
        terminal_fail("out of memory for the requests");
    }
    tenants_free(&b.names);
    free(b.items);
    free(b.ended);
    return status;
}
