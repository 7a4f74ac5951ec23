/*
 * test_engine_limits.c - what may be asked of a model and an engine, what is said when more is
 * asked, and logits as files.
 */
#include <math.h>

#include "oracle.h"
#include "run.h"
#include "support/expect.h"
#include "support/json_edit.h"
#include "support/temp_dir.h"

#define LLAMA TEST_DATA "/oracle/llama_mha"

static const fm_model_params f32 = {
    .device = "cpu", .dtype = "f32", .cache_dtype = "f32", .n_threads = 1};

static const int32_t prompt[7] = {174, 81, 116, 138, 124, 13, 53}; /* prompt7 of llama_mha */
static const int32_t answer7[4] = {118, 149, 6, 156};              /* and its greedy answer */

static void expect_usable(run *r) {
    run_answer answer = run_generate(r, prompt, 7, 4, (fm_sampling){0});
    assert_int_equal(answer.n, 4);
    assert_memory_equal(answer.ids, answer7, sizeof answer7);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/** Parameters out of range; llama_mha has a context of 512. */
static const struct refused_model {
    fm_model_params params;
    fm_status status;
    const char *word;
} refused_models[] = {
    {{.max_context = 513}, FM_ERR_ARG, "a context of 513 is out of range: 1 to 512"},
    {{.max_context = -1}, FM_ERR_ARG, "a context of -1"},
    {{.max_context = INT32_MAX}, FM_ERR_ARG, "a context of 2147483647"},
    {{.max_chunk = -1}, FM_ERR_ARG, "a chunk of -1"},
    {{.max_chunk = 1000000}, FM_ERR_ARG, "a chunk of 1000000"},
    {{.n_threads = -1}, FM_ERR_ARG, "threads of -1"},
    {{.n_threads = 1000000}, FM_ERR_ARG, "threads of 1000000"},
    {{.n_threads = INT32_MIN}, FM_ERR_ARG, "threads of -2147483648"},
    {{.dtype = "f8"}, FM_ERR_ARG, "weight format \"f8\" is unknown: use auto, f32, bf16 or f16"},
    {{.dtype = ""}, FM_ERR_ARG, "weight format \"\""},
    {{.dtype = "F32"}, FM_ERR_ARG, "weight format \"F32\""},
    {{.cache_dtype = "f16"}, FM_ERR_ARG, "cache format \"f16\" is unknown: use auto, f32, bf16"},
    {{.cache_dtype = "int8"}, FM_ERR_ARG, "cache format \"int8\""},
    {{.device = "abacus"}, FM_ERR_UNSUPPORTED, "the abacus backend cannot be opened"},
    {{.device = ""}, FM_ERR_ARG, "device \"\": no name of a device"},
    {{.device = "two\nlines"}, FM_ERR_ARG, "two?lines"},
    {{.device = "auto+cpu"}, FM_ERR_ARG, "no number of layers for a device that is not the last"},
    {{.device = "cpu,fast"}, FM_ERR_ARG, "the CPU has no option \"fast\""},
    {{.device = "cpu:1"}, FM_ERR_ARG, "there is no CPU device 1"},
    {{.device = "cpu*1"}, FM_ERR_ARG, "places fewer layers than the model's 2"},
    {{.device = "cpu*2+cpu"}, FM_ERR_ARG, "places more layers than the model's 2"},
    {{.isa = "sse9"}, FM_ERR_UNSUPPORTED, "sse9"},
    {{.isa = ""}, FM_ERR_UNSUPPORTED, "instruction set"},
};

static void model_parameters_out_of_range_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused_models / sizeof *refused_models; i++) {
        const struct refused_model *m = &refused_models[i];
        fm_error err = {0};
        fm_model *model;
        expect_error(m->word, fm_model_open(LLAMA, &m->params, &model, &err), &err, m->status,
                     m->word);
        assert_null(model);
        assert_int_equal(fm_model_open(LLAMA, &m->params, &model, NULL), m->status);
    }
}

