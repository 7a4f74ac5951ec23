/*
 * test_cpu_buffer.c - memory of the CPU backend's buffers: zero, aligned, and no more of it in use
 * than was touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../backends/cpu/cpu.h"

static fm_device *open_cpu(void) {
    fm_device *dev = NULL;
    fm_error err = {0};
    fm_device_params params = {
        .max_tokens = 1, .max_rows = 1, .max_sequences = 1, .max_context = 1, .n_threads = 1};
    if (device_open(&fm_backend_cpu, &params, (fm_log){0}, &dev, &err) != FM_OK)
        fail_msg("%s", err.text);
    return dev;
}

static fm_buf *new_buf(fm_device *dev, size_t size) {
    fm_buf *buf = NULL;
    fm_error err = {0};
    if (buf_new(dev, size, &buf, &err) != FM_OK) fail_msg("%s", err.text);
    return buf;
}

static bool is_resident(const uint8_t *at) {
    unsigned char pages[1] = {0};
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(mincore((void *)((uintptr_t)at / page * page), 1, pages), 0);
    return pages[0] & 1;
}

static void buffer_is_zero_aligned_and_untouched(void **state) {
    (void)state;
    const size_t size = (size_t)64 << 20;
    fm_device *dev = open_cpu();
    fm_buf *buf = new_buf(dev, size), *small = new_buf(dev, 7);
    const uint8_t *data = ((cpu_buf *)buf)->data, *tail = ((cpu_buf *)small)->data;
    assert_int_equal((uintptr_t)data % 64, 0);
    assert_int_equal((uintptr_t)tail % 64, 0);
    assert_false(is_resident(data + size / 2));
    assert_int_equal(data[size / 2], 0);
    for (size_t i = 0; i < size; i += 4096) assert_int_equal(data[i], 0);
    for (size_t i = 0; i < 7; i++) assert_int_equal(tail[i], 0);
    buf_free(dev, small);
    buf_free(dev, buf);
    device_close(dev);
}

/* Freed memory comes back with its old contents unless someone clears it. */
static void buffer_is_zero_when_memory_is_used_again(void **state) {
    (void)state;
    fm_device *dev = open_cpu();
    for (int32_t i = 0; i < 8; i++) {
        fm_buf *buf = new_buf(dev, 1000);
        uint8_t *data = ((cpu_buf *)buf)->data;
        for (int32_t k = 0; k < 1000; k++) assert_int_equal(data[k], 0);
        memset(data, 0xff, 1000);
        buf_free(dev, buf);
    }
    device_close(dev);
}

static void buffer_larger_than_memory_is_refused(void **state) {
    (void)state;
    fm_device *dev = open_cpu();
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 62};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fm_buf *buf = NULL;
        fm_error err = {0};
        assert_int_equal(buf_new(dev, sizes[i], &buf, &err), FM_ERR_MEMORY);
        assert_null(buf);
        assert_true(strlen(err.text) > 0);
    }
    assert_int_equal(device_bytes(dev), 0);
    device_close(dev);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_is_zero_aligned_and_untouched),
        cmocka_unit_test(buffer_is_zero_when_memory_is_used_again),
        cmocka_unit_test(buffer_larger_than_memory_is_refused),
    };
    return cmocka_run_group_tests_name("test_cpu_buffer", tests, NULL, NULL);
}
