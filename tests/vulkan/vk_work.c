/* vk_work.c - the piece of work, and what is checked behind it. */
#include "vk_work.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vk_rig.h"

/* ---- The work ----------------------------------------------------------------------------------- */

typedef struct state {
    fm_device *dev;
    fm_buf *x, *gain, *y, *z;
    fm_weight *w;
    float numbers[WORK_WIDTH * WORK_WIDTH];
} state;

static void take_line(void *user, fm_log_level level, const char *line) {
    vk_work *work = user;
    work->n_told += level > FM_LOG_DEBUG;
    if (level != FM_LOG_ERROR) return;
    work->n_errors++;
    snprintf(work->last_error, sizeof work->last_error, "%s", line);
}

static fm_tensor view(fm_buf *buf) {
    return tensor_2d(buf, FM_DTYPE_F32, WORK_TOKENS, WORK_WIDTH);
}

static fm_tensor gain_view(const state *s) {
    return tensor_1d(s->gain, FM_DTYPE_F32, WORK_WIDTH);
}

static fm_status make_all(state *s, fm_error *err) {
    for (int32_t i = 0; i < WORK_WIDTH * WORK_WIDTH; i++)
        s->numbers[i] = (float)((i * 37 + i / 7) % 41 - 20) / 16.0f;
    fm_weight_part part = {s->numbers, WORK_WIDTH, WORK_WIDTH, 1};
    fm_weight_source source = {FM_DTYPE_F32, 1, 1, WORK_WIDTH, &part};
    size_t size = WORK_N * sizeof(float);
    FM_TRY(buf_new(s->dev, size, &s->x, err));
    FM_TRY(buf_new(s->dev, WORK_WIDTH * sizeof(float), &s->gain, err));
    FM_TRY(buf_new(s->dev, size, &s->y, err));
    FM_TRY(buf_new(s->dev, size, &s->z, err));
    FM_TRY(weight_load(s->dev, &source, FM_DTYPE_BF16, &s->w, err));
    FM_TRY(device_write(s->dev, view(s->x), s->numbers));
    return device_write(s->dev, gain_view(s), s->numbers + 9);
}

/** x = silu(W norm(x)) * norm(x): each operation reads what the one before wrote. */
static fm_status encode(state *s) {
    fm_record_key key = {.owner = s, .sizes = {WORK_TOKENS}};
    bool kept = false;
    FM_TRY(device_record(s->dev, &key, &kept));
    if (kept) return FM_OK;
    FM_TRY(op_norm(s->dev, &(fm_norm){view(s->x), gain_view(s), 1e-5f, view(s->y)}));
    FM_TRY(op_matmul(s->dev, &(fm_matmul){.x = view(s->y), .w = s->w, .y = view(s->z)}));
    FM_TRY(op_gate_mul(s->dev, &(fm_gate_mul){view(s->z), view(s->y), view(s->x)}));
    return device_record_end(s->dev);
}

static fm_status run_steps(state *s, float *result) {
    for (int32_t i = 0; i < WORK_STEPS; i++) {
        uint64_t ticket;
        FM_TRY(encode(s));
        FM_TRY(device_submit(s->dev, &ticket));
        FM_TRY(device_wait(s->dev, ticket));
    }
    return device_read(s->dev, view(s->x), result);
}

static void free_all(state *s) {
    if (!s->dev) return;
    buf_free(s->dev, s->x);
    buf_free(s->dev, s->gain);
    buf_free(s->dev, s->y);
    buf_free(s->dev, s->z);
    weight_free(s->dev, s->w);
    device_close(s->dev);
}

fm_status vk_work_run(vk_work *work, fm_error *err) {
    static const shim_mask nothing;
    state s = {0};
    const fm_backend *backend;
    shim_control *shim = shim_open();
    const fm_device_params params = {.max_tokens = WORK_TOKENS,
                                     .max_rows = WORK_TOKENS,
                                     .max_sequences = 1,
                                     .max_context = 1024,
                                     .n_threads = 1,
                                     .options = work->options};
    work->n_errors = work->n_told = 0;
    if (shim) shim->mask = work->mask ? *work->mask : nothing;
    fm_status status = backend_find(work->backend, &backend, err);
    if (status == FM_OK)
        status = device_open(backend, &params, (fm_log){take_line, work}, &s.dev, err);
    if (status == FM_OK) status = make_all(&s, err);
    if (status == FM_OK) status = run_steps(&s, work->result);
    if (status != FM_OK && s.dev) device_abandon(s.dev);
    free_all(&s);
    return status;
}

/* ---- Checks ------------------------------------------------------------------------------------- */

shim_control *vk_work_shim(const char **options) {
    vk_rig rig;
    shim_control *shim = shim_open();
    vk_rig_open(&rig, "");
    VK_RIG_NEED(&rig);
    vk_rig_close(&rig);
    if (!shim) fail_msg("the shim is not in " SHIM_PATH);
    shim->refuse_nth = shim->lose_nth = shim->n_breaches = 0;
    shim->drop_barriers = shim->has_refused = false;
    memset(&shim->counts, 0, sizeof shim->counts);
    vk_work work = {.backend = "vulkan", .options = "validate," SHIM_OPTION};
    fm_error err = {0};
    bool validated = vk_work_run(&work, &err) == FM_OK;
    if (!validated) print_message("skip: without checks: %s\n", err.text);
    *options = validated ? "validate," SHIM_OPTION : SHIM_OPTION;
    return shim;
}

void vk_work_check(const vk_work *work) {
    vk_work cpu = {.backend = "cpu"};
    fm_error err = {0};
    if (vk_work_run(&cpu, &err) != FM_OK) fail_msg("cpu: %s", err.text);
    for (int32_t i = 0; i < WORK_N; i++) {
        double wanted = cpu.result[i], got = work->result[i];
        if (!(fabs(got - wanted) <= 1e-5 * (1 + fabs(wanted))))
            fail_msg("element %d is %g, not %g", (int)i, got, wanted);
    }
}

void vk_work_check_clean(const char *what, const shim_control *shim, const vk_work *work) {
    static const char *const names[] = {
#define OBJECT_NAME(name) #name,
        SHIM_OBJECT_LIST(OBJECT_NAME)
#undef OBJECT_NAME
    };
    for (int i = 0; i < SHIM_OBJECT_COUNT; i++)
        if (shim->live[i] != 0)
            fail_msg("%s: %d of %s are left", what, (int)shim->live[i], names[i]);
    if (shim->n_breaches > 0) fail_msg("%s: used what is masked: %s", what, shim->breach);
    if (work->n_errors > 0) fail_msg("%s: %s", what, work->last_error);
}
