/*
 * test_head.c - rows of logits through the CPU device to tokens: the order of all steps of
 * sampling, one case for each way to mix two of them up; that rows of one step do not touch each
 * other; and the most likely tokens.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/head.h"
#include "support/expect.h"
#include "support/stream.h"

/* ---- A head with its device ------------------------------------------------------------------ */

typedef struct fixture {
    fm_device *dev;
    head h;
    sampler s;
    fm_buf *buf;
    fm_tensor logits; /* [max_rows, V] */
} fixture;

static void fixture_open(fixture *f, int32_t vocab_size, int32_t max_rows) {
    fm_error err = {0};
    fm_device_params params = {.max_tokens = max_rows,
                               .max_rows = max_rows,
                               .max_sequences = max_rows,
                               .max_context = 64,
                               .n_threads = 2};
    const head_limits limits = {
        .vocab_size = vocab_size, .max_rows = max_rows, .row_edits = vocab_size};
    size_t n = (size_t)vocab_size * (size_t)max_rows;
    *f = (fixture){0};
    if (device_open(&fm_backend_cpu, &params, (fm_log){0}, &f->dev, &err) != FM_OK ||
        head_new(f->dev, &limits, &f->h, &err) != FM_OK ||
        sampler_new(vocab_size, &f->s, &err) != FM_OK ||
        buf_new(f->dev, n * sizeof(float), &f->buf, &err) != FM_OK)
        fail_msg("%s", err.text);
    f->logits = tensor_2d(f->buf, FM_DTYPE_F32, max_rows, vocab_size);
}

static void fixture_close(fixture *f) {
    buf_free(f->dev, f->buf);
    sampler_free(&f->s);
    head_free(&f->h);
    device_close(f->dev);
}

/** Runs the rows that were added with these logits, [n_rows, V]. */
static void fixture_run(fixture *f, const float *logits) {
    fm_tensor rows = tensor_slice(f->logits, 0, 0, f->h.n_rows);
    assert_int_equal(device_write(f->dev, rows, logits), FM_OK);
    uint64_t ticket;
    if (head_encode(&f->h, rows) != FM_OK) fail_msg("head_encode: %s", device_fault(f->dev));
    assert_int_equal(device_submit(f->dev, &ticket), FM_OK);
    assert_int_equal(device_wait(f->dev, ticket), FM_OK);
    assert_int_equal(head_read(&f->h), FM_OK);
}

/** Draws from row i as the engine does: from all logits where the candidates are too few. */
static fm_logprob fixture_draw(fixture *f, const fm_sampling *p, int32_t i, const float *logits,
                               uint64_t counter) {
    sampler_row row = head_row(&f->h, i);
    sampler_logits all = head_logits(&f->h, i, logits);
    fm_logprob token, other;
    assert_int_equal(sampler_draw(p, &row, counter, &token), FM_OK);
    assert_int_equal(sampler_draw_all(&f->s, p, &row, &all, counter, &other), FM_OK);
    if (token.id < 0) return other;
    assert_int_equal(token.id, other.id);
    assert_true(token.logprob == other.logprob);
    return token;
}

/* ---- The order of the steps ------------------------------------------------------------------ */

static const fm_logit_bias bias_1[] = {{1, 1}}, bias_3[] = {{3, 2}}, bias_big[] = {{0, 50}};

/** Logits of six ids, history, settings, allowed ids, and which ids must be drawn ('x'). The name
 * says which order another outcome would show. */
