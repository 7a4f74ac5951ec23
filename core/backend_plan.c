/*
 * backend_plan.c - the table of a device that only plans. It stands in for a backend's table, so
 * that the front treats both alike: formats and sizes of weights are the backend's, buffers and
 * weights are their descriptions without memory, and what would compute or move bytes does nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "backend_front.h"

struct fm_device_state {
    const fm_backend *of;
    fm_device_state *state; /* of that backend */
    fm_backend table;       /* plan_table, without what that backend lacks */
};

static void plan_close(fm_device_state *s) {
    s->of->close(s->state);
    free(s);
}

static void plan_info(const fm_device_state *s, fm_device_info *out) {
    s->of->info(s->state, out);
}

/* ---- Buffers and weights --------------------------------------------------------------------- */

static fm_status plan_buf_new(fm_device_state *s, size_t size, fm_buf **out, fm_error *err) {
    (void)s;
    fm_buf *buf = calloc(1, sizeof *buf);
    if (!buf) return error_set(err, FM_ERR_MEMORY, "out of memory while planning a buffer");
    buf->size = size;
    *out = buf;
    return FM_OK;
}

static void plan_buf_free(fm_device_state *s, fm_buf *buf) {
    (void)s;
    free(buf);
}

static uint64_t plan_weight_size(const fm_device_state *s, const fm_weight_source *source,
                                 fm_dtype dtype) {
    return s->of->weight_size(s->state, source, dtype);
}

static fm_status plan_weight_load(fm_device_state *s, const fm_weight_source *source,
                                  fm_dtype dtype, fm_weight **out, fm_error *err) {
    (void)s;
    fm_weight *w = calloc(1, sizeof *w);
    if (!w) return error_set(err, FM_ERR_MEMORY, "out of memory while planning a weight");
    *w = (fm_weight){.n_matrices = source->n_matrices, .cols = source->cols, .dtype = dtype};
    for (int32_t p = 0; p < source->n_parts; p++) w->rows += source->parts[p].rows;
    *out = w;
    return FM_OK;
}

static void plan_weight_free(fm_device_state *s, fm_weight *w) {
    (void)s;
    free(w);
}

/* ---- What does nothing ----------------------------------------------------------------------- */

static fm_status plan_write(fm_device_state *s, fm_buf *dst, size_t offset, const void *src,
                            size_t size) {
    (void)s, (void)dst, (void)offset, (void)src, (void)size;
    return FM_OK;
}

/* Zeros, not an error: whoever steers by what it reads back (the router) goes on. */
static fm_status plan_read(fm_device_state *s, const fm_buf *src, size_t offset, void *dst,
                           size_t size) {
    (void)s, (void)src, (void)offset;
    memset(dst, 0, size);
    return FM_OK;
}

static fm_status plan_copy(fm_device_state *s, fm_buf *dst, size_t dst_offset, const fm_buf *src,
                           size_t src_offset, size_t size) {
    (void)s, (void)dst, (void)dst_offset, (void)src, (void)src_offset, (void)size;
    return FM_OK;
}

static fm_status plan_ticket(fm_device_state *s, uint64_t ticket) {
    (void)s, (void)ticket;
    return FM_OK;
}

#define PLAN_OP(name)                                                                              \
    static fm_status plan_##name(fm_device_state *s, const fm_##name *args) {                      \
        (void)s, (void)args;                                                                       \
        return FM_OK;                                                                              \
    }
FM_OP_ALL_LIST(PLAN_OP)

/* `open` has no place for the backend that is planned for: plan_open is called in its stead. */
static const fm_backend plan_table = {.version = FM_BACKEND_VERSION,
                                      .name = "plan",
                                      .close = plan_close,
                                      .info = plan_info,
                                      .buf_new = plan_buf_new,
                                      .buf_free = plan_buf_free,
                                      .write = plan_write,
                                      .read = plan_read,
                                      .copy = plan_copy,
                                      .submit = plan_ticket,
                                      .wait = plan_ticket,
                                      .weight_size = plan_weight_size,
                                      .weight_load = plan_weight_load,
                                      .weight_free = plan_weight_free,
#define PLAN_OP_ENTRY(name) .name = plan_##name,
                                      FM_OP_ALL_LIST(PLAN_OP_ENTRY)
#undef PLAN_OP_ENTRY
};

fm_status plan_open(const fm_backend *of, const fm_device_params *params, fm_log log,
                    const fm_backend **table, fm_device_state **out, fm_error *err) {
    fm_device_state *s = calloc(1, sizeof *s);
    if (!s) return error_set(err, FM_ERR_MEMORY, "out of memory while opening a planning device");
    s->of = of;
    s->table = plan_table;
#define PLAN_OFFER(name)                                                                           \
    if (!of->name) s->table.name = NULL;
    FM_OP_OPTIONAL_LIST(PLAN_OFFER)
#undef PLAN_OFFER
    fm_status status = of->open(params, log, &s->state, err);
    if (status != FM_OK) {
        free(s);
        return status;
    }
    *table = &s->table;
    *out = s;
    return FM_OK;
}
