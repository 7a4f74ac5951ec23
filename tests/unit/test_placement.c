/*
 * test_placement.c - where layers are to be, as it is written; which devices share a memory, and
 * whether there is room in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend_front.h"
#include "model/placement.h"

/* ---- Reading ----------------------------------------------------------------------------------- */

static placement_request parse(const char *text, int32_t n_layers) {
    placement_request r;
    fm_error err = {0};
    if (placement_parse(text, n_layers, &r, &err) != FM_OK) fail_msg("%s: %s", text, err.text);
    return r;
}

static void expect_part(const placement_part *p, const char *backend, int32_t index,
                        const char *options, int32_t n_layers) {
    assert_string_equal(p->backend, backend);
    assert_int_equal(p->index, index);
    assert_string_equal(p->options, options);
    assert_int_equal(p->n_layers, n_layers);
}

static void placement_of_one_device_has_all_layers(void **state) {
    (void)state;
    placement_request r = parse("cpu", 7);
    assert_int_equal(r.n, 1);
    expect_part(&r.parts[0], "cpu", 0, "", 7);
    r = parse("vulkan", 1);
    expect_part(&r.parts[0], "vulkan", 0, "", 1);
    r = parse("vulkan:12,validate,loader=/a/b.so*7", 7);
    assert_int_equal(r.n, 1);
    expect_part(&r.parts[0], "vulkan", 12, "validate,loader=/a/b.so", 7);
}

static void placement_of_several_goes_through_the_layers(void **state) {
    (void)state;
    placement_request r = parse("vulkan:0*20+cpu", 28);
    assert_int_equal(r.n, 2);
    expect_part(&r.parts[0], "vulkan", 0, "", 20);
    expect_part(&r.parts[1], "cpu", 0, "", 8);
    r = parse("vulkan:1,staging*3+vulkan*2+cpu*1+vulkan:3", 7);
    assert_int_equal(r.n, 4);
    expect_part(&r.parts[0], "vulkan", 1, "staging", 3);
    expect_part(&r.parts[1], "vulkan", 0, "", 2);
    expect_part(&r.parts[2], "cpu", 0, "", 1);
    expect_part(&r.parts[3], "vulkan", 3, "", 1);
    r = parse("cpu*2+cpu*5", 7);
    expect_part(&r.parts[1], "cpu", 0, "", 5);
}

/* For a model of 7 layers. */
static const struct refused {
    const char *text, *says;
} refused[] = {
    {"", "no name"},
    {"*7", "no name"},
    {"+cpu", "no name"},
    {"cpu*1+", "no name"},
    {"CPU", "no name"},
    {":0", "no name"},
    {"abcdefghijklmnopqrstuvwxyz", "no name"},
    {"cpu:", "no number behind \":\""},
    {"vulkan:x", "no number behind \":\""},
    {"vulkan:-1", "no number behind \":\""},
    {"vulkan:2147483648", "no number behind \":\""},
    {"vulkan:99999999999999999999999", "no number behind \":\""},
    {"cpu*", "no number of layers behind"},
    {"cpu*0", "no number of layers behind"},
    {"cpu*-1", "no number of layers behind"},
    {"cpu*x", "no number of layers behind"},
    {"cpu*2147483648", "no number of layers behind"},
    {"cpu 1", "something behind"},
    {"cpu*7x", "something behind"},
    {"cpu*3*4", "something behind"},
    {"cpu:0:1", "something behind"},
    {"cpu7", "something behind"},
    {"cpu+cpu", "not the last"},
    {"cpu*1+cpu+cpu", "not the last"},
    {"cpu*1+cpu*1+cpu*1+cpu*1+cpu", "too many"},
    {"cpu*6", "fewer layers than the model's 7"},
    {"cpu*8", "more layers than the model's 7"},
    {"cpu*7+cpu", "more layers than the model's 7"},
    {"cpu*8+cpu", "more layers than the model's 7"},
    {"cpu*3+cpu*5", "more layers than the model's 7"},
    {"cpu*2147483647+cpu*2147483647", "more layers than the model's 7"},
};

static void placement_says_what_is_wrong(void **state) {
    (void)state;
    char long_options[400];
    placement_request r;
    fm_error err;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        err = (fm_error){0};
        if (placement_parse(refused[i].text, 7, &r, &err) != FM_ERR_ARG)
            fail_msg("\"%s\" was not refused", refused[i].text);
        if (!strstr(err.text, refused[i].says)) fail_msg("\"%s\": %s", refused[i].text, err.text);
    }
    memset(long_options, 'a', sizeof long_options - 1);
    memcpy(long_options, "cpu,", 4);
    long_options[sizeof long_options - 1] = '\0';
    assert_int_equal(placement_parse(long_options, 7, &r, &err), FM_ERR_ARG);
}

/* ---- Memory ------------------------------------------------------------------------------------ */

typedef struct fake {
    fm_device dev;
    fm_backend table;
} fake;

static void fake_info(const fm_device_state *s, fm_device_info *out) {
    *out = ((const fm_device *)(const void *)s)->info;
}

/** Devices that have an index, and so many bytes; 0 of memory of their own: those of the host, 100.
 */