static const struct accepted_model {
    fm_model_params params;
    int32_t max_context;
    const char *summary;
} accepted_models[] = {
    {{0}, 512, "weights F32"},
    {{.n_threads = 1, .max_context = 1, .max_chunk = 1}, 1, "1 thread"},
    {{.n_threads = 2, .max_context = 512, .max_chunk = 8192}, 512, "2 threads"},
    {{.n_threads = 256, .max_context = 7}, 7, "256 threads"},
    {{.n_threads = 1, .device = "auto", .dtype = "auto", .cache_dtype = "auto"}, 512, "cache F32"},
    {{.n_threads = 1, .device = "cpu", .dtype = "bf16"}, 512, "weights BF16"},
    {{.n_threads = 1, .dtype = "bf16"}, 512, "cache BF16"},
    {{.n_threads = 1, .dtype = "f16", .cache_dtype = "f32"}, 512, "cache F32"},
    {{.n_threads = 1, .dtype = "f32", .cache_dtype = "bf16"}, 512, "cache BF16"},
    {{.n_threads = 1, .isa = "scalar"}, 512, "scalar"},
};

static void model_limits_in_range_hold(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof accepted_models / sizeof *accepted_models; i++) {
        const struct accepted_model *m = &accepted_models[i];
        run r = run_open(LLAMA, &m->params);
        run_answer answer = run_generate(&r, prompt, 1, 1, (fm_sampling){0});
        assert_int_equal(answer.n, m->max_context > 1 ? 1 : 0);
        assert_int_equal(fm_model_max_context(r.model), m->max_context);
        assert_int_equal(fm_model_vocab_size(r.model), 224);
        if (!strstr(fm_model_summary(r.model), m->summary))
            fail_msg("\"%s\" lacks \"%s\"", fm_model_summary(r.model), m->summary);
        assert_null(strchr(fm_model_summary(r.model), '\n'));
        run_close(&r);
    }
}

typedef struct journal {
    int32_t n_lines[3]; /* by level */
    char last[3][501];
} journal;

static void keep_line(void *user, fm_log_level level, const char *line) {
    journal *j = user;
    assert_in_range(level, FM_LOG_DEBUG, FM_LOG_WARN);
    j->n_lines[level]++;
    snprintf(j->last[level], sizeof j->last[level], "%s", line);
}

static void expect_line(const journal *j, fm_log_level level, const char *word) {
    if (!strstr(j->last[level], word)) fail_msg("\"%s\" lacks \"%s\"", j->last[level], word);
}

/** A vocabulary of 224: of the end tokens named, two can never come. */
static void model_open_logs_what_it_opened_and_what_is_odd(void **state) {
    const temp_dir *dir = *state;
    char *text = json_edit_read(LLAMA "/config.json", NULL), from[1024], to[TEMP_PATH_SIZE];
    assert_true(realpath(LLAMA "/model.safetensors", from) != NULL);
    temp_dir_path(dir, "model.safetensors", to);
    temp_dir_write_text(dir, "config.json", text);
    assert_int_equal(symlink(from, to), 0);
    free(text);
    for (int i = 0; i < 2; i++) {
        journal j = {0};
        fm_model_params params = f32;
        params.log = keep_line;
        params.log_user = &j;
        run r = run_open(dir->path, &params);
        assert_int_equal(j.n_lines[FM_LOG_DEBUG], 1);
        assert_int_equal(j.n_lines[FM_LOG_INFO], 1);
        assert_int_equal(j.n_lines[FM_LOG_WARN], i == 0 ? 0 : 2);
        expect_line(&j, FM_LOG_INFO, dir->path);
        expect_line(&j, FM_LOG_INFO, fm_model_summary(r.model));
        expect_line(&j, FM_LOG_INFO, "MB copied");
        if (i == 1) expect_line(&j, FM_LOG_WARN, "end token 224 ");
        run_close(&r);
        temp_dir_write_text(dir, "generation_config.json", "{\"eos_token_id\": [900, 223, 224]}");
    }
}

static void model_without_parameters_takes_defaults(void **state) {
    (void)state;
    run r = run_open(LLAMA, NULL);
    assert_int_equal(fm_model_max_context(r.model), 512);
    expect_usable(&r);
    run_close(&r);
}

static void model_and_engine_of_null_are_freed(void **state) {
    (void)state;
    fm_model_close(NULL);
    fm_engine_free(NULL);
    fm_checkpoint_close(NULL);
    fm_tokenizer_close(NULL);
    fm_tokens_free(&(fm_tokens){0});
}

/* ---- Engines --------------------------------------------------------------------------------- */

