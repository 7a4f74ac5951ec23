/* mock.c - owns the mock backend's table. */
#include "mock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static fm_status mock_call(mock *m, const char *entry) {
    m->entry = entry;
    m->n_calls++;
    return m->answer;
}

static fm_status mock_device_open(const fm_device_params *params, fm_log log, fm_device_state **out,
                                  fm_error *err) {
    mock *m = log.user;
    if (m->answer != FM_OK) return error_set(err, m->answer, "the mock does not open");
    m->params = *params;
    m->n_open++;
    *out = m;
    return FM_OK;
}

static fm_status mock_list(const char *options, fm_device_info *out, int32_t max, int32_t *n,
                           fm_error *err) {
    (void)options, (void)err;
    *n = 1;
    if (max > 0) *out = (fm_device_info){.name = "mock"};
    return FM_OK;
}

static void mock_close(fm_device_state *m) {
    m->n_open--;
}

static void mock_info(const fm_device_state *m, fm_device_info *out) {
    (void)m;
    *out = (fm_device_info){.name = "mock",
                            .memory_free = 4096,
                            .weight_dtypes = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16,
                            .cache_dtypes = 1u << FM_DTYPE_F32 | 1u << FM_DTYPE_BF16};
}

static fm_status mock_buf_new(fm_device_state *m, size_t size, fm_buf **out, fm_error *err) {
    FM_TRY(mock_call(m, "buf_new"));
    fm_buf *buf = malloc(sizeof *buf);
    if (!buf) return error_set(err, FM_ERR_MEMORY, "out of memory");
    buf->size = size;
    *out = buf;
    return FM_OK;
}

static void mock_buf_free(fm_device_state *m, fm_buf *buf) {
    m->entry = "buf_free";
    free(buf);
}

static fm_status mock_write(fm_device_state *m, fm_buf *dst, size_t offset, const void *src,
                            size_t size) {
    (void)dst, (void)src;
    m->offset = offset;
    m->size = size;
    return mock_call(m, "write");
}

static fm_status mock_read(fm_device_state *m, const fm_buf *src, size_t offset, void *dst,
                           size_t size) {
    (void)src, (void)dst;
    m->offset = offset;
    m->size = size;
    return mock_call(m, "read");
}

static fm_status mock_copy(fm_device_state *m, fm_buf *dst, size_t dst_offset, const fm_buf *src,
                           size_t src_offset, size_t size) {
    (void)dst, (void)src;
    m->offset = dst_offset;
    m->src_offset = src_offset;
    m->size = size;
    return mock_call(m, "copy");
}

static fm_status mock_submit(fm_device_state *m, uint64_t ticket) {
    assert_int_equal(ticket, ++m->tickets);
    return mock_call(m, "submit");
}

static fm_status mock_wait(fm_device_state *m, uint64_t ticket) {
    (void)ticket;
    return mock_call(m, "wait");
}

static uint64_t mock_weight_size(const fm_device_state *m, const fm_weight_source *source,
                                 fm_dtype dtype) {
    (void)m, (void)source, (void)dtype;
    return 77;
}

static fm_status mock_weight_load(fm_device_state *m, const fm_weight_source *source,
                                  fm_dtype dtype, fm_weight **out, fm_error *err) {
    FM_TRY(mock_call(m, "weight_load"));
    fm_weight *w = calloc(1, sizeof *w);
    if (!w) return error_set(err, FM_ERR_MEMORY, "out of memory");
    *w = (fm_weight){.n_matrices = source->n_matrices,
                     .rows = source->parts[0].rows,
                     .cols = source->cols,
                     .dtype = dtype};
    *out = w;
    return FM_OK;
}

static void mock_weight_free(fm_device_state *m, fm_weight *w) {
    m->entry = "weight_free";
    free(w);
}

#define MOCK_OP(name)                                                                              \
    static fm_status mock_##name(fm_device_state *m, const fm_##name *args) {                      \
        memcpy(&m->args.name, args, sizeof *args);                                                 \
        return mock_call(m, #name);                                                                \
    }
FM_OP_ALL_LIST(MOCK_OP)

const fm_backend mock_backend = {.version = FM_BACKEND_VERSION,
                                 .name = "mock",
                                 .open = mock_device_open,
                                 .list = mock_list,
                                 .close = mock_close,
                                 .info = mock_info,
                                 .buf_new = mock_buf_new,
                                 .buf_free = mock_buf_free,
                                 .write = mock_write,
                                 .read = mock_read,
                                 .copy = mock_copy,
                                 .submit = mock_submit,
                                 .wait = mock_wait,
                                 .weight_size = mock_weight_size,
                                 .weight_load = mock_weight_load,
                                 .weight_free = mock_weight_free,
#define MOCK_ENTRY(name) .name = mock_##name,
                                 FM_OP_ALL_LIST(MOCK_ENTRY)};

const fm_device_params mock_params = {
    .max_tokens = 3, .max_rows = 6, .max_sequences = 2, .max_context = 128, .n_threads = 1};

fm_status mock_record(fm_device_state *m, const fm_record_key *key, bool *kept) {
    m->key = *key;
    *kept = m->answer == FM_OK && m->has_kept;
    return mock_call(m, "record");
}

fm_status mock_record_end(fm_device_state *m, bool keep) {
    m->n_kept += keep;
    m->n_dropped += !keep;
    return mock_call(m, "record_end");
}

fm_device *mock_open_table(mock *m, const fm_backend *table) {
    fm_device *dev = NULL;
    fm_error err = {0};
    if (device_open(table, &mock_params, (fm_log){.user = m}, &dev, &err) != FM_OK)
        fail_msg("%s", err.text);
    return dev;
}

fm_device *mock_open(mock *m) {
    return mock_open_table(m, &mock_backend);
}

void mock_finish(fm_device *dev) {
    uint64_t ticket = 0;
    assert_int_equal(device_submit(dev, &ticket), FM_OK);
    assert_int_equal(device_wait(dev, ticket), FM_OK);
}
