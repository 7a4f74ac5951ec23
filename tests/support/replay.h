/*
 * replay.h - a CPU device with what a CPU lacks: it chooses experts, and keeps stretches of calls,
 * which it makes again from their written-down arguments. `check` says how: a stretch that is kept
 * is not made again but compared, call by call, with the same stretch encoded anew, which shows a
 * key that leaves out a size on which the calls depend.
 *
 * The table is opened as the backend "replay", or "replayhost" without the choosing of experts; the
 * option "check" is the mode. replay_of finds the state of an opened device.
 */
#ifndef TESTS_SUPPORT_REPLAY_H
#define TESTS_SUPPORT_REPLAY_H

#include <stdlib.h>
#include <string.h>

#include "backend_front.h"
#include "model/router.h"

enum { REPLAY_MAX_STRETCHES = 512 };

typedef enum replay_kind {
#define REPLAY_KIND(name) REPLAY_##name,
    FM_OP_ALL_LIST(REPLAY_KIND)
#undef REPLAY_KIND
        REPLAY_copy,
} replay_kind;

/** The arguments of a copy, as the table takes them. */
typedef struct replay_bytes {
    fm_buf *dst;
    const fm_buf *src;
    size_t dst_offset, src_offset, size;
} replay_bytes;

/** A call. What its members do not fill is zero, so that two may be compared as memory. */
typedef struct replay_call {
    replay_kind kind;
    union {
#define REPLAY_ARGS(name) fm_##name name;
        FM_OP_ALL_LIST(REPLAY_ARGS)
#undef REPLAY_ARGS
        replay_bytes copy;
    } args;
} replay_call;

typedef struct replay_stretch {
    fm_record_key key;
    replay_call *calls; /* [n] */
    int32_t n, room;
} replay_stretch;

typedef struct fm_device_state {
    fm_device_state *cpu;
    bool check;
    replay_stretch kept[REPLAY_MAX_STRETCHES];
    int32_t n_kept;
    replay_stretch now; /* between record and record_end */
    bool is_recording;
    const replay_stretch *same; /* that `now` is compared with; NULL: it is new */
    int32_t n_recorded, n_replayed, n_checked, n_forgotten, n_dropped;
    int32_t n_wrong; /* stretches that were not those of their key */
    int32_t n_reads; /* by the host */
} replay_device;

static inline replay_device *replay_of(const fm_device *dev) {
    return (replay_device *)dev->state;
}

/* ---- Writing down ------------------------------------------------------------------------------ */

/* Padding between members is not the caller's to set: members are copied one by one. */
#define REPLAY_SET(field) to->field = a->field
static inline void replay_set_norm(fm_norm *to, const fm_norm *a) {
    REPLAY_SET(x), REPLAY_SET(weight), REPLAY_SET(eps), REPLAY_SET(y);
}
static inline void replay_set_matmul(fm_matmul *to, const fm_matmul *a) {
    REPLAY_SET(x), REPLAY_SET(w), REPLAY_SET(bias), REPLAY_SET(y), REPLAY_SET(accumulate);
}
static inline void replay_set_rope(fm_rope *to, const fm_rope *a) {
    REPLAY_SET(x), REPLAY_SET(positions), REPLAY_SET(table), REPLAY_SET(pairing), REPLAY_SET(y);
}
static inline void replay_set_gather_rows(fm_gather_rows *to, const fm_gather_rows *a) {
    REPLAY_SET(x), REPLAY_SET(rows), REPLAY_SET(weights), REPLAY_SET(y), REPLAY_SET(accumulate);
}
static inline void replay_set_route(fm_route *to, const fm_route *a) {
    REPLAY_SET(logits), REPLAY_SET(bias), REPLAY_SET(n_groups), REPLAY_SET(top_groups);
    REPLAY_SET(normalize), REPLAY_SET(scale), REPLAY_SET(experts), REPLAY_SET(weights);
    REPLAY_SET(offsets), REPLAY_SET(row_token), REPLAY_SET(slot_row);
}
#undef REPLAY_SET

/* The others have none. */
#define REPLAY_SET_WHOLE(name)                                                                     \
    static inline void replay_set_##name(fm_##name *to, const fm_##name *a) {                      \
        *to = *a;                                                                                  \
    }
REPLAY_SET_WHOLE(embed)
REPLAY_SET_WHOLE(matmul_heads)
REPLAY_SET_WHOLE(cache_write)
REPLAY_SET_WHOLE(attend)
REPLAY_SET_WHOLE(matmul_experts)
REPLAY_SET_WHOLE(gate_mul)
REPLAY_SET_WHOLE(head_topk)
#undef REPLAY_SET_WHOLE

/** Room for one call more, zeroed. */
static inline replay_call *replay_add(replay_device *d, replay_kind kind) {
    replay_stretch *now = &d->now;
    if (now->n == now->room) {
        now->room = now->room * 2 + 64;
        now->calls = realloc(now->calls, (size_t)now->room * sizeof *now->calls);
        if (!now->calls) abort();
    }
    replay_call *call = &now->calls[now->n++];
    memset(call, 0, sizeof *call);
    call->kind = kind;
    return call;
}

