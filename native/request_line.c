/* request_line.c - the keys of a batch's lines as a table, and what each one reads. */
#include "request_line.h"

#include "json_out.h"
#include "prompt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ID_LENGTH = 1000, /* bytes of JSON */
    MAX_NEW = 1 << 24,    /* tokens */
    MAX_SHOWN = 60,       /* bytes of a key in a message */
};

static const double max_deadline = 1e9; /* seconds */

/* ---- Values of one kind -------------------------------------------------------------------------- */

static bool no_memory(request_line *r) {
    return json_in_fail(&r->in, "out of memory");
}

static bool read_ids(request_line *r) {
    uint64_t id;
    r->ids.count = 0;
    if (!json_in_open(&r->in, '[', "a list for \"ids\"")) return false;
    while (json_in_more(&r->in, ']')) {
        if (!json_in_count(&r->in, "ids", 0, INT32_MAX, &id)) return false;
        if (fm_tokens_append(&r->ids, (int32_t)id) != FM_OK) return no_memory(r);
    }
    return !r->in.fault[0];
}

/* Adds a stop string to those that were read. */
static bool read_stop_string(request_line *r, size_t at[FM_MAX_STOPS]) {
    if (!json_in_string(&r->in, "stop", &r->text)) return false;
    if (r->request.n_stop == FM_MAX_STOPS)
        return json_in_fail(&r->in, "\"stop\" takes %d strings at most", FM_MAX_STOPS);
    if (r->text.length > 0 && memchr(r->text.data, 0, r->text.length))
        return json_in_fail(&r->in, "\"stop\" takes no string with a NUL byte");
    at[r->request.n_stop++] = r->stops.length;
    return (bytes_append(&r->stops, r->text.data, r->text.length) &&
            bytes_append(&r->stops, "", 1)) ||
           no_memory(r);
}

/* A string, or a list of them. They are pointed to when the last one has found its place. */
static bool read_stop(request_line *r) {
    size_t at[FM_MAX_STOPS] = {0};
    r->request.n_stop = 0;
    r->request.stop = r->stop;
    if (json_in_peek(&r->in) == '[') {
        json_in_open(&r->in, '[', "");
        while (json_in_more(&r->in, ']'))
            if (!read_stop_string(r, at)) return false;
    } else if (!read_stop_string(r, at)) {
        return false;
    }
    for (size_t i = 0; i < r->request.n_stop; i++) r->stop[i] = r->stops.data + at[i];
    return !r->in.fault[0];
}

/* The token id that a key of logit_bias stands for; -1 when it is none. */
static int64_t key_id(const bytes *key) {
    int64_t id = 0;
    if (key->length == 0 || key->length > 10) return -1;
    for (size_t i = 0; i < key->length; i++) {
        if (key->data[i] < '0' || key->data[i] > '9') return -1;
        id = id * 10 + (key->data[i] - '0');
    }
    return id <= INT32_MAX ? id : -1;
}

static bool read_bias(request_line *r) {
    fm_sampling *sampling = &r->request.sampling;
    if (!r->bias) r->bias = malloc(FM_LOGIT_BIAS_MAX * sizeof *r->bias);
    if (!r->bias) return no_memory(r);
    sampling->bias = r->bias;
    sampling->n_bias = 0;
    if (!json_in_open(&r->in, '{', "an object {\"ID\": number} for \"logit_bias\"")) return false;
    while (json_in_more(&r->in, '}')) {
        double bias;
        if (!json_in_key(&r->in, &r->text)) return false;
        int64_t id = key_id(&r->text);
        if (id < 0) return json_in_fail(&r->in, "the keys of \"logit_bias\" are token ids");
        if (!json_in_real(&r->in, "logit_bias", -1e4, 1e4, &bias)) return false;
        if (sampling->n_bias == FM_LOGIT_BIAS_MAX)
            return json_in_fail(&r->in, "\"logit_bias\" takes %d ids at most", FM_LOGIT_BIAS_MAX);
        r->bias[sampling->n_bias++] = (fm_logit_bias){(int32_t)id, (float)bias};
    }
    return !r->in.fault[0];
}

/* A number and a string never name the same tenant: the string is kept with its quote. */
static bool read_tenant(request_line *r, tenants *names) {
    char number[24];
    uint64_t value;
    bytes *name = &r->text;
    if (json_in_peek(&r->in) == '"') {
        if (!json_in_string(&r->in, "tenant", name)) return false;
        if (!bytes_append(name, "\"", 1)) return no_memory(r);
    } else {
        if (!json_in_count(&r->in, "tenant", 0, UINT64_MAX, &value)) return false;
        int length = snprintf(number, sizeof number, "%" PRIu64, value);
        name->length = 0;
        if (!bytes_append(name, number, (size_t)length)) return no_memory(r);
    }
    if (name->length > TENANTS_MAX_LENGTH)
        return json_in_fail(&r->in, "\"tenant\" has more than %d bytes", TENANTS_MAX_LENGTH - 1);
    return tenants_number(names, name->data, name->length, &r->request.tenant) ||
           json_in_fail(&r->in, "more than %d tenants, or no memory for another", TENANTS_MAX);
}

