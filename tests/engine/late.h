/*
 * late.h - a device that computes late: a model's CPU device, whose calls are written down and run
 * when their work is waited for. Whoever looks at results before that sees old ones. Its info says
 * that it is asynchronous, or not, as a test wants; what is submitted, waited for and told goes to
 * a log. One device of a process at a time.
 */
#ifndef TESTS_ENGINE_LATE_H
#define TESTS_ENGINE_LATE_H

#include "asked.h"
#include "backend_front.h"
#include "model/model.h"

enum { LATE_LOG_SIZE = 256 };

typedef enum late_kind {
#define LATE_KIND(name) LATE_##name,
    FM_OP_LIST(LATE_KIND)
#undef LATE_KIND
        LATE_write,
    LATE_copy,
} late_kind;

typedef struct late_call {
    late_kind kind;
    uint64_t ticket; /* 0: not submitted */
    union {
#define LATE_ARGS(name) fm_##name name;
        FM_OP_LIST(LATE_ARGS)
#undef LATE_ARGS
    } args;
    /* of write and copy */
    fm_buf *dst;
    const fm_buf *src;
    size_t dst_offset, src_offset, size;
    uint8_t *bytes; /* [size] of a write */
} late_call;

typedef struct late_device {
    fm_device *dev; /* NULL: none is late */
    const fm_backend *of;
    fm_backend table;
    late_call *calls; /* [n], not run */
    size_t n, room;
    bool computes; /* something is submitted and not waited for */
    char log[LATE_LOG_SIZE];
} late_device;

static late_device late_one;

/** Adds to the log what fits. */
static inline void late_note(const char *what) {
    size_t n = strlen(late_one.log);
    if (n + strlen(what) < LATE_LOG_SIZE) strcpy(late_one.log + n, what);
}

/* ---- Encoding ---------------------------------------------------------------------------------- */

static inline late_call *late_add(late_kind kind) {
    if (late_one.n == late_one.room) {
        late_one.room = late_one.room * 2 + 256;
        late_one.calls = realloc(late_one.calls, late_one.room * sizeof *late_one.calls);
        if (!late_one.calls) abort();
    }
    late_call *call = &late_one.calls[late_one.n++];
    memset(call, 0, sizeof *call);
    call->kind = kind;
    return call;
}

#define LATE_OP(name)                                                                              \
    static inline fm_status late_##name(fm_device_state *s, const fm_##name *args) {               \
        (void)s;                                                                                   \
        late_add(LATE_##name)->args.name = *args;                                                  \
        return FM_OK;                                                                              \
    }
FM_OP_LIST(LATE_OP)
#undef LATE_OP

static inline fm_status late_write(fm_device_state *s, fm_buf *dst, size_t offset, const void *src,
                                   size_t size) {
    (void)s;
    late_call *call = late_add(LATE_write);
    call->dst = dst;
    call->dst_offset = offset;
    call->size = size;
    call->bytes = malloc(size);
    if (!call->bytes) abort();
    memcpy(call->bytes, src, size);
    return FM_OK;
}

static inline fm_status late_copy(fm_device_state *s, fm_buf *dst, size_t dst_offset,
                                  const fm_buf *src, size_t src_offset, size_t size) {
    (void)s;
    late_call *call = late_add(LATE_copy);
    call->dst = dst;
    call->dst_offset = dst_offset;
    call->src = src;
    call->src_offset = src_offset;
    call->size = size;
    return FM_OK;
}

static inline fm_status late_submit(fm_device_state *s, uint64_t ticket) {
    (void)s;
    for (size_t i = 0; i < late_one.n; i++)
        if (late_one.calls[i].ticket == 0) late_one.calls[i].ticket = ticket;
    late_one.computes = true;
    late_note("s");
    return FM_OK;
}

/* ---- Computing --------------------------------------------------------------------------------- */

static inline fm_status late_run(fm_device_state *s, const late_call *call) {
    switch (call->kind) {
#define LATE_CASE(name)                                                                            \
    case LATE_##name:                                                                              \
        return late_one.of->name(s, &call->args.name);
        FM_OP_LIST(LATE_CASE)
#undef LATE_CASE
    case LATE_write:
        return late_one.of->write(s, call->dst, call->dst_offset, call->bytes, call->size);
    case LATE_copy:
        return late_one.of->copy(s, call->dst, call->dst_offset, call->src, call->src_offset,
                                 call->size);
    }
    return FM_ERR_STATE;
}

static inline fm_status late_wait(fm_device_state *s, uint64_t ticket) {
    fm_status status = FM_OK;
    size_t n = 0;
    late_note("w");
    for (; n < late_one.n && late_one.calls[n].ticket > 0 && late_one.calls[n].ticket <= ticket;
         n++) {
        if (status == FM_OK) status = late_run(s, &late_one.calls[n]);
        free(late_one.calls[n].bytes);
    }
    late_one.n -= n;
    if (late_one.n > 0)
        memmove(late_one.calls, late_one.calls + n, late_one.n * sizeof *late_one.calls);
    late_one.computes = false;
    return status;
}

/* ---- Making a device late ------------------------------------------------------------------------ */

/** The device is its old self. What was never waited for is dropped: only a lost device has that.
 */
static inline void late_leave(void) {
    if (!late_one.dev) return;
    if (late_one.n > 0) assert_int_equal(device_status(late_one.dev), FM_ERR_DEVICE);
    for (size_t i = 0; i < late_one.n; i++) free(late_one.calls[i].bytes);
    free(late_one.calls);
    late_one.dev->backend = late_one.of;
    late_one.dev->info.async = false;
    late_one = (late_device){0};
}

/** From here on `dev` is late, until late_leave or its end. Engines read `async` when they are
 * made. */
static inline void late_enter(fm_device *dev, bool async);

static inline void late_close(fm_device_state *s) {
    const fm_backend *of = late_one.of;
    late_leave();
    of->close(s);
}

static inline void late_enter(fm_device *dev, bool async) {
    assert_null(late_one.dev);
    late_one.dev = dev;
    late_one.of = dev->backend;
    late_one.table = *dev->backend;
    late_one.table.close = late_close;
    late_one.table.write = late_write;
    late_one.table.copy = late_copy;
    late_one.table.submit = late_submit;
    late_one.table.wait = late_wait;
#define LATE_ENTRY(name) late_one.table.name = late_##name;
    FM_OP_LIST(LATE_ENTRY)
#undef LATE_ENTRY
    dev->backend = &late_one.table;
    dev->info.async = async;
}

#endif
