/*
 * cpu_device.c - the CPU as a device: opening and closing, buffers in host memory, transfers as
 * copies. Operations run when they are called, so there is nothing to wait for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/base/checked.h"
#include "../../core/base/os.h"
#include "cpu.h"

static void cpu_close(fm_device_state *s) {
    if (!s) return;
    pool_free(s->threads);
    free(s);
}

/** It has none. */
static fm_status cpu_check_options(const char *options, fm_error *err) {
    if (!options || !*options) return FM_OK;
    return error_set(err, FM_ERR_ARG, "the CPU has no option \"%s\"", options);
}

static fm_status cpu_open(const fm_device_params *params, fm_log log, fm_device_state **out,
                          fm_error *err) {
    const cpu_kernels *kernels = cpu_kernels_find(params->isa);
    FM_TRY(cpu_check_options(params->options, err));
    if (params->index != 0)
        return error_set(err, FM_ERR_ARG, "there is no CPU device %d: all cores are one device",
                         (int)params->index);
    if (!kernels)
        return error_set(
            err, FM_ERR_UNSUPPORTED,
            "this machine has no instruction set \"%s\": use scalar_soft, scalar, avx2 or "
            "avx512",
            params->isa);
    fm_device_state *s = calloc(1, sizeof *s);
    if (!s) return error_set(err, FM_ERR_MEMORY, "out of memory while opening the CPU");
    s->kernels = kernels;
    fm_status status = params->plan_only ? FM_OK : pool_new(params->n_threads, &s->threads, err);
    if (status != FM_OK) {
        free(s);
        return status;
    }
    if (params->plan_only)
        snprintf(s->name, sizeof s->name, "CPU, %s, planned", kernels->isa);
    else
        snprintf(s->name, sizeof s->name, "CPU, %s, %d thread%s", kernels->isa,
                 (int)params->n_threads, params->n_threads == 1 ? "" : "s");
    log_line(&log, FM_LOG_DEBUG, "opened %s", s->name);
    *out = s;
    return FM_OK;
}

static fm_status cpu_list(const char *options, fm_device_info *out, int32_t max, int32_t *n,
                          fm_error *err) {
    FM_TRY(cpu_check_options(options, err));
    *n = 1;
    if (max < 1) return FM_OK;
    *out = (fm_device_info){.name = "CPU",
                            .memory_total = os_memory_total(),
                            .memory_free = os_memory_available(),
                            .buf_max = PTRDIFF_MAX,
                            .unified = true};
    int32_t n_cores = os_core_count();
    snprintf(out->abilities, sizeof out->abilities, "%s, %d core%s", cpu_kernels_find(NULL)->isa,
             (int)n_cores, n_cores == 1 ? "" : "s");
    return FM_OK;
}

static void cpu_info(const fm_device_state *s, fm_device_info *out) {
    *out = (fm_device_info){
        .memory_total = os_memory_total(),
        .memory_free = os_memory_available(),
        .buf_max = PTRDIFF_MAX,
        .unified = true,
        .weight_dtypes = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16 | 1u << FM_DTYPE_F16,
        .cache_dtypes = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16,
    };
    memcpy(out->name, s->name, sizeof out->name);
}

/* calloc, and aligned by hand: large memory then comes from the system as zero pages that cost
 * nothing until they are used, which aligned_alloc and a memset would all touch. */
static fm_status cpu_buf_new(fm_device_state *s, size_t size, fm_buf **out, fm_error *err) {
    (void)s;
    size_t padded = 0;
    cpu_buf *buf = calloc(1, sizeof *buf);
    if (!buf || !checked_add(size, CPU_ALIGNMENT - 1, &padded)) goto no_memory;
    buf->memory = calloc(padded, 1);
    if (!buf->memory) goto no_memory;
    size_t past = (uintptr_t)buf->memory % CPU_ALIGNMENT;
    buf->data = (uint8_t *)buf->memory + (past > 0 ? CPU_ALIGNMENT - past : 0);
    buf->base.size = size;
    *out = &buf->base;
    return FM_OK;
no_memory:
    free(buf);
    return error_set(err, FM_ERR_MEMORY, "out of memory for a buffer of %zu bytes", size);
}

static void cpu_buf_free(fm_device_state *s, fm_buf *buf) {
    (void)s;
    free(((cpu_buf *)buf)->memory);
    free(buf);
}

static fm_status cpu_write(fm_device_state *s, fm_buf *dst, size_t offset, const void *src,
                           size_t size) {
    (void)s;
    memcpy(((cpu_buf *)dst)->data + offset, src, size);
    return FM_OK;
}

static fm_status cpu_read(fm_device_state *s, const fm_buf *src, size_t offset, void *dst,
                          size_t size) {
    (void)s;
    memcpy(dst, ((const cpu_buf *)src)->data + offset, size);
    return FM_OK;
}

static fm_status cpu_copy(fm_device_state *s, fm_buf *dst, size_t dst_offset, const fm_buf *src,
                          size_t src_offset, size_t size) {
    (void)s;
    memcpy(((cpu_buf *)dst)->data + dst_offset, ((const cpu_buf *)src)->data + src_offset, size);
    return FM_OK;
}

static fm_status cpu_submit(fm_device_state *s, uint64_t ticket) {
    (void)s;
    (void)ticket;
    return FM_OK;
}

static fm_status cpu_wait(fm_device_state *s, uint64_t ticket) {
    (void)s;
    (void)ticket;
    return FM_OK;
}

const fm_backend fm_backend_cpu = {.version = FM_BACKEND_VERSION,
                                   .name = "cpu",
                                   .open = cpu_open,
                                   .list = cpu_list,
                                   .close = cpu_close,
                                   .info = cpu_info,
                                   .buf_new = cpu_buf_new,
                                   .buf_free = cpu_buf_free,
                                   .write = cpu_write,
                                   .read = cpu_read,
                                   .copy = cpu_copy,
                                   .submit = cpu_submit,
                                   .wait = cpu_wait,
                                   .weight_size = cpu_weight_size,
                                   .weight_load = cpu_weight_load,
                                   .weight_free = cpu_weight_free,
#define CPU_OP_ENTRY(name) .name = cpu_##name,
                                   FM_OP_LIST(CPU_OP_ENTRY)
#undef CPU_OP_ENTRY
};
