/* request_line.c - the keys of a batch's lines as a table, and what each one reads. */
#include "request_line.h"

#include "json_out.h"
#include "lines.h"
#include "prompt.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DEPTH = 32,       /* arrays and objects inside each other */
    MAX_ID_LENGTH = 1000, /* bytes of JSON */
    MAX_NEW = 1 << 24,    /* tokens */
    MAX_SHOWN = 60,       /* bytes of a key in a message */
};

/* From 2^53 on a number of JSON may stand for another whole number than its digits say. */
static const int64_t max_whole = INT64_C(9007199254740991);

/* ---- Faults -------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool fail(request_line *r, const char *format, ...) {
    va_list args;
    int length = snprintf(r->fault, sizeof r->fault, "line %zu: ", r->number);
    va_start(args, format);
    vsnprintf(r->fault + length, sizeof r->fault - (size_t)length, format, args);
    va_end(args);
    return false;
}

static bool no_memory(request_line *r) {
    return fail(r, "out of memory");
}

/* ---- Values of one kind -------------------------------------------------------------------------- */

static bool read_whole(request_line *r, const json *node, const char *key, int64_t max,
                       int64_t *out) {
    return json_integer(node, 0, max, out) ||
           fail(r, "\"%s\" takes a whole number from 0 to %" PRId64, key, max);
}

static bool read_number(request_line *r, const json *node, const char *key, double min, double max,
                        double *out) {
    *out = json_number(node, NAN);
    return (*out >= min && *out <= max) ||
           fail(r, "\"%s\" takes a number from %g to %g", key, min, max);
}

static bool read_ids(request_line *r, const json *list) {
    if (!json_is_array(list)) return fail(r, "a list for \"ids\" is needed, in []");
    json_for_each(node, list) {
        int64_t id;
        if (!read_whole(r, node, "ids", INT32_MAX, &id)) return false;
        if (fm_tokens_append(&r->ids, (int32_t)id) != FM_OK) return no_memory(r);
    }
    return true;
}

/* A double holds no more than 53 bits of a seed, a string all 64. */
static bool read_seed(request_line *r, const json *node) {
    int64_t value;
    uint64_t *seed = &r->request.sampling.seed;
    r->has_seed = true;
    if (json_is_string(node) && options_parse_digits(json_string(node), seed)) return true;
    if (!json_integer(node, 0, max_whole, &value))
        return fail(r, "\"seed\" takes a whole number below 2^53, or below 2^64 as a string");
    *seed = (uint64_t)value;
    return true;
}

/* A string, or a list of them. */
static bool read_stop(request_line *r, const json *node) {
    bool is_list = json_is_array(node);
    const json *string = is_list ? json_first(node) : node;
    r->request.n_stop = 0;
    r->request.stop = r->stop;
    for (; string; string = is_list ? json_next(string) : NULL) {
        if (!json_is_string(string)) return fail(r, "\"stop\" takes a string, or a list of them");
        if (r->request.n_stop == FM_MAX_STOPS)
            return fail(r, "\"stop\" takes %d strings at most", FM_MAX_STOPS);
        r->stop[r->request.n_stop++] = json_string(string);
    }
    return true;
}

static bool read_bias(request_line *r, const json *object) {
    fm_sampling *sampling = &r->request.sampling;
    if (!json_is_object(object))
        return fail(r, "an object {\"ID\": number} for \"logit_bias\" is needed, in {}");
    r->bias = malloc(FM_LOGIT_BIAS_MAX * sizeof *r->bias);
    if (!r->bias) return no_memory(r);
    sampling->bias = r->bias;
    sampling->n_bias = 0;
    json_for_each(node, object) {
        double bias;
        uint64_t id;
        if (!options_parse_digits(json_key(node), &id) || id > INT32_MAX)
            return fail(r, "the keys of \"logit_bias\" are token ids");
        if (!read_number(r, node, "logit_bias", -1e4, 1e4, &bias)) return false;
        if (sampling->n_bias == FM_LOGIT_BIAS_MAX)
            return fail(r, "\"logit_bias\" takes %d ids at most", FM_LOGIT_BIAS_MAX);
        r->bias[sampling->n_bias++] = (fm_logit_bias){(int32_t)id, (float)bias};
    }
    return true;
}

