/* column.c - owns the list of subjects, and bringing a case onto their devices. */
#include "column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Subjects -------------------------------------------------------------------------------- */

/* The reference reads weights and caches as the device has rounded them, so only the arithmetic in
 * float32 is measured, whatever the format. The worst cases are products of few outputs that happen
 * to be small against the terms of their sums. */
static const tolerance cpu_tolerances[FM_DTYPE_COUNT] = {
    [FM_DTYPE_F32] = {.nmse = 1e-11, .max_abs = 4e-6, .cosine_gap = 2e-12},
    [FM_DTYPE_BF16] = {.nmse = 1e-11, .max_abs = 4e-6, .cosine_gap = 2e-12},
    [FM_DTYPE_F16] = {.nmse = 1e-11, .max_abs = 4e-6, .cosine_gap = 2e-12},
};

/* The first is the definition. */
static const subject subjects[] = {
    {"cpu scalar_soft, 1 thread", &fm_backend_cpu, "scalar_soft", 1, true, cpu_tolerances},
    {"cpu scalar, 1 thread", &fm_backend_cpu, "scalar", 1, true, cpu_tolerances},
    {"cpu scalar, 2 threads", &fm_backend_cpu, "scalar", 2, true, cpu_tolerances},
    {"cpu avx2, 1 thread", &fm_backend_cpu, "avx2", 1, true, cpu_tolerances},
    {"cpu avx2, 2 threads", &fm_backend_cpu, "avx2", 2, true, cpu_tolerances},
    {"cpu avx512, 1 thread", &fm_backend_cpu, "avx512", 1, true, cpu_tolerances},
    {"cpu avx512, 2 threads", &fm_backend_cpu, "avx512", 2, true, cpu_tolerances},
    {"cpu best, 3 threads", &fm_backend_cpu, NULL, 3, true, cpu_tolerances},
};

int columns_open(void **state) {
    columns *c = calloc(1, sizeof *c);
    if (!c) return -1;
    *state = c;
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        const subject *s = &subjects[i];
        fm_device_params params = {.max_tokens = 1024,
                                   .max_rows = 4096,
                                   .max_sequences = 8,
                                   .max_context = 2048,
                                   .n_threads = s->n_threads,
                                   .isa = s->isa};
        fm_error err = {0};
        column *col = &c->at[c->n];
        fm_status status = device_open(s->backend, &params, (fm_log){0}, &col->dev, &err);
        if (status == FM_OK) {
            col->subject = s;
            c->n++;
        } else if (status == FM_ERR_UNSUPPORTED && i > 0) {
            printf("skip: %s: %s\n", s->name, err.text);
            c->n_skipped++;
        } else {
            printf("%s: %s\n", s->name, err.text);
            return -1;
        }
    }
    return 0;
}

int columns_close(void **state) {
    columns *c = *state;
    for (int32_t i = 0; i < c->n; i++) device_close(c->at[i].dev);
    free(c);
    return 0;
}

bool column_takes(const column *col, const op_shape *shape) {
    const fm_device_info *info = device_info(col->dev);
    const op_definition *d = op_entries[shape->op].definition;
    return (!d->weight || (info->weight_dtypes >> shape->weight & 1u)) &&
           (!d->cached || (info->cache_dtypes >> shape->cache & 1u));
}

/* ---- Bindings -------------------------------------------------------------------------------- */

static void demand(const binding *b, fm_status status, const char *text) {
    char shape[160];
    if (status == FM_OK) return;
    shape_print(&b->host->shape, shape, sizeof shape);
    fail_msg("%s: %s: %s; %s", shape, text, fm_status_text(status), device_fault(b->dev));
}

int32_t case_slab_index(const op_case *c, const fm_tensor *t) {
    for (int32_t i = 0; i < c->n_slabs; i++)
        if (t->buf == &c->slabs[i].buf) return i;
    fail_msg("a tensor views no slab of its case");
    return -1;
}

static fm_tensor whole_slab(const binding *b, int32_t i) {
    const slab *s = &b->host->slabs[i];
    return tensor_1d(b->bufs[i], s->dtype, (int64_t)(s->buf.size / fm_dtype_size(s->dtype)));
}

void binding_reset(binding *b) {
    for (int32_t i = 0; i < b->host->n_slabs; i++)
        demand(b, device_write(b->dev, whole_slab(b, i), b->host->slabs[i].bytes), "write");
}

/* Points the tensors and the weight of the arguments to the device's. */
static void bind_args(binding *b) {
    const op_definition *d = op_entries[b->host->shape.op].definition;
    uint8_t *args = (uint8_t *)&b->args;
    for (int32_t i = 0; i < d->n_operands; i++) {
        fm_tensor *t = (fm_tensor *)(void *)(args + d->operands[i].offset);
        if (t->buf) t->buf = b->bufs[case_slab_index(b->host, t)];
    }
    const fm_weight *weight = b->weight;
    if (d->weight) memcpy(args + d->weight, &weight, sizeof weight);
}

void binding_open(binding *b, const column *col, const op_case *host) {
    *b = (binding){.host = host, .dev = col->dev, .args = host->args};
    fm_error err = {0};
    for (int32_t i = 0; i < host->n_slabs; i++)
        demand(b, buf_new(b->dev, host->slabs[i].buf.size, &b->bufs[i], &err), err.text);
    if (op_entries[host->shape.op].definition->weight)
        demand(b, weight_load(b->dev, &host->weight.source, host->shape.weight, &b->weight, &err),
               err.text);
    binding_reset(b);
    bind_args(b);
}

void binding_close(binding *b) {
    for (int32_t i = 0; i < b->host->n_slabs; i++) buf_free(b->dev, b->bufs[i]);
    weight_free(b->dev, b->weight);
}

void binding_run(binding *b, op_kind op, const op_args *args) {
    uint64_t ticket = 0;
    demand(b, op_entries[op].run(b->dev, args), op_entries[op].name);
    demand(b, device_submit(b->dev, &ticket), "submit");
    demand(b, device_wait(b->dev, ticket), "wait");
}

uint8_t *binding_read(binding *b, int32_t slab_index) {
    uint8_t *bytes = malloc(b->host->slabs[slab_index].buf.size);
    if (!bytes) fail_msg("out of memory");
    demand(b, device_read(b->dev, whole_slab(b, slab_index), bytes), "read");
    return bytes;
}
