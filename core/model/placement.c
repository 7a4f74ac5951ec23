/* placement.c - reads where layers are to be, and opens the devices. */
#include "placement.h"

#include <stdio.h>
#include <string.h>

/* ---- Reading ----------------------------------------------------------------------------------- */

static fm_status refuse(fm_error *err, const char *text, const char *why) {
    return error_set(err, FM_ERR_ARG,
                     "device \"%s\": %s; it is auto, or one or several of cpu and vulkan:N with a "
                     "number of layers, as vulkan:0*20+cpu",
                     text, why);
}

/** The digits at *at as a number; false when there are none or it is above INT32_MAX. */
static bool read_number(const char **at, int32_t *out) {
    int64_t value = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        value = value * 10 + (**at - '0');
        if (value > INT32_MAX) return false;
    }
    *out = (int32_t)value;
    return *at > start;
}

/** Copies n bytes and ends them; false when they do not fit. */
static bool copy(char *to, size_t size, const char *from, size_t n) {
    if (n >= size) return false;
    memcpy(to, from, n);
    to[n] = '\0';
    return true;
}

/** NAME[:INDEX][,OPTION…][*LAYERS] at *at, up to a '+' or the end. n_layers is 0 where none is
 * said. Returns what is wrong, or NULL. */
static const char *read_part(const char **at, placement_part *out) {
    size_t n = strspn(*at, "abcdefghijklmnopqrstuvwxyz");
    *out = (placement_part){0};
    if (n == 0 || !copy(out->backend, sizeof out->backend, *at, n)) return "no name of a device";
    *at += n;
    if (**at == ':') {
        ++*at;
        if (!read_number(at, &out->index)) return "no number behind \":\"";
    }
    if (**at == ',') {
        n = strcspn(++*at, "*+");
        if (!copy(out->options, sizeof out->options, *at, n)) return "options that are too long";
        *at += n;
    }
    if (**at == '*') {
        ++*at;
        if (!read_number(at, &out->n_layers) || out->n_layers < 1)
            return "no number of layers behind \"*\"";
    }
    return **at == '\0' || **at == '+' ? NULL : "something behind a device that is no part of it";
}

/** All parts, their numbers of layers as they are written. */
static const char *read_parts(const char *text, placement_request *out) {
    const char *wrong = NULL;
    for (*out = (placement_request){0}; !wrong; text++) {
        if (out->n == MODEL_MAX_DEVICES) return "too many devices";
        wrong = read_part(&text, &out->parts[out->n++]);
        if (*text == '\0') break;
        if (!wrong && out->parts[out->n - 1].n_layers == 0)
            return "no number of layers for a device that is not the last";
    }
    return wrong;
}

fm_status placement_parse(const char *text, int32_t n_layers, placement_request *out,
                          fm_error *err) {
    const char *wrong = read_parts(text, out);
    if (wrong) return refuse(err, text, wrong);
    placement_part *last = &out->parts[out->n - 1];
    int64_t left = n_layers;
    for (int32_t i = 0; i < out->n; i++) left -= out->parts[i].n_layers;
    if (last->n_layers == 0) {
        last->n_layers = left > 0 ? (int32_t)left : 0;
        left = left > 0 ? 0 : left - 1; /* it needs one at least */
    }
    if (left == 0) return FM_OK;
    return error_set(err, FM_ERR_ARG, "device \"%s\" places %s layers than the model's %d", text,
                     left > 0 ? "fewer" : "more", (int)n_layers);
}

/* ---- Opening and closing ----------------------------------------------------------------------- */

static fm_status open_run(const placement_part *part, const fm_device_params *params,
                          placement_find_fn find, fm_log log, placement_run *out, fm_error *err) {
    fm_device_params own = *params;
    own.index = out->index = part->index;
    own.options = part->options;
    out->n_layers = part->n_layers;
    FM_TRY(find(part->backend, &out->backend, err));
    return device_open(out->backend, &own, log, &out->dev, err);
}

