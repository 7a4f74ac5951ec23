/* vk_rig.c - opens the device, counts errors of its log. */
#include "vk_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void take_line(void *user, fm_log_level level, const char *line) {
    vk_rig *rig = user;
    if (level == FM_LOG_WARN) snprintf(rig->last_warning, sizeof rig->last_warning, "%s", line);
    if (level < FM_LOG_ERROR) return;
    rig->n_errors++;
    snprintf(rig->last_error, sizeof rig->last_error, "%s", line);
    printf("%s\n", line);
}

static fm_status open_with(vk_rig *rig, fm_device_params params, const char *options) {
    params.options = options;
    return device_open(rig->backend, &params, (fm_log){take_line, rig}, &rig->dev, &rig->err);
}

void vk_rig_open(vk_rig *rig, const char *options) {
    vk_rig_open_for(rig, options, 64, 64);
}

void vk_rig_open_for(vk_rig *rig, const char *options, int32_t max_tokens, int32_t max_rows) {
    fm_device_params params = {.max_tokens = max_tokens,
                               .max_rows = max_rows,
                               .max_sequences = 4,
                               .max_context = 256,
                               .n_threads = 1};
    vk_rig_open_with(rig, options, params);
}

void vk_rig_open_with(vk_rig *rig, const char *options, fm_device_params params) {
    char validated[1024];
    *rig = (vk_rig){0};
    if (backend_find("vulkan", &rig->backend, &rig->err) != FM_OK) return;
    snprintf(validated, sizeof validated, "validate,cache=off%s%s", *options ? "," : "", options);
    fm_status status = open_with(rig, params, validated);
    const char *unchecked = strchr(validated, ',') + 1;
    if (status == FM_ERR_UNSUPPORTED) status = open_with(rig, params, unchecked);
    if (status != FM_OK && status != FM_ERR_UNSUPPORTED)
        fail_msg("a Vulkan device is there but does not open: %s", rig->err.text);
}

void vk_rig_close(vk_rig *rig) {
    if (rig->dev) assert_int_equal(device_status(rig->dev), FM_OK);
    device_close(rig->dev);
    rig->dev = NULL;
    if (rig->n_errors > 0)
        fail_msg("%d errors were logged, the last: %s", (int)rig->n_errors, rig->last_error);
}

fm_tensor vk_rig_floats(vk_rig *rig, int64_t n) {
    fm_buf *buf = NULL;
    if (buf_new(rig->dev, (size_t)n * sizeof(float), &buf, &rig->err) != FM_OK)
        fail_msg("%s", rig->err.text);
    return tensor_1d(buf, FM_DTYPE_F32, n);
}

void vk_rig_write(vk_rig *rig, fm_tensor t, const void *values) {
    assert_int_equal(device_write(rig->dev, t, values), FM_OK);
}

void vk_rig_finish(vk_rig *rig) {
    uint64_t ticket;
    assert_int_equal(device_submit(rig->dev, &ticket), FM_OK);
    assert_int_equal(device_wait(rig->dev, ticket), FM_OK);
}

void vk_rig_read(vk_rig *rig, fm_tensor t, void *values) {
    vk_rig_finish(rig);
    assert_int_equal(device_read(rig->dev, t, values), FM_OK);
}