/* A number and a string never name the same tenant: the string is kept with a quote behind it. */
static bool read_tenant(request_line *r, const json *node, tenants *names) {
    char name[TENANTS_MAX_LENGTH + 1];
    int64_t value;
    int length;
    if (json_is_string(node))
        length = snprintf(name, sizeof name, "%s\"", json_string(node));
    else if (json_integer(node, 0, max_whole, &value))
        length = snprintf(name, sizeof name, "%" PRId64, value);
    else
        return fail(r, "\"tenant\" takes a whole number below 2^53, or a string");
    if (length > TENANTS_MAX_LENGTH)
        return fail(r, "\"tenant\" has more than %d bytes", TENANTS_MAX_LENGTH - 1);
    return tenants_number(names, name, (size_t)length, &r->request.tenant) ||
           fail(r, "more than %d tenants, or no memory for another", TENANTS_MAX);
}

/* 0 asks for the tokens' own log-probabilities, which the library writes as -1. */
static bool read_logprobs(request_line *r, const json *node) {
    int64_t n;
    if (!read_whole(r, node, "logprobs", FM_MAX_LOGPROBS, &n)) return false;
    r->request.n_logprobs = n == 0 ? -1 : (int32_t)n;
    return true;
}

static bool read_parts(request_line *r, const json *node) {
    r->wants_parts = json_bool(node, false);
    if (!json_is_bool(node)) return fail(r, "\"parts\" takes true or false");
    return !r->wants_parts || r->request.tokenizer ||
           fail(r, "the model directory has no tokenizer.json: \"parts\" needs text");
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
    FIELD_PARTS,
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
    /* The library refuses what lies between 0, which is off, and 0.01. */
    {"repetition_penalty", FIELD_REAL, PLACE(sampling.repetition_penalty), 0, 100},
    {"frequency_penalty", FIELD_REAL, PLACE(sampling.frequency_penalty), -2, 2},
    {"presence_penalty", FIELD_REAL, PLACE(sampling.presence_penalty), -2, 2},
    {"logit_bias", FIELD_BIAS, 0, 0, 0},
    {"stop", FIELD_STOP, 0, 0, 0},
    {"logprobs", FIELD_LOGPROBS, 0, 0, 0},
    {"parts", FIELD_PARTS, 0, 0, 0},
    {"tenant", FIELD_TENANT, 0, 0, 0},
    {"deadline_s", FIELD_DEADLINE, 0, 0, 1e9},
};

static bool read_count(request_line *r, const json *node, const field *f) {
    int64_t value;
    if (!read_whole(r, node, f->key, (int64_t)f->max, &value)) return false;
    *(int32_t *)((char *)&r->request + f->offset) = (int32_t)value;
    return true;
}

static bool read_real(request_line *r, const json *node, const field *f) {
    double value;
    if (!read_number(r, node, f->key, f->min, f->max, &value)) return false;
    *(float *)((char *)&r->request + f->offset) = (float)value;
    return true;
}

static bool read_field(request_line *r, const json *node, const field *f, tenants *names) {
    switch (f->kind) {
    case FIELD_ID:
        return true;
    case FIELD_PROMPT:
        return json_is_string(node) || fail(r, "\"prompt\" takes a string");
    case FIELD_IDS:
        return read_ids(r, node);
    case FIELD_STOP:
        return read_stop(r, node);
    case FIELD_BIAS:
        return read_bias(r, node);
    case FIELD_TENANT:
        return read_tenant(r, node, names);
    case FIELD_LOGPROBS:
        return read_logprobs(r, node);
    case FIELD_PARTS:
        return read_parts(r, node);
    case FIELD_SEED:
        return read_seed(r, node);
    case FIELD_DEADLINE:
        return read_number(r, node, f->key, f->min, f->max, &r->request.deadline_seconds);
    case FIELD_COUNT:
        return read_count(r, node, f);
    case FIELD_REAL:
        break;
    }
    return read_real(r, node, f);
}

/* Its beginning, in whole characters, is shown as JSON writes it: a fault is one line. */
static bool refuse_key(request_line *r, const char *key) {
    bytes shown = {0};
    size_t length = strnlen(key, MAX_SHOWN);
    while (length > 0 && (key[length] & 0xc0) == 0x80) length--;
    if (json_out_quote(&shown, key, length) && bytes_append(&shown, "", 1))
        fail(r, "the key %s is unknown", shown.data);
    else
        no_memory(r);
    bytes_free(&shown);
    return false;
}

