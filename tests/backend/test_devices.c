/*
 * test_devices.c - backends by name, lists of devices, what a device offers, and moves from one
 * device to another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

/* ---- Backends by name ------------------------------------------------------------------------ */

static void devices_cpu_is_linked_in(void **state) {
    (void)state;
    fm_error err = {0};
    const fm_backend *backend = NULL;
    assert_int_equal(backend_find("cpu", &backend, &err), FM_OK);
    assert_ptr_equal(backend, &fm_backend_cpu);
}

/* A name becomes part of a path, so that anything but a word is refused before a file is looked
 * for. */
static void devices_what_is_no_name_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"",          "CPU",      "cpu ", "../vulkan",
                                        "vulkan.so", "vulkan:0", "a/b",  "abcdefghijklmnopq"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fm_error err = {0};
        const fm_backend *backend = &fm_backend_cpu; /* must be cleared */
        if (backend_find(names[i], &backend, &err) != FM_ERR_ARG) fail_msg("\"%s\"", names[i]);
        assert_null(backend);
        assert_int_equal(err.status, FM_ERR_ARG);
    }
}

static void devices_name_without_a_module_says_so_in_a_line(void **state) {
    (void)state;
    fm_error err = {0};
    const fm_backend *backend = &fm_backend_cpu;
    assert_int_equal(backend_find("abacus", &backend, &err), FM_ERR_UNSUPPORTED);
    assert_null(backend);
    assert_non_null(strstr(err.text, "abacus"));
    assert_null(strchr(err.text, '\n'));
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void devices_list_refuses_another_version(void **state) {
    (void)state;
    for (int32_t step = -1; step <= 1; step += 2) {
        fm_error err = {0};
        int32_t n = 7;
        fm_device_info info = {.name = "untouched"};
        fm_backend other = mock_backend;
        other.version = FM_BACKEND_VERSION + step;
        assert_int_equal(device_list(&other, NULL, &info, 1, &n, &err), FM_ERR_UNSUPPORTED);
        assert_int_equal(n, 0);
        assert_int_equal(err.status, FM_ERR_UNSUPPORTED);
        assert_string_equal(info.name, "untouched");
    }
}

static void devices_list_of_the_cpu_has_one(void **state) {
    (void)state;
    fm_error err = {0};
    int32_t n = 0;
    fm_device_info info = {.name = "untouched"};
    assert_int_equal(device_list(&fm_backend_cpu, NULL, &info, 0, &n, &err), FM_OK);
    assert_int_equal(n, 1);
    assert_string_equal(info.name, "untouched"); /* no more than `max` are filled */
    assert_int_equal(device_list(&fm_backend_cpu, "", &info, 1, &n, &err), FM_OK);
    assert_string_equal(info.name, "CPU");
    assert_true(info.memory_total > 0 && info.memory_free <= info.memory_total);
    assert_true(info.unified);
    assert_false(info.software);
    assert_int_equal(device_list(&fm_backend_cpu, "fast", &info, 1, &n, &err), FM_ERR_ARG);
    assert_non_null(strstr(err.text, "fast"));
}

/* ---- Operations that a backend may lack ------------------------------------------------------- */

static void devices_route_is_optional(void **state) {
    (void)state;
    mock m = {0};
    op_call c;
    fm_device *dev = mock_open(&m);
    assert_true(device_offers_route(dev));
    device_close(dev);
    fm_backend table = mock_backend;
    table.route = NULL;
    dev = mock_open_table(&m, &table);
    assert_false(device_offers_route(dev));
    call_init(&c, dev, OP_route);
    assert_int_equal(call_run(dev, &c), FM_ERR_UNSUPPORTED);
    c.args.route.n_groups = 0; /* also where the call would be wrong */
    assert_int_equal(call_run(dev, &c), FM_ERR_UNSUPPORTED);
    assert_int_equal(m.n_calls, 0);
    device_close(dev);
}

/* ---- Moves ----------------------------------------------------------------------------------- */

typedef struct two_devices {
    mock from_mock, to_mock;
    fm_device *from, *to;
    fm_buf from_buf, to_buf;
    fm_tensor src, dst; /* [3, 8] behind 2 elements; [24] behind 5 */
    float through[24];
} two_devices;

static void two_open(two_devices *t) {
    *t = (two_devices){0};
    t->from = mock_open(&t->from_mock);
    t->to = mock_open(&t->to_mock);
    t->from_buf = (fm_buf){t->from, 128};
    t->to_buf = (fm_buf){t->to, 128};
    t->src = tensor_2d(&t->from_buf, FM_DTYPE_F32, 3, 8);
    t->src.offset = 2;
    t->dst = tensor_1d(&t->to_buf, FM_DTYPE_F32, 24);
    t->dst.offset = 5;
}

static void two_close(two_devices *t) {
    device_close(t->from);
    device_close(t->to);
}

static fm_status two_move(two_devices *t) {
    return device_move(t->to, t->dst, t->from, t->src, t->through);
}

static void devices_move_waits_reads_and_encodes_a_write(void **state) {
    (void)state;
    two_devices t;
    op_call c;
    two_open(&t);
    call_init(&c, t.from, OP_norm);
    assert_int_equal(call_run(t.from, &c), FM_OK); /* what is encoded is done before */
    assert_int_equal(two_move(&t), FM_OK);
    assert_string_equal(t.from_mock.entry, "read");
    assert_int_equal(t.from_mock.n_calls, 4); /* norm, submit, wait, read */
    assert_int_equal(t.from_mock.offset, 8);
    assert_int_equal(t.from_mock.size, 96);
    assert_string_equal(t.to_mock.entry, "write");
    assert_int_equal(t.to_mock.n_calls, 1);
    assert_int_equal(t.to_mock.offset, 20);
    assert_int_equal(t.to_mock.size, 96);
    assert_int_equal(device_read(t.from, t.src, t.through), FM_OK);
    assert_int_equal(device_read(t.to, t.dst, t.through), FM_ERR_STATE); /* not waited for */
    two_close(&t);
}

static void devices_move_refuses_what_differs(void **state) {
    (void)state;
    for (int32_t what = 0; what < 2; what++) {
        two_devices t;
        two_open(&t);
        if (what == 0) t.dst.size[0] = 23;
        if (what == 1) t.dst.dtype = FM_DTYPE_I32;
        assert_int_equal(two_move(&t), FM_ERR_ARG);
        assert_true(strlen(device_fault(t.to)) > 0);
        assert_int_equal(t.from_mock.n_calls + t.to_mock.n_calls, 0);
        two_close(&t);
    }
}

/* Each of the four calls a move is made of may fail; nothing is done behind it. */
static void devices_move_hands_on_a_failure(void **state) {
    (void)state;
    for (int32_t nth = 1; nth <= 4; nth++) {
        two_devices t;
        two_open(&t);
        if (nth < 4)
            device_inject(t.from, FM_FAULT_OP, nth, FM_ERR_MEMORY);
        else
            device_inject(t.to, FM_FAULT_OP, 1, FM_ERR_MEMORY);
        assert_int_equal(two_move(&t), FM_ERR_MEMORY);
        assert_int_equal(t.from_mock.n_calls, nth - 1);
        assert_int_equal(t.to_mock.n_calls, 0);
        device_abandon(t.from);
        device_abandon(t.to);
        assert_int_equal(two_move(&t), FM_OK);
        two_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_cpu_is_linked_in),
        cmocka_unit_test(devices_what_is_no_name_is_refused),
        cmocka_unit_test(devices_name_without_a_module_says_so_in_a_line),
        cmocka_unit_test(devices_list_refuses_another_version),
        cmocka_unit_test(devices_list_of_the_cpu_has_one),
        cmocka_unit_test(devices_route_is_optional),
        cmocka_unit_test(devices_move_waits_reads_and_encodes_a_write),
        cmocka_unit_test(devices_move_refuses_what_differs),
        cmocka_unit_test(devices_move_hands_on_a_failure),
    };
    return cmocka_run_group_tests_name("test_devices", tests, NULL, NULL);
}