static const struct order_case {
    const char *name;
    float logits[6];
    const char *prompt, *answer; /* digits: ids */
    const char *mask;            /* '.': not allowed; NULL: no mask */
    fm_sampling sampling;
    const char *drawn;
} order_cases[] = {
    /* 2 / 2 + 1 = 2 beats 1.9; (2 + 1) / 2 does not. */
    {"repetition before bias",
     {1.9f, 2, 0, 0, 0, 0},
     "1",
     "",
     NULL,
     {.repetition_penalty = 2, .bias = bias_1, .n_bias = 1},
     ".x...."},
    /* 3 / 2 - 1 = 0.5 loses against 0.8; (3 - 1) / 2 does not. */
    {"repetition before presence",
     {0.8f, 3, 0, 0, 0, 0},
     "",
     "1",
     NULL,
     {.repetition_penalty = 2, .presence_penalty = 1},
     "x....."},
    {"repetition of negative logits multiplies",
     {-2, -1, -9, -9, -9, -9},
     "1",
     "",
     NULL,
     {.repetition_penalty = 4},
     "x....."},
    {"frequency counts the answer only",
     {0.5f, 2, 0, 0, 0, 0},
     "111111",
     "1",
     NULL,
     {.frequency_penalty = 1},
     ".x...."},
    {"frequency counts each time",
     {0.5f, 2, 0, 0, 0, 0},
     "",
     "11",
     NULL,
     {.frequency_penalty = 1},
     "x....."},
    {"presence counts once",
     {0.5f, 2, 0, 0, 0, 0},
     "",
     "111",
     NULL,
     {.presence_penalty = 1},
     ".x...."},
    {"mask after bias",
     {0, 1, 0, 0, 0, 0},
     "",
     "",
     ".xxxxx",
     {.bias = bias_big, .n_bias = 1},
     ".x...."},
    /* With its temperature the bias is 2 / 4: shares 1 and e^-0.25 are above min-p, else not. */
    {"bias before temperature",
     {-9, -9, 1, 0, -9, -9},
     "",
     "",
     NULL,
     {.temperature = 4, .min_p = 0.7f, .bias = bias_3, .n_bias = 1},
     "..xx.."},
    {"penalties before temperature",
     {-9, -9, 1, 2, -9, -9},
     "",
     "3",
     NULL,
     {.temperature = 4, .min_p = 0.7f, .presence_penalty = 2},
     "..xx.."},
    {"mask before top-k",
     {5, 4, 4, 4, 0, 0},
     "",
     "",
     ".xxxxx",
     {.temperature = 1, .top_k = 2},
     ".xx..."},
    {"mask before top-p",
     {5, 2, 1.9f, 1.8f, -9, -9},
     "",
     "",
     ".xxxxx",
     {.temperature = 1, .top_p = 0.4f},
     ".xx..."},
    {"mask before min-p",
     {9, 2, 1.9f, -1, -9, -9},
     "",
     "",
     ".xxxxx",
     {.temperature = 1, .min_p = 0.5f},
     ".xx..."},
    {"temperature before top-p",
     {2, 1, -9, -9, -9, -9},
     "",
     "",
     NULL,
     {.temperature = 4, .top_p = 0.56f},
     "xx...."},
    {"top-k before top-p",
     {2, 2, 2, 2, 2, 2},
     "",
     "",
     NULL,
     {.temperature = 1, .top_k = 2, .top_p = 0.45f},
     "x....."},
    {"penalties before top-k",
     {2, 1.9f, 1.8f, 0, 0, 0},
     "",
     "0",
     NULL,
     {.temperature = 1, .top_k = 2, .presence_penalty = 1},
     ".xx..."},
    {"equals to the lower id after edits",
     {0, 1, 0, -1, 1, 1},
     "",
     "",
     NULL,
     {.bias = bias_3, .n_bias = 1},
     ".x...."},
    {"a greedy draw edits and masks",
     {3, 2, 1, 0, 0, 0},
     "0",
     "",
     ".xxxxx",
     {.repetition_penalty = 2},
     ".x...."},
};

static int32_t ids_of(const char *digits, int32_t *out) {
    int32_t n = 0;
    for (; digits[n]; n++) out[n] = digits[n] - '0';
    return n;
}

static void add_case(fixture *f, const struct order_case *c) {
    int32_t prompt[8], answer[8];
    int32_t n_prompt = ids_of(c->prompt, prompt), n_answer = ids_of(c->answer, answer);
    head_begin(&f->h);
    head_add(&f->h, &c->sampling, &(penalty_history){prompt, n_prompt, answer, n_answer}, 0);
    for (int v = 0; c->mask && v < 6; v++)
        if (c->mask[v] == '.') head_mask(&f->h)[0] &= ~(1u << v);
}

static void head_steps_come_in_their_order(void **state) {
    (void)state;
    fixture f;
    fixture_open(&f, 6, 1);
    for (size_t i = 0; i < sizeof order_cases / sizeof *order_cases; i++) {
        const struct order_case *c = &order_cases[i];
        char drawn[] = "......";
        assert_int_equal(sampler_check(&c->sampling, 6, NULL), FM_OK);
        add_case(&f, c);
        fixture_run(&f, c->logits);
        for (uint64_t n = 0; n < 500; n++)
            drawn[fixture_draw(&f, &c->sampling, 0, c->logits, n).id] = 'x';
        if (strcmp(drawn, c->drawn) != 0) fail_msg("%s: %s, not %s", c->name, drawn, c->drawn);
    }
    fixture_close(&f);
}

/* ---- Rows of one step ------------------------------------------------------------------------ */

enum { V = 2100, ROWS = 9, HISTORY = 50, N_BEST = 5, N_TOKENS = 30 };

/** A sequence with settings of its own. */
typedef struct sequence {
    float logits[V];
    int32_t ids[HISTORY];
    fm_sampling p;
    bool masked;
    fm_logprob tokens[N_TOKENS], best[N_BEST]; /* what it got alone */
} sequence;

static void sequence_fill(sequence *q, stream *r, int32_t i) {
    for (int32_t v = 0; v < V; v++) q->logits[v] = (float)stream_value(r, 3.0 + 2 * i);
    for (int32_t k = 0; k < HISTORY; k++) q->ids[k] = stream_between(r, 0, V - 1);
    q->masked = i % 4 == 1;
    q->p = (fm_sampling){.temperature = i % 3 == 2 ? 0.0f : 0.5f + (float)i,
                         .top_p = i % 2 ? 0.9f : 0.0f,
                         .repetition_penalty = i % 2 ? 1.3f : 0.0f,
                         .frequency_penalty = i == 4 ? 1.5f : 0.0f,
                         .seed = (uint64_t)i};
}

