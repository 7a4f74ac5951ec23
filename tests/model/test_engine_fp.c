/*
 * test_engine_fp.c - logits have the same bits in whatever floating-point environment the caller
 * opens and runs a model, and the caller finds its own again.
 */
#include <math.h>

#include "request.h"
#include "support/fp_modes.h"
#include "support/json_edit.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"
#define V3    TEST_DATA "/oracle/v3_groups"

enum { N_NEW = 6 };

/** Results of one model opened and run in one environment, each of them set before every call. */
typedef struct result {
    float *logits; /* [7, V] from fm_engine_logits */
    run_answer answer;
    char *file; /* what fm_engine_write_logits wrote */
    size_t file_size;
} result;

static void result_free(result *r) {
    free(r->logits);
    free(r->file);
}

/** What the sink is called in, which is the caller's environment. */
typedef struct mode_rows {
    run_rows rows;
    uint32_t mode;
} mode_rows;

static fm_status keep_rows_and_mode(void *user, const float *logits, int32_t n_rows) {
    mode_rows *m = user;
    m->mode = fp_mode_get();
    return run_keep_rows(&m->rows, logits, n_rows);
}

static run open_in(const char *dir, const fp_mode *mode, int32_t n_threads) {
    const fm_model_params params = {.device = "cpu",
                                    .dtype = "f32",
                                    .cache_dtype = "f32",
                                    .n_threads = n_threads,
                                    .max_chunk = 3};
    run r = {0};
    fm_error err = {0};
    fp_mode_set(mode);
    uint32_t before = fp_mode_get();
    fm_status status = fm_model_open(dir, &params, &r.model, &err);
    uint32_t after = fp_mode_get();
    if (status == FM_OK) status = fm_engine_new(r.model, NULL, &r.engine, &err);
    fp_mode_reset();
    if (status != FM_OK) fail_msg("%s: %s", dir, err.text);
    assert_int_equal(before, after);
    return r;
}

static void run_logits_in(run *r, const oracle_case *c, const fp_mode *mode, result *out) {
    int32_t vocab = fm_model_vocab_size(r->model);
    out->logits = calloc((size_t)vocab * 7, sizeof *out->logits);
    assert_non_null(out->logits);
    mode_rows m = {.rows = {out->logits, vocab}};
    fp_mode_set(mode);
    uint32_t before = fp_mode_get();
    fm_status status = fm_engine_logits(r->engine, c->ids, 7, keep_rows_and_mode, &m, NULL);
    uint32_t after = fp_mode_get();
    fp_mode_reset();
    assert_int_equal(status, FM_OK);
    assert_int_equal(before, after);
    assert_int_equal(before, m.mode);
}

static void run_request_in(run *r, const oracle_case *c, const fp_mode *mode, result *out) {
    fm_request request = request_of(c, N_NEW, &out->answer);
    request.sampling = (fm_sampling){.temperature = 1.0f, .top_p = 0.9f, .seed = 5};
    submit(r->engine, &request);
    for (int32_t active = 1; active;) {
        fp_mode_set(mode);
        uint32_t before = fp_mode_get();
        fm_status status = fm_engine_step(r->engine, &active, NULL);
        uint32_t after = fp_mode_get();
        fp_mode_reset();
        assert_int_equal(status, FM_OK);
        assert_int_equal(before, after);
    }
}

static void write_logits_in(run *r, const oracle_case *c, const fp_mode *mode, const char *path,
                            result *out) {
    fp_mode_set(mode);
    uint32_t before = fp_mode_get();
    fm_status status = fm_engine_write_logits(r->engine, c->ids, 7, path, NULL, NULL, NULL);
    uint32_t after = fp_mode_get();
    fp_mode_reset();
    assert_int_equal(status, FM_OK);
    assert_int_equal(before, after);
    out->file = json_edit_read(path, &out->file_size);
}