static const struct refused_engine {
    fm_engine_params params;
    const char *word;
} refused_engines[] = {
    {{.max_queued = -1}, "max_queued -1 is out of range: 1 to 8192"},
    {{.max_queued = INT32_MAX}, "max_queued 2147483647 is out of range"},
    {{.cache_tokens = -1}, "caches of -1 tokens are out of range"},
    {{.cache_tokens = 99}, "caches of 99 tokens are out of range: one context of 100 to"},
    {{.cache_tokens = INT32_MAX}, "caches of 2147483647 tokens are out of range"},
};

static void engine_parameters_out_of_range_are_refused(void **state) {
    (void)state;
    fm_model_params params = f32;
    params.max_context = 100;
    run r = run_open(LLAMA, &params);
    for (size_t i = 0; i < sizeof refused_engines / sizeof *refused_engines; i++) {
        const struct refused_engine *want = &refused_engines[i];
        fm_error err = {0};
        fm_engine *e;
        expect_error(want->word, fm_engine_new(r.model, &want->params, &e, &err), &err, FM_ERR_ARG,
                     want->word);
        assert_null(e);
    }
    expect_usable(&r);
    run_close(&r);
}

/** Two wait: a third has to wait outside until one of them has its first step; then it takes that
 * place, and the next one is refused again. */