static void sequence_add(head *h, const sequence *q) {
    head_add(h, &q->p, &(penalty_history){q->ids, HISTORY / 2, q->ids + HISTORY / 2, HISTORY / 2},
             N_BEST);
    for (int32_t w = 0; q->masked && w < V / 32; w += 2) head_mask(h)[w] = 0;
}

static void head_rows_do_not_touch_each_other(void **state) {
    (void)state;
    static sequence all[ROWS];
    static float logits[ROWS * V];
    stream r = {3};
    fixture f;
    fixture_open(&f, V, ROWS);
    for (int32_t i = 0; i < ROWS; i++) {
        sequence_fill(&all[i], &r, i);
        memcpy(logits + i * V, all[i].logits, sizeof all[i].logits);
        head_begin(&f.h);
        sequence_add(&f.h, &all[i]);
        fixture_run(&f, all[i].logits);
        for (uint64_t n = 0; n < N_TOKENS; n++)
            all[i].tokens[n] = fixture_draw(&f, &all[i].p, 0, all[i].logits, n);
        assert_int_equal(head_row(&f.h, 0).n, all[i].p.temperature > 0 ? FM_HEAD_TOP_MAX : 1);
        assert_int_equal(head_alternatives(&f.h, 0, N_BEST, all[i].best), N_BEST);
    }
    head_begin(&f.h);
    for (int32_t i = 0; i < ROWS; i++) sequence_add(&f.h, &all[i]);
    fixture_run(&f, logits);
    for (int32_t i = 0; i < ROWS; i++) {
        fm_logprob best[N_BEST], tokens[N_TOKENS];
        for (uint64_t n = 0; n < N_TOKENS; n++)
            tokens[n] = fixture_draw(&f, &all[i].p, i, all[i].logits, n);
        assert_int_equal(head_row(&f.h, i).n, FM_HEAD_TOP_MAX); /* the last row alone is greedy */
        assert_int_equal(head_alternatives(&f.h, i, N_BEST, best), N_BEST);
        assert_memory_equal(best, all[i].best, sizeof best);
        assert_memory_equal(tokens, all[i].tokens, sizeof tokens);
    }
    fixture_close(&f);
}

/* ---- Alternatives ---------------------------------------------------------------------------- */

/** The best of the model's own distribution, whatever edits and mask do; their log-probabilities
 * against float64. */
static void head_alternatives_are_the_models_own(void **state) {
    (void)state;
    static float logits[V];
    const fm_logit_bias bias[] = {{7, 90}, {1500, -90}};
    const fm_sampling p = {.temperature = 3, .top_k = 2, .bias = bias, .n_bias = 2};
    static const int32_t order[] = {1500, 3, 1999, 40, 0};
    fixture f;
    fm_logprob best[FM_HEAD_TOP_MAX];
    double sum = 0.0;
    for (int32_t v = 0; v < V; v++) logits[v] = v == 0 ? -3.9f : -4;
    logits[1500] = 5, logits[3] = logits[1999] = 4, logits[40] = 2;
    for (int32_t v = 0; v < V; v++) sum += exp((double)logits[v]);
    fixture_open(&f, V, 1);
    head_begin(&f.h);
    head_add(&f.h, &p, &(penalty_history){0}, FM_HEAD_TOP_MAX);
    head_mask(&f.h)[0] &= ~8u;
    fixture_run(&f, logits);
    assert_int_equal(head_alternatives(&f.h, 0, FM_HEAD_TOP_MAX, best), FM_HEAD_TOP_MAX);
    for (int i = 0; i < 5; i++) {
        double expected = (double)logits[order[i]] - log(sum);
        assert_int_equal(best[i].id, order[i]);
        assert_true(fabs((double)best[i].logprob - expected) < 2e-6 * (1 + fabs(expected)));
    }
    assert_int_equal(best[5].id, 1);
    fm_logprob token = fixture_draw(&f, &p, 0, logits, 0);
    assert_int_equal(token.id, 7);
    assert_true(fabs((double)token.logprob - (-4 - log(sum))) < 1e-5);
    fixture_close(&f);
}

static void head_alternatives_end_with_the_vocabulary(void **state) {
    (void)state;
    const float logits[3] = {1, 2, 2};
    fixture f;
    fm_logprob best[6];
    fixture_open(&f, 3, 1);
    head_begin(&f.h);
    head_add(&f.h, &(fm_sampling){0}, &(penalty_history){0}, 6);
    fixture_run(&f, logits);
    assert_int_equal(head_alternatives(&f.h, 0, 6, best), 3);
    assert_int_equal(best[0].id, 1);
    assert_int_equal(best[2].id, 0);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_steps_come_in_their_order),
        cmocka_unit_test(head_rows_do_not_touch_each_other),
        cmocka_unit_test(head_alternatives_are_the_models_own),
        cmocka_unit_test(head_alternatives_end_with_the_vocabulary),
    };
    return cmocka_run_group_tests_name("test_head", tests, NULL, NULL);
}