/* 0 asks for the tokens' own log-probabilities, which the library writes as -1. */
static bool read_logprobs(request_line *r) {
    uint64_t n;
    if (!json_in_count(&r->in, "logprobs", 0, FM_MAX_LOGPROBS, &n)) return false;
    r->request.n_logprobs = n == 0 ? -1 : (int32_t)n;
    return true;
}

/* ---- The table of keys --------------------------------------------------------------------------- */

typedef enum field_kind {
    FIELD_ID, /* was read before */
    FIELD_PROMPT,
    FIELD_IDS,
    FIELD_STOP,
    FIELD_BIAS,
    FIELD_TENANT,
    FIELD_LOGPROBS,
    FIELD_SEED,
    FIELD_DEADLINE,
    FIELD_COUNT, /* int32_t from 0 to max */
    FIELD_REAL,  /* float in [min, max] */
} field_kind;

typedef struct field {
    const char *key;
    field_kind kind;
    size_t offset; /* in fm_request, of FIELD_COUNT and FIELD_REAL */
    double min;
    double max;
} field;

#define PLACE(member) offsetof(fm_request, member)

static const field fields[] = {
    {"id", FIELD_ID, 0, 0, 0},
    {"prompt", FIELD_PROMPT, 0, 0, 0},
    {"ids", FIELD_IDS, 0, 0, 0},
    {"n", FIELD_COUNT, PLACE(max_new), 0, MAX_NEW},
    {"seed", FIELD_SEED, 0, 0, 0},
    {"temperature", FIELD_REAL, PLACE(sampling.temperature), 0, 100},
    {"top_p", FIELD_REAL, PLACE(sampling.top_p), 0, 1},
    {"top_k", FIELD_COUNT, PLACE(sampling.top_k), 0, INT32_MAX},
    {"min_p", FIELD_REAL, PLACE(sampling.min_p), 0, 1},
    {"repetition_penalty", FIELD_REAL, PLACE(sampling.repetition_penalty), 0.01, 100},
    {"frequency_penalty", FIELD_REAL, PLACE(sampling.frequency_penalty), -2, 2},
    {"presence_penalty", FIELD_REAL, PLACE(sampling.presence_penalty), -2, 2},
    {"logit_bias", FIELD_BIAS, 0, 0, 0},
    {"stop", FIELD_STOP, 0, 0, 0},
    {"logprobs", FIELD_LOGPROBS, 0, 0, 0},
    {"tenant", FIELD_TENANT, 0, 0, 0},
    {"deadline_s", FIELD_DEADLINE, 0, 0, 0},
};

enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

static bool read_count(request_line *r, const field *f) {
    uint64_t value;
    if (!json_in_count(&r->in, f->key, 0, (uint64_t)f->max, &value)) return false;
    *(int32_t *)((char *)&r->request + f->offset) = (int32_t)value;
    return true;
}

static bool read_real(request_line *r, const field *f) {
    double value;
    if (!json_in_real(&r->in, f->key, f->min, f->max, &value)) return false;
    *(float *)((char *)&r->request + f->offset) = (float)value;
    return true;
}

static bool read_field(request_line *r, const field *f, tenants *names) {
    switch (f->kind) {
    case FIELD_ID:
        return json_in_skip(&r->in);
    case FIELD_PROMPT:
        return json_in_string(&r->in, f->key, &r->prompt);
    case FIELD_IDS:
        return read_ids(r);
    case FIELD_STOP:
        return read_stop(r);
    case FIELD_BIAS:
        return read_bias(r);
    case FIELD_TENANT:
        return read_tenant(r, names);
    case FIELD_LOGPROBS:
        return read_logprobs(r);
    case FIELD_SEED:
        r->has_seed = true;
        return json_in_count(&r->in, f->key, 0, UINT64_MAX, &r->request.sampling.seed);
    case FIELD_DEADLINE:
        return json_in_real(&r->in, f->key, 0, max_deadline, &r->request.deadline_seconds);
    case FIELD_COUNT:
        return read_count(r, f);
    case FIELD_REAL:
        break;
    }
    return read_real(r, f);
}

static bool is_key(const bytes *key, const char *name) {
    return key->length == strlen(name) && memcmp(key->data, name, key->length) == 0;
}