#define REPLAY_OP(name)                                                                            \
    static inline fm_status replay_##name(fm_device_state *d, const fm_##name *args) {             \
        if (d->is_recording) replay_set_##name(&replay_add(d, REPLAY_##name)->args.name, args);    \
        return fm_backend_cpu.name(d->cpu, args);                                                  \
    }
FM_OP_LIST(REPLAY_OP)
#undef REPLAY_OP

static inline fm_status replay_copy(fm_device_state *d, fm_buf *dst, size_t dst_offset,
                                    const fm_buf *src, size_t src_offset, size_t size) {
    if (d->is_recording)
        replay_add(d, REPLAY_copy)->args.copy =
            (replay_bytes){dst, src, dst_offset, src_offset, size};
    return fm_backend_cpu.copy(d->cpu, dst, dst_offset, src, src_offset, size);
}

/* ---- Choosing experts ---------------------------------------------------------------------------- */

/** A contiguous tensor to or from host memory. */
static inline void replay_move(replay_device *d, const fm_tensor *t, void *host, bool to_device) {
    size_t offset = (size_t)t->offset * 4, size = (size_t)tensor_count(t) * 4;
    if (to_device)
        fm_backend_cpu.write(d->cpu, t->buf, offset, host, size);
    else
        fm_backend_cpu.read(d->cpu, t->buf, offset, host, size);
}

static inline fm_status replay_choose(replay_device *d, const fm_route *a) {
    int32_t n_tokens = (int32_t)a->logits.size[0], n_experts = (int32_t)a->logits.size[1];
    float *logits = malloc((size_t)(n_tokens * n_experts) * sizeof *logits);
    float *bias = malloc((size_t)n_experts * sizeof *bias);
    router_params params = {.n_experts = n_experts,
                            .top_k = (int32_t)a->experts.size[1],
                            .n_groups = a->n_groups,
                            .top_groups = a->top_groups,
                            .normalize = a->normalize,
                            .scale = a->scale,
                            .bias = a->bias.buf ? bias : NULL};
    router_plan plan;
    if (!logits || !bias || router_plan_new(&params, n_tokens, &plan, NULL) != FM_OK) abort();
    replay_move(d, &a->logits, logits, false);
    if (a->bias.buf) replay_move(d, &a->bias, bias, false);
    router_route(&params, logits, n_tokens, &plan);
    replay_move(d, &a->experts, plan.experts, true);
    replay_move(d, &a->weights, plan.weights, true);
    replay_move(d, &a->offsets, plan.offsets, true);
    replay_move(d, &a->row_token, plan.row_token, true);
    replay_move(d, &a->slot_row, plan.slot_row, true);
    router_plan_free(&plan);
    free(bias);
    free(logits);
    return FM_OK;
}

static inline fm_status replay_route(fm_device_state *d, const fm_route *args) {
    if (d->is_recording) replay_set_route(&replay_add(d, REPLAY_route)->args.route, args);
    return replay_choose(d, args);
}

/* ---- Keeping ------------------------------------------------------------------------------------- */

static inline fm_status replay_run(replay_device *d, const replay_call *call) {
    const replay_bytes *c = &call->args.copy;
    switch (call->kind) {
#define REPLAY_CASE(name)                                                                          \
    case REPLAY_##name:                                                                            \
        return fm_backend_cpu.name(d->cpu, &call->args.name);
        FM_OP_LIST(REPLAY_CASE)
#undef REPLAY_CASE
    case REPLAY_route:
        return replay_choose(d, &call->args.route);
    case REPLAY_copy:
        return fm_backend_cpu.copy(d->cpu, c->dst, c->dst_offset, c->src, c->src_offset, c->size);
    }
    return FM_ERR_STATE;
}

static inline const replay_stretch *replay_find(const replay_device *d, const fm_record_key *key) {
    for (int32_t i = 0; i < d->n_kept; i++)
        if (memcmp(&d->kept[i].key, key, sizeof *key) == 0) return &d->kept[i];
    return NULL;
}

static inline fm_status replay_record(fm_device_state *d, const fm_record_key *key, bool *kept) {
    const replay_stretch *same = replay_find(d, key);
    *kept = same && !d->check;
    d->is_recording = !*kept;
    d->same = same;
    d->now = (replay_stretch){.key = *key};
    if (!*kept) return FM_OK;
    d->n_replayed++;
    for (int32_t i = 0; i < same->n; i++) FM_TRY(replay_run(d, &same->calls[i]));
    return FM_OK;
}

static inline bool replay_same(const replay_stretch *a, const replay_stretch *b) {
    return a->n == b->n && memcmp(a->calls, b->calls, (size_t)a->n * sizeof *a->calls) == 0;
}

