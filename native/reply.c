/* reply.c - collects the events of one request. */
#include "reply.h"

#include "json_out.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* ---- Collecting ---------------------------------------------------------------------------------- */

/* Appends "id":…,"logprob":…; a token that cannot come has null. */
static bool append_logprob(bytes *json, int32_t id, float logprob) {
    char text[80];
    int n = snprintf(text, sizeof text, "{\"id\":%" PRId32 ",\"logprob\":", id);
    n += snprintf(text + n, sizeof text - (size_t)n, isfinite(logprob) ? "%.9g" : "null",
                  (double)logprob);
    return bytes_append(json, text, (size_t)n);
}

static bool take_logprobs(reply *r, const fm_event *event) {
    bytes *json = &r->logprobs;
    if (json->length > 0 && !bytes_append(json, ",", 1)) return false;
    bool ok =
        append_logprob(json, event->id, event->logprob) && bytes_append(json, ",\"top\":[", 8);
    for (int32_t i = 0; ok && i < event->n_top; i++)
        ok = (i == 0 || bytes_append(json, ",", 1)) &&
             append_logprob(json, event->top[i].id, event->top[i].logprob) &&
             bytes_append(json, "}", 1);
    return ok && bytes_append(json, "]}", 2);
}

bool reply_take(reply *r, const fm_event *event) {
    bool ok = !r->keeps_text || bytes_append(&r->text, event->text, event->text_length);
    if (event->finish != FM_FINISH_NONE) {
        r->end = *event;
        r->end.text = NULL;
        r->end.top = NULL;
    } else {
        ok = ok && fm_tokens_append(&r->ids, event->id) == FM_OK &&
             (!r->has_logprobs || take_logprobs(r, event));
    }
    if (!ok) r->no_memory = true;
    return ok;
}

void reply_free(reply *r) {
    fm_tokens_free(&r->ids);
    bytes_free(&r->text);
    bytes_free(&r->logprobs);
    *r = (reply){0};
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

const char *reply_finish_text(fm_finish finish) {
    switch (finish) {
    case FM_FINISH_STOP:
        return "stop";
    case FM_FINISH_LENGTH:
        return "length";
    case FM_FINISH_CANCELLED:
        return "cancelled";
    case FM_FINISH_DEADLINE:
        return "deadline";
    case FM_FINISH_ERROR:
        return "error";
    case FM_FINISH_NONE:
        break;
    }
    return "none";
}

static bool add_logprobs(const reply *r, cJSON *object) {
    bytes json = {0};
    bool ok = bytes_append(&json, "{\"tokens\":[", 11) &&
              bytes_append(&json, r->logprobs.data, r->logprobs.length) &&
              bytes_append(&json, "]}", 3) && cJSON_AddRawToObject(object, "logprobs", json.data);
    bytes_free(&json);
    return ok;
}

/* The parts of an answer as they come. */
typedef struct part_texts {
    bool has_reasoning; /* it may be empty */
    bool no_memory;
    bytes reasoning, answer;
    bytes calls; /* a JSON array, open */
} part_texts;

/* Appends {"name":…,"arguments":…,"is_json":…}. The arguments are a string, as the model wrote
 * them. */
static bool append_call(bytes *json, const fm_part *part) {
    const char *end = part->is_json ? ",\"is_json\":true}" : ",\"is_json\":false}";
    return bytes_append(json, json->length > 1 ? "," : "", json->length > 1) &&
           bytes_append(json, "{\"name\":", 8) &&
           json_out_quote(json, part->name, part->name_length) &&
           bytes_append(json, ",\"arguments\":", 13) &&
           json_out_quote(json, part->text, part->length) && bytes_append(json, end, strlen(end));
}

static void take_part(void *user, const fm_part *part) {
    part_texts *t = user;
    bool ok = true;
    if (part->kind == FM_PART_ANSWER) ok = bytes_append(&t->answer, part->text, part->length);
    if (part->kind == FM_PART_REASONING) ok = bytes_append(&t->reasoning, part->text, part->length);
    if (part->kind == FM_PART_CALL) ok = append_call(&t->calls, part);
    if (part->kind == FM_PART_REASONING || part->kind == FM_PART_REASONING_END)
        t->has_reasoning = true;
    if (!ok) t->no_memory = true;
}

static bool read_parts(const reply *r, part_texts *t) {
    fm_parts *parts;
    if (fm_parts_new(r->format, take_part, t, &parts, NULL) != FM_OK) return false;
    bool ok =
        fm_parts_push(parts, r->text.data, r->text.length) == FM_OK && fm_parts_end(parts) == FM_OK;
    fm_parts_free(parts);
    return ok && !t->no_memory;
}

static bool add_parts(const reply *r, cJSON *object) {
    part_texts t = {0};
    bool ok = bytes_append(&t.calls, "[", 1) && read_parts(r, &t) && bytes_append(&t.calls, "]", 2);
    if (t.has_reasoning)
        ok = ok && json_out_text(object, "reasoning", t.reasoning.data, t.reasoning.length);
    else
        ok = ok && cJSON_AddNullToObject(object, "reasoning");
    ok = ok && json_out_text(object, "answer", t.answer.data, t.answer.length) &&
         cJSON_AddRawToObject(object, "tool_calls", t.calls.data);
    bytes_free(&t.reasoning);
    bytes_free(&t.answer);
    bytes_free(&t.calls);
    return ok;
}

bool reply_add_json(const reply *r, cJSON *object) {
    bool ok = json_out_ids(object, "ids", r->ids.ids, r->ids.count);
    if (r->has_text)
        ok = ok && json_out_text(object, "text", r->text.data, r->text.length);
    else
        ok = ok && cJSON_AddNullToObject(object, "text");
    ok = ok && cJSON_AddStringToObject(object, "finish_reason", reply_finish_text(r->end.finish));
    ok = ok && (!r->has_parts || add_parts(r, object));
    return ok && (!r->has_logprobs || add_logprobs(r, object));
}

uint64_t reply_random_seed(void) {
    uint32_t seed = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    if (!file || fread(&seed, sizeof seed, 1, file) != 1) seed = (uint32_t)time(NULL);
    if (file) fclose(file);
    return seed;
}