static void engine_full_queue_refuses_until_a_request_runs(void **state) {
    (void)state;
    fm_model_params params = f32;
    params.max_sequences = 1;
    run r = run_open(LLAMA, &params);
    fm_engine_free(r.engine);
    assert_int_equal(fm_engine_new(r.model, &(fm_engine_params){.max_queued = 2}, &r.engine, NULL),
                     FM_OK);
    run_answer answers[4] = {{0}};
    int32_t active = 0;
    for (int i = 0; i < 4; i++) {
        fm_error err = {0};
        const fm_request request = {.ids = prompt,
                                    .n_ids = 7,
                                    .max_new = 4,
                                    .on_event = run_keep_token,
                                    .user = &answers[i]};
        if (i >= 2) {
            int32_t n_steps = 0;
            while (fm_engine_submit(r.engine, &request, NULL, &err) != FM_OK) {
                expect_error("full", err.status, &err, FM_ERR_LIMIT,
                             "2 requests wait for their first step");
                assert_int_equal(fm_engine_step(r.engine, &active, NULL), FM_OK);
                n_steps++;
            }
            /* The first is let in at once, the second when that has its four tokens. */
            assert_int_equal(n_steps, i == 2 ? 1 : 4);
            continue;
        }
        assert_int_equal(fm_engine_submit(r.engine, &request, NULL, &err), FM_OK);
    }
    do assert_int_equal(fm_engine_step(r.engine, &active, NULL), FM_OK);
    while (active > 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(answers[i].n, 4);
        assert_memory_equal(answers[i].ids, answer7, sizeof answer7);
    }
    run_close(&r);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool no_event(void *user, const fm_event *event) {
    (void)user, (void)event;
    fail_msg("an event of a refused request");
    return false;
}

static const int32_t too_large[3] = {5, 224, 6}, negative[3] = {5, 6, -1};
static const int32_t thousand[1000];

/** Requests that must be refused at a context of 100. */
static const struct refused_request {
    fm_request request;
    fm_status status;
    const char *word;
} refused_requests[] = {
    {{.ids = prompt, .n_ids = 0}, FM_ERR_ARG, "the prompt is empty"},
    {{.ids = NULL, .n_ids = 0}, FM_ERR_ARG, "the prompt is empty"},
    {{.ids = thousand, .n_ids = 101}, FM_ERR_LIMIT, "101 tokens, the context 100"},
    {{.ids = thousand, .n_ids = 1000}, FM_ERR_LIMIT, "1000 tokens, the context 100"},
    {{.ids = thousand, .n_ids = SIZE_MAX}, FM_ERR_LIMIT, "the context 100"},
    {{.ids = thousand, .n_ids = (size_t)1 << 32}, FM_ERR_LIMIT, "the context 100"},
    {{.ids = too_large, .n_ids = 3}, FM_ERR_ARG, "token id 224 is outside the vocabulary of 224"},
    {{.ids = negative, .n_ids = 3}, FM_ERR_ARG, "token id -1 is outside"},
    {{.ids = prompt, .n_ids = 7, .max_new = -1}, FM_ERR_ARG, "max_new must not be negative"},
    {{.ids = prompt, .n_ids = 7, .sampling.temperature = -1}, FM_ERR_ARG, "temperature"},
    {{.ids = prompt, .n_ids = 7, .sampling = {.temperature = 1, .top_p = 2}}, FM_ERR_ARG, "top_p"},
    {{.ids = prompt, .n_ids = 7, .n_logprobs = -2}, FM_ERR_ARG, "n_logprobs must be from -1"},
    {{.ids = prompt, .n_ids = 7, .n_logprobs = 21}, FM_ERR_ARG, "n_logprobs must be from -1 to 20"},
    {{.ids = prompt, .n_ids = 7, .deadline_seconds = -1}, FM_ERR_ARG, "deadline"},
    {{.ids = prompt, .n_ids = 7, .deadline_seconds = NAN}, FM_ERR_ARG, "deadline"},
    {{.ids = prompt, .n_ids = 7, .deadline_seconds = INFINITY}, FM_ERR_ARG, "deadline"},
    {{.ids = prompt, .n_ids = 7, .stop = (const char *const[]){"a"}, .n_stop = 1},
     FM_ERR_ARG,
     "stop strings need the request's tokenizer"},
};

static void engine_refused_requests_leave_it_usable(void **state) {
    (void)state;
    fm_model_params params = f32;
    params.max_context = 100;
    run r = run_open(LLAMA, &params);
    int32_t active = -1;
    for (size_t i = 0; i < sizeof refused_requests / sizeof *refused_requests; i++) {
        const struct refused_request *want = &refused_requests[i];
        fm_request request = want->request;
        fm_error err = {0};
        request.on_event = no_event;
        expect_error(want->word, fm_engine_submit(r.engine, &request, NULL, &err), &err,
                     want->status, want->word);
        assert_int_equal(fm_engine_submit(r.engine, &request, NULL, NULL), want->status);
        assert_int_equal(fm_engine_step(r.engine, &active, NULL), FM_OK);
        assert_int_equal(active, 0);
        expect_usable(&r);
    }
    fm_error err = {0};
    const fm_request silent = {.ids = prompt, .n_ids = 7};
    expect_error("no callback", fm_engine_submit(r.engine, &silent, NULL, &err), &err, FM_ERR_ARG,
                 "callback");
    run_close(&r);
}

static fm_status refuse_rows(void *user, const float *logits, int32_t n_rows) {
    (void)logits;
    *(int32_t *)user += n_rows;
    return FM_ERR_LIMIT;
}

static void engine_logits_refuses_what_submit_refuses(void **state) {
    (void)state;
    fm_model_params params = f32;
    params.max_context = 100;
    run r = run_open(LLAMA, &params);
    int32_t n_rows = 0;
    for (size_t i = 0; i < 8; i++) { /* those that are wrong for their ids */
        const fm_request *request = &refused_requests[i].request;
        fm_error err = {0};
        expect_error(
            "logits",
            fm_engine_logits(r.engine, request->ids, request->n_ids, refuse_rows, &n_rows, &err),
            &err, refused_requests[i].status, refused_requests[i].word);
    }
    assert_int_equal(n_rows, 0);
    /* A sink that fails stops the run with its own status. */
    assert_int_equal(fm_engine_logits(r.engine, thousand, 90, refuse_rows, &n_rows, NULL),
                     FM_ERR_LIMIT);
    assert_in_range(n_rows, 1, 89);
    expect_usable(&r);
    run_close(&r);
}

/** Weights that are all NaN: each request ends with an error of its own, the steps are in order. */
static void engine_logits_that_are_not_finite_end_the_request(void **state) {
    const temp_dir *dir = *state;
    size_t size, text_size;
    uint64_t header;
    char *text = json_edit_read(LLAMA "/config.json", &text_size);
    char *bytes = json_edit_read(LLAMA "/model.safetensors", &size);
    memcpy(&header, bytes, sizeof header);
    memset(bytes + 8 + header, 0xff, size - 8 - header);
    temp_dir_write(dir, "config.json", text, text_size);
    temp_dir_write(dir, "model.safetensors", bytes, size);
    run r = run_open(dir->path, &f32);
    for (int i = 0; i < 2; i++) {
        fm_error err = {0};
        run_answer answer = {0};
        int32_t active = -1;
        const fm_request request = {
            .ids = prompt, .n_ids = 7, .on_event = run_keep_token, .user = &answer};
        assert_int_equal(fm_engine_submit(r.engine, &request, NULL, NULL), FM_OK);
        assert_int_equal(fm_engine_step(r.engine, &active, &err), FM_OK);
        assert_int_equal(err.text[0], '\0');
        assert_int_equal(active, 0);
        assert_int_equal(answer.n, 0);
        assert_int_equal(answer.end.finish, FM_FINISH_ERROR);
        assert_int_equal(answer.end.status, FM_ERR_NOT_FINITE);
    }
    run_close(&r);
    free(bytes);
    free(text);
}

/* ---- Logits as a file ------------------------------------------------------------------------ */

static void logits_file_holds_the_engines_logits(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE], shape[64];
    temp_dir_path(dir, "a.npy", path);
    oracle o;
    assert_true(oracle_read(LLAMA, &o));
    for (int32_t k = 0; k < o.n_cases; k++) {
        const oracle_case *c = &o.cases[k];
        size_t size, n_values = (size_t)c->n_ids * (size_t)o.vocab * sizeof(float);
        fm_error err = {0};
        run r = run_open(LLAMA, &f32);
        if (fm_engine_write_logits(r.engine, c->ids, (size_t)c->n_ids, path, NULL, NULL, &err) !=
            FM_OK)
            fail_msg("%s", err.text);
        float *logits = run_logits(&r, c->ids, c->n_ids);
        char *file = json_edit_read(path, &size);
        assert_int_equal(size, 128 + n_values);
        assert_memory_equal(file, "\x93NUMPY\x01\x00", 8);
        snprintf(shape, sizeof shape, "'shape': (%d, %d)", c->n_ids, o.vocab);
        file[127] = '\0';
        assert_non_null(strstr(file + 10, "'descr': '<f4'"));
        assert_non_null(strstr(file + 10, "'fortran_order': False"));
        assert_non_null(strstr(file + 10, shape));
        assert_memory_equal(file + 128, logits, n_values);
        assert_int_equal(temp_dir_count(dir), 1);
        free(file);
        free(logits);
        run_close(&r);
    }
    oracle_free(&o);
}