static result run_in(const char *dir, const fp_mode *mode, int32_t n_threads, const char *path) {
    const oracle_case c = prompt7(LLAMA);
    result out = {0};
    run r = open_in(dir, mode, n_threads);
    run_logits_in(&r, &c, mode, &out);
    run_request_in(&r, &c, mode, &out);
    write_logits_in(&r, &c, mode, path, &out);
    run_close(&r);
    return out;
}

static void expect_equal(const char *mode, const result *a, const result *b, size_t n_logits) {
    if (memcmp(a->logits, b->logits, n_logits * sizeof *a->logits) != 0)
        fail_msg("%s: other logits", mode);
    if (a->answer.n != b->answer.n || memcmp(a->answer.ids, b->answer.ids, sizeof a->answer.ids))
        fail_msg("%s: other tokens", mode);
    if (a->file_size != b->file_size || memcmp(a->file, b->file, a->file_size) != 0)
        fail_msg("%s: another file", mode);
}

/** Opens and runs `dir` in all environments with one and two threads. */
static void expect_same_everywhere(const char *dir, const char *path, int32_t vocab) {
    result plain = run_in(dir, &fp_modes[0], 1, path);
    assert_int_equal(plain.answer.n, N_NEW);
    for (size_t i = 0; i < FP_MODE_COUNT; i++)
        for (int32_t n_threads = 1; n_threads <= 2; n_threads++) {
            result other = run_in(dir, &fp_modes[i], n_threads, path);
            expect_equal(fp_modes[i].name, &plain, &other, 7 * (size_t)vocab);
            result_free(&other);
        }
    result_free(&plain);
}

static void engine_bits_do_not_depend_on_the_rounding_mode(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "logits.npy", path);
    static const char *const models[] = {LLAMA, V3};
    for (int i = 0; i < 2; i++) {
        oracle o;
        assert_true(oracle_read(models[i], &o));
        expect_same_everywhere(models[i], path, o.vocab);
        oracle_free(&o);
    }
}

/** Scales the output matrix of llama_mha so far down that every logit is a denormal number, which a
 * processor that flushes them would give as zero. */
static void make_denormal_model(const temp_dir *dir) {
    size_t size, text_size;
    uint64_t header;
    unsigned long begin, end;
    char *text = json_edit_read(LLAMA "/config.json", &text_size);
    char *bytes = json_edit_read(LLAMA "/model.safetensors", &size);
    memcpy(&header, bytes, sizeof header);
    const char *entry = strstr(bytes + 8, "\"lm_head.weight\"");
    assert_non_null(entry);
    entry = strstr(entry, "\"data_offsets\":");
    assert_non_null(entry);
    assert_int_equal(sscanf(entry, "\"data_offsets\":[%lu,%lu]", &begin, &end), 2);
    assert_true(begin < end && 8 + header + end <= size);
    for (char *at = bytes + 8 + header + begin; at < bytes + 8 + header + end; at += 4) {
        float value;
        memcpy(&value, at, sizeof value);
        value *= 0x1p-130f;
        memcpy(at, &value, sizeof value);
    }
    temp_dir_write(dir, "config.json", text, text_size);
    temp_dir_write(dir, "model.safetensors", bytes, size);
    free(bytes);
    free(text);
}

static void engine_denormals_are_kept_whatever_the_caller_flushes(void **state) {
    const temp_dir *dir = *state;
    const oracle_case c = prompt7(LLAMA);
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "logits.npy", path);
    make_denormal_model(dir);
    run r = open_in(dir->path, &fp_modes[0], 1);
    int32_t vocab = fm_model_vocab_size(r.model), n_denormal = 0;
    float *logits = run_logits(&r, c.ids, 7);
    for (int32_t i = 0; i < 7 * vocab; i++)
        if (fpclassify(logits[i]) == FP_SUBNORMAL) n_denormal++;
    free(logits);
    run_close(&r);
    assert_true(n_denormal > 6 * vocab);
    expect_same_everywhere(dir->path, path, vocab);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIR(engine_bits_do_not_depend_on_the_rounding_mode),
        IN_DIR(engine_denormals_are_kept_whatever_the_caller_flushes),
    };
    return cmocka_run_group_tests_name("test_engine_fp", tests, NULL, NULL);
}