static const field *find_field(const char *key) {
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].key, key) == 0) return &fields[i];
    return NULL;
}

/* ---- The line ------------------------------------------------------------------------------------ */

/* Writes a number in as few digits as give it back; false where its digits are not sure to be those
 * of the line. */
static bool write_number(const json *node, char out[32]) {
    int64_t whole;
    double number = json_number(node, NAN);
    if (json_integer(node, -max_whole, max_whole, &whole))
        return snprintf(out, 32, "%" PRId64, whole) > 0;
    if (!(fabs(number) < (double)max_whole)) return false;
    for (int n_digits = 15; n_digits <= 17; n_digits++) {
        snprintf(out, 32, "%.*g", n_digits, number);
        if (strtod(out, NULL) == number) break;
    }
    return true;
}

static bool read_id(request_line *r) {
    char number[32];
    const json *node = json_find(json_root(r->doc), "id");
    const char *text = json_string(node);
    if (!node) return true;
    if (!text && !write_number(node, number))
        return fail(r, "\"id\" takes a string, or a number between -2^53 and 2^53");
    bool ok = text ? json_out_quote(&r->id, text, strlen(text))
                   : bytes_append(&r->id, number, strlen(number));
    if (!ok || !bytes_append(&r->id, "", 1)) return no_memory(r);
    return r->id.length <= MAX_ID_LENGTH + 1 ||
           fail(r, "\"id\" has more than %d bytes", MAX_ID_LENGTH);
}

/* The id of a line that names none, or none that can be taken. */
static bool set_id(request_line *r) {
    char number[24];
    int length = snprintf(number, sizeof number, "%zu", r->number);
    bytes_free(&r->id);
    return bytes_append(&r->id, number, (size_t)length + 1) || no_memory(r);
}

static bool read_fields(request_line *r, tenants *names) {
    const json *root = json_root(r->doc);
    if (!json_is_object(root)) return fail(r, "an object is needed, in {}");
    json_for_each(node, root) {
        const field *f = find_field(json_key(node));
        if (!f) return refuse_key(r, json_key(node));
        if (!read_field(r, node, f, names)) return false;
    }
    return true;
}

/* The prompt's ids, which come from one of two keys. */
static bool settle_ids(request_line *r) {
    fm_error err;
    const json *root = json_root(r->doc);
    const char *prompt = json_string(json_find(root, "prompt"));
    if (!prompt == !json_find(root, "ids")) return fail(r, "give either \"prompt\" or \"ids\"");
    if (prompt && !r->request.tokenizer)
        return fail(r, "the model directory has no tokenizer.json: give \"ids\", not \"prompt\"");
    if (prompt && fm_tokenizer_encode(r->request.tokenizer, prompt, strlen(prompt),
                                      FM_ENCODE_PROMPT, &r->ids, &err) != FM_OK)
        return fail(r, "%s", err.text);
    r->request.ids = r->ids.ids;
    r->request.n_ids = r->ids.count;
    return true;
}

static bool parse(request_line *r, const char *line, size_t length) {
    const json_limits limits = {
        .max_bytes = LINES_MAX_LENGTH, .max_depth = MAX_DEPTH, .one_line = true};
    char name[32];
    fm_error err;
    snprintf(name, sizeof name, "line %zu", r->number);
    if (json_parse(name, line, length, limits, &r->doc, &err) == FM_OK) return true;
    snprintf(r->fault, sizeof r->fault, "%s", err.text);
    return false;
}

bool request_line_read(request_line *r, const fm_request *defaults, tenants *names,
                       const char *line, size_t length, size_t number) {
    request_line_free(r);
    r->request = *defaults;
    r->number = number;
    bool ok = parse(r, line, length) && read_id(r);
    if (!ok || r->id.length == 0) ok = set_id(r) && ok;
    return ok && read_fields(r, names) && settle_ids(r);
}

void request_line_free(request_line *r) {
    json_free(r->doc);
    bytes_free(&r->id);
    fm_tokens_free(&r->ids);
    free(r->bias);
    *r = (request_line){0};
}