static void logits_file_that_fails_leaves_nothing(void **state) {
    const temp_dir *dir = *state;
    char absent[TEMP_PATH_SIZE], good[TEMP_PATH_SIZE];
    fm_error err = {0};
    temp_dir_path(dir, "absent/a.npy", absent);
    temp_dir_path(dir, "a.npy", good);
    run r = run_open(LLAMA, &f32);
    expect_error("no such directory",
                 fm_engine_write_logits(r.engine, prompt, 7, absent, NULL, NULL, &err), &err,
                 FM_ERR_NOT_FOUND, "absent/a.npy");
    expect_error("a directory",
                 fm_engine_write_logits(r.engine, prompt, 7, dir->path, NULL, NULL, &err), &err,
                 FM_ERR_IO, dir->path);
    expect_error("empty", fm_engine_write_logits(r.engine, prompt, 0, good, NULL, NULL, &err), &err,
                 FM_ERR_ARG, "empty");
    expect_error("bad id", fm_engine_write_logits(r.engine, too_large, 3, good, NULL, NULL, &err),
                 &err, FM_ERR_ARG, "token id 224");
    expect_error("too long",
                 fm_engine_write_logits(r.engine, thousand, 1000, good, NULL, NULL, &err), &err,
                 FM_ERR_LIMIT, "the context 512");
    assert_int_equal(temp_dir_count(dir), 0);
    expect_usable(&r);
    run_close(&r);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_parameters_out_of_range_are_refused),
        cmocka_unit_test(model_limits_in_range_hold),
        IN_DIR(model_open_logs_what_it_opened_and_what_is_odd),
        cmocka_unit_test(model_without_parameters_takes_defaults),
        cmocka_unit_test(model_and_engine_of_null_are_freed),
        cmocka_unit_test(engine_parameters_out_of_range_are_refused),
        cmocka_unit_test(engine_full_queue_refuses_until_a_request_runs),
        cmocka_unit_test(engine_refused_requests_leave_it_usable),
        cmocka_unit_test(engine_logits_refuses_what_submit_refuses),
        IN_DIR(engine_logits_that_are_not_finite_end_the_request),
        IN_DIR(logits_file_holds_the_engines_logits),
        IN_DIR(logits_file_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests_name("test_engine_limits", tests, NULL, NULL);
}