static placement fake_devices(fake *fakes, int32_t n, const int32_t *index, const uint64_t *bytes) {
    placement p = {.n = n};
    for (int32_t i = 0; i < n; i++) {
        fake *f = &fakes[i];
        *f = (fake){.table = {.info = fake_info}};
        f->dev.info = (fm_device_info){.memory_free = bytes[i] > 0 ? bytes[i] : 100,
                                       .unified = bytes[i] == 0};
        f->dev.backend = &f->table;
        f->dev.state = (fm_device_state *)(void *)&f->dev;
        p.runs[i] = (placement_run){.dev = &f->dev,
                                    .backend = &fm_backend_cpu,
                                    .index = index[i],
                                    .first_layer = 2 * i,
                                    .n_layers = 2};
    }
    return p;
}

static void placement_knows_who_shares_memory(void **state) {
    (void)state;
    fake fakes[4];
    placement p =
        fake_devices(fakes, 4, (const int32_t[]){0, 1, 0, 2}, (const uint64_t[]){50, 0, 50, 0});
    assert_int_equal(placement_memory(&p, 0), 0);
    assert_int_equal(placement_memory(&p, 1), 1);
    assert_int_equal(placement_memory(&p, 2), 0); /* the same device again */
    assert_int_equal(placement_memory(&p, 3), 1); /* both have the host's */
    p.runs[2].backend = NULL;                     /* the same index elsewhere */
    assert_int_equal(placement_memory(&p, 2), 2);
}

/** How many limits are exceeded. */
static int32_t count_short(const placement *p, const uint64_t *bytes) {
    placement_limit limits[PLACEMENT_MAX_LIMITS];
    int32_t n_short = 0, n = placement_limits(p, limits);
    assert_in_range(n, 1, PLACEMENT_MAX_LIMITS);
    for (int32_t i = 0; i < n; i++) {
        assert_true(limits[i].runs >> limits[i].first & 1u);
        n_short += placement_sum(&limits[i], bytes) > limits[i].room;
    }
    return n_short;
}

/** Runs 0 and 2 are on one device of 50; runs 1 and 3 have the host's, which lets the one have 100
 * and the other 30 of it. */
static void placement_needs_room_in_each_memory(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes[4];
        int32_t n_short;
    } cases[] = {
        {{25, 70, 25, 30}, 0},
        {{26, 70, 25, 30}, 1}, /* the device that is opened twice */
        {{25, 70, 26, 30}, 1}, /* the same */
        {{25, 71, 25, 30}, 1}, /* the host, by both */
        {{0, 100, 0, 0}, 0},   /* by the one that may */
        {{0, 0, 0, 31}, 1},    /* the part that the other may have */
        {{0, 80, 0, 31}, 2},   /* that and the host */
        {{0, 101, 0, 0}, 2},   /* one, and so the host */
        {{UINT64_MAX, 0, UINT64_MAX, 0}, 1},
        {{0, 0, 0, 0}, 0},
    };
    fake fakes[4];
    placement p =
        fake_devices(fakes, 4, (const int32_t[]){0, 1, 0, 2}, (const uint64_t[]){50, 0, 50, 0});
    fakes[3].dev.info.memory_free = 30;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (count_short(&p, cases[i].bytes) != cases[i].n_short) fail_msg("case %zu", i);
    p = fake_devices(fakes, 2, (const int32_t[]){0, 0}, (const uint64_t[]){0, 0});
    placement_limit limits[PLACEMENT_MAX_LIMITS];
    assert_int_equal(placement_limits(&p, limits), 1); /* one device of the host's is one limit */
    assert_int_equal(limits[0].runs, 3);
}

static void placement_finds_the_run_of_a_layer(void **state) {
    (void)state;
    fake fakes[3];
    placement p =
        fake_devices(fakes, 3, (const int32_t[]){0, 1, 2}, (const uint64_t[]){50, 50, 50});
    for (int32_t layer = 0; layer < 6; layer++)
        assert_int_equal(placement_find(&p, layer), layer / 2);
    assert_ptr_equal(placement_last(&p), &fakes[2].dev);
    snprintf(fakes[1].dev.fault, sizeof fakes[1].dev.fault, "wrong");
    assert_string_equal(placement_fault(&p), "wrong");
    p = placement_on(&fakes[0].dev, 9);
    assert_int_equal(placement_find(&p, 8), 0);
    assert_int_equal(p.runs[0].n_layers, 9);
    assert_string_equal(placement_fault(&p), "");
}

/* ---- The list ---------------------------------------------------------------------------------- */

static void placement_list_begins_with_the_cpu(void **state) {
    (void)state;
    fm_device_desc listed[3] = {{.unified = false}};
    int32_t n = fm_device_list(listed, 1);
    assert_true(n >= 2); /* a kind of device that is missing counts, too */
    assert_string_equal(listed[0].device, "cpu");
    assert_string_equal(listed[0].missing, "");
    assert_true(listed[0].memory_total > 0);
    assert_string_equal(listed[1].device, ""); /* beyond what was asked for */
    assert_int_equal(fm_device_list(listed, 2), n);
    assert_true(strncmp(listed[1].device, "vulkan", 6) == 0);
    assert_true((*listed[1].missing != '\0') == (*listed[1].name == '\0'));
    assert_null(strchr(listed[1].missing, '\n'));
    assert_int_equal(fm_device_list(NULL, 0), n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placement_of_one_device_has_all_layers),
        cmocka_unit_test(placement_of_several_goes_through_the_layers),
        cmocka_unit_test(placement_says_what_is_wrong),
        cmocka_unit_test(placement_knows_who_shares_memory),
        cmocka_unit_test(placement_needs_room_in_each_memory),
        cmocka_unit_test(placement_finds_the_run_of_a_layer),
        cmocka_unit_test(placement_list_begins_with_the_cpu),
    };
    return cmocka_run_group_tests_name("test_placement", tests, NULL, NULL);
}