static inline fm_status replay_record_end(fm_device_state *d, bool keep) {
    d->is_recording = false;
    if (keep && !d->same && d->n_kept < REPLAY_MAX_STRETCHES) {
        d->kept[d->n_kept++] = d->now;
        d->n_recorded++;
        return FM_OK;
    }
    d->n_dropped += !keep;
    if (keep && d->same) {
        d->n_checked++;
        d->n_wrong += !replay_same(d->same, &d->now);
    }
    free(d->now.calls);
    return FM_OK;
}

static inline void replay_forget(replay_device *d) {
    for (int32_t i = 0; i < d->n_kept; i++) free(d->kept[i].calls);
    d->n_forgotten += d->n_kept;
    d->n_kept = 0;
}

/* ---- The device ---------------------------------------------------------------------------------- */

static inline fm_status replay_open(const fm_device_params *params, fm_log log,
                                    fm_device_state **out, fm_error *err) {
    fm_device_params cpu = *params;
    replay_device *d = calloc(1, sizeof *d);
    if (!d) return error_set(err, FM_ERR_MEMORY, "out of memory for a device that replays");
    d->check = params->options && strcmp(params->options, "check") == 0;
    cpu.options = NULL;
    cpu.index = 0;
    fm_status status = fm_backend_cpu.open(&cpu, log, &d->cpu, err);
    if (status == FM_OK)
        *out = d;
    else
        free(d);
    return status;
}

static inline void replay_close(fm_device_state *d) {
    replay_forget(d);
    fm_backend_cpu.close(d->cpu);
    free(d);
}

static inline fm_status replay_list(const char *options, fm_device_info *out, int32_t max,
                                    int32_t *n, fm_error *err) {
    (void)options;
    return fm_backend_cpu.list(NULL, out, max, n, err);
}

static inline void replay_info(const fm_device_state *d, fm_device_info *out) {
    fm_backend_cpu.info(d->cpu, out);
}

static inline fm_status replay_buf_new(fm_device_state *d, size_t size, fm_buf **out,
                                       fm_error *err) {
    return fm_backend_cpu.buf_new(d->cpu, size, out, err);
}

static inline void replay_buf_free(fm_device_state *d, fm_buf *buf) {
    replay_forget(d);
    fm_backend_cpu.buf_free(d->cpu, buf);
}

static inline fm_status replay_write(fm_device_state *d, fm_buf *dst, size_t offset,
                                     const void *src, size_t size) {
    return fm_backend_cpu.write(d->cpu, dst, offset, src, size);
}

static inline fm_status replay_read(fm_device_state *d, const fm_buf *src, size_t offset, void *dst,
                                    size_t size) {
    d->n_reads++;
    return fm_backend_cpu.read(d->cpu, src, offset, dst, size);
}

static inline fm_status replay_ticket(fm_device_state *d, uint64_t ticket) {
    (void)d, (void)ticket;
    return FM_OK;
}

static inline uint64_t replay_weight_size(const fm_device_state *d, const fm_weight_source *source,
                                          fm_dtype dtype) {
    return fm_backend_cpu.weight_size(d->cpu, source, dtype);
}

static inline fm_status replay_weight_load(fm_device_state *d, const fm_weight_source *source,
                                           fm_dtype dtype, fm_weight **out, fm_error *err) {
    return fm_backend_cpu.weight_load(d->cpu, source, dtype, out, err);
}

static inline void replay_weight_free(fm_device_state *d, fm_weight *w) {
    replay_forget(d);
    fm_backend_cpu.weight_free(d->cpu, w);
}

#define REPLAY_ENTRY(op) .op = replay_##op,
#define REPLAY_TABLE(own_name, op_list)                                                            \
    {                                                                                              \
        .version = FM_BACKEND_VERSION, .name = own_name, .open = replay_open, .list = replay_list, \
        .close = replay_close, .info = replay_info, .buf_new = replay_buf_new,                     \
        .buf_free = replay_buf_free, .write = replay_write, .read = replay_read,                   \
        .copy = replay_copy, .submit = replay_ticket, .wait = replay_ticket,                       \
        .weight_size = replay_weight_size, .weight_load = replay_weight_load,                      \
        .weight_free = replay_weight_free, .record = replay_record,                                \
        .record_end = replay_record_end, op_list(REPLAY_ENTRY)                                     \
    }

static const fm_backend replay_backend = REPLAY_TABLE("replay", FM_OP_ALL_LIST);
static const fm_backend replay_host_backend = REPLAY_TABLE("replayhost", FM_OP_LIST);

/** Stands in for backend_find where a model is opened. */
static inline fm_status replay_find_backend(const char *name, const fm_backend **out,
                                            fm_error *err) {
    if (strcmp(name, "replay") == 0)
        *out = &replay_backend;
    else if (strcmp(name, "replayhost") == 0)
        *out = &replay_host_backend;
    else
        return backend_find(name, out, err);
    return FM_OK;
}

#endif