fm_status placement_open(const placement_request *request, const fm_device_params *params,
                         placement_find_fn find, fm_log log, placement *out, fm_error *err) {
    *out = (placement){0};
    int32_t first_layer = 0;
    for (int32_t i = 0; i < request->n; i++) {
        placement_run *run = &out->runs[out->n];
        run->first_layer = first_layer;
        fm_status status = open_run(&request->parts[i], params, find, log, run, err);
        if (status != FM_OK) {
            placement_close(out);
            return status;
        }
        first_layer += run->n_layers;
        out->n++;
    }
    return FM_OK;
}

void placement_close(placement *p) {
    for (int32_t i = 0; i < p->n; i++) device_close(p->runs[i].dev);
    *p = (placement){0};
}

placement placement_on(fm_device *dev, int32_t n_layers) {
    return (placement){.n = 1, .runs = {{.dev = dev, .n_layers = n_layers}}};
}

/* ---- Asking ------------------------------------------------------------------------------------ */

int32_t placement_find(const placement *p, int32_t layer) {
    int32_t i = 0;
    while (i + 1 < p->n && layer >= p->runs[i + 1].first_layer) i++;
    return i;
}

fm_device *placement_last(const placement *p) {
    return p->runs[p->n - 1].dev;
}

static bool is_same_device(const placement_run *a, const placement_run *b) {
    return a->backend == b->backend && a->index == b->index;
}

static bool is_unified(const placement_run *run) {
    return device_info(run->dev)->unified;
}

int32_t placement_memory(const placement *p, int32_t i) {
    const placement_run *run = &p->runs[i];
    int32_t first = 0;
    while (first < i && !is_same_device(&p->runs[first], run) &&
           !(is_unified(&p->runs[first]) && is_unified(run)))
        first++;
    return first;
}

/** All runs that are on the device of run i. */
static placement_limit device_limit(const placement *p, int32_t i) {
    placement_limit limit = {.first = i, .room = device_memory_free(p->runs[i].dev)};
    for (int32_t k = p->n - 1; k >= 0; k--)
        if (is_same_device(&p->runs[k], &p->runs[i])) {
            limit.runs |= 1u << k;
            limit.first = k;
        }
    return limit;
}

int32_t placement_limits(const placement *p, placement_limit out[PLACEMENT_MAX_LIMITS]) {
    placement_limit host = {.first = -1};
    int32_t n = 0, n_unified = 0;
    for (int32_t i = 0; i < p->n; i++) {
        const placement_limit limit = device_limit(p, i);
        if (limit.first != i) continue; /* it is there already */
        out[n++] = limit;
        if (!is_unified(&p->runs[i])) continue;
        if (n_unified++ == 0) host.first = i;
        host.runs |= limit.runs;
        if (limit.room > host.room) host.room = limit.room;
    }
    if (n_unified > 1) out[n++] = host;
    return n;
}

uint64_t placement_sum(const placement_limit *limit, const uint64_t *bytes) {
    uint64_t sum = 0;
    for (int32_t i = 0; i < MODEL_MAX_DEVICES; i++) {
        if (!(limit->runs >> i & 1u)) continue;
        sum = bytes[i] > UINT64_MAX - sum ? UINT64_MAX : sum + bytes[i];
    }
    return sum;
}

fm_status placement_settle(const placement *p) {
    uint64_t ticket;
    for (int32_t i = 0; i < p->n; i++) {
        FM_TRY(device_submit(p->runs[i].dev, &ticket));
        FM_TRY(device_wait(p->runs[i].dev, ticket));
    }
    return FM_OK;
}

void placement_abandon(const placement *p) {
    for (int32_t i = 0; i < p->n; i++) device_abandon(p->runs[i].dev);
}

const char *placement_fault(const placement *p) {
    const char *fault = "";
    for (int32_t i = 0; i < p->n && !*fault; i++) fault = device_fault(p->runs[i].dev);
    return fault;
}