/* Its beginning, in whole characters, is shown as JSON writes it: a fault is one line. */
static void refuse_key(request_line *r) {
    bytes shown = {0};
    size_t length = r->text.length < MAX_SHOWN ? r->text.length : MAX_SHOWN;
    while (length > 0 && length < r->text.length && (r->text.data[length] & 0xc0) == 0x80) length--;
    if (json_out_quote(&shown, r->text.data, length) && bytes_append(&shown, "", 1))
        json_in_fail(&r->in, "the key %s is unknown", shown.data);
    else
        no_memory(r);
    bytes_free(&shown);
}

/* The row of the key that was read, each once. */
static const field *take_field(request_line *r) {
    for (uint32_t i = 0; i < N_FIELDS; i++) {
        if (!is_key(&r->text, fields[i].key)) continue;
        if (r->seen & UINT32_C(1) << i) {
            json_in_fail(&r->in, "the key \"%s\" stands twice", fields[i].key);
            return NULL;
        }
        r->seen |= UINT32_C(1) << i;
        return &fields[i];
    }
    refuse_key(r);
    return NULL;
}

/* ---- The line ------------------------------------------------------------------------------------ */

static bool read_id(request_line *r) {
    const char *number;
    size_t length;
    r->id.length = 0;
    if (json_in_peek(&r->in) == '"') {
        if (!json_in_string(&r->in, "id", &r->text)) return false;
        if (!json_out_quote(&r->id, r->text.data, r->text.length)) return no_memory(r);
    } else {
        if (!json_in_number(&r->in, "id", &number, &length)) return false;
        if (!bytes_append(&r->id, number, length)) return no_memory(r);
    }
    return r->id.length <= MAX_ID_LENGTH ||
           json_in_fail(&r->in, "\"id\" has more than %d bytes", MAX_ID_LENGTH);
}

/* Reads the whole line for its grammar and its id, so that a line with a fault is answered under its
 * name wherever that stands. */
static bool find_id(request_line *r, size_t number) {
    char text[24];
    bool found = false, ok = json_in_open(&r->in, '{', "an object");
    while (ok && json_in_more(&r->in, '}')) {
        ok = json_in_key(&r->in, &r->text);
        if (ok && !found && is_key(&r->text, "id"))
            ok = found = read_id(r);
        else
            ok = ok && json_in_skip(&r->in);
    }
    ok = ok && json_in_end(&r->in);
    if (!found) {
        snprintf(text, sizeof text, "%zu", number);
        r->id.length = 0;
        if (!bytes_append(&r->id, text, strlen(text))) ok = no_memory(r);
    }
    return bytes_append(&r->id, "", 1) ? ok : no_memory(r);
}

static bool read_fields(request_line *r, tenants *names) {
    json_in_open(&r->in, '{', "an object");
    while (json_in_more(&r->in, '}')) {
        if (!json_in_key(&r->in, &r->text)) return false;
        const field *f = take_field(r);
        if (!f || !read_field(r, f, names)) return false;
    }
    return !r->in.fault[0];
}

static bool has_seen(const request_line *r, field_kind kind) {
    for (uint32_t i = 0; i < N_FIELDS; i++)
        if (fields[i].kind == kind) return r->seen >> i & 1;
    return false;
}

/* The prompt's ids, which come from one of two keys. */
static bool settle_ids(request_line *r) {
    fm_error err;
    bool has_prompt = has_seen(r, FIELD_PROMPT);
    if (has_prompt == has_seen(r, FIELD_IDS))
        return json_in_fail(&r->in, "give either \"prompt\" or \"ids\"");
    if (has_prompt && !r->request.tokenizer)
        return json_in_fail(&r->in, "the model directory has no tokenizer.json: give \"ids\" "
                                    "instead of \"prompt\"");
    if (has_prompt) {
        r->ids.count = 0;
        if (prompt_encode_text(r->request.tokenizer, &r->prompt, &r->ids, &err) != FM_OK)
            return json_in_fail(&r->in, "%s", err.text);
    }
    r->request.ids = r->ids.ids;
    r->request.n_ids = r->ids.count;
    return true;
}

bool request_line_read(request_line *r, const fm_request *defaults, tenants *names,
                       const char *line, size_t length, size_t number) {
    r->request = *defaults;
    r->has_seed = false;
    r->seen = 0;
    r->stops.length = 0;
    json_in_begin(&r->in, line, length);
    if (!find_id(r, number)) return false;
    json_in_begin(&r->in, line, length);
    return read_fields(r, names) && settle_ids(r);
}

void request_line_free(request_line *r) {
    bytes_free(&r->id);
    fm_tokens_free(&r->ids);
    bytes_free(&r->prompt);
    bytes_free(&r->text);
    bytes_free(&r->stops);
    free(r->bias);
    *r = (request_line){0};
}
