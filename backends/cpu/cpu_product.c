/*
 * cpu_product.c - the matrix products of the CPU backend: how each is divided among threads. Work
 * is cut by output rows and tokens only, never along a sum, so that results do not depend on the
 * cut. For up to CPU_PANEL_TOKENS tokens every weight element is loaded once.
 */
#include "cpu.h"

enum { ROWS_PER_TASK = 64 }; /* weight rows of one task */

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int ceil_div(int64_t a, int64_t b) {
    return (int)((a + b - 1) / b);
}

/** One product: n_tokens rows of x times one matrix. y[t, r] (+)= dot + bias[r]. */
typedef struct product {
    const fm_device_state *s;
    const cpu_weight *w;
    int32_t matrix;
    const float *x;
    int64_t x_stride;
    float *y;
    int64_t y_stride;
    int64_t n_tokens;
    const float *bias; /* may be NULL */
    bool accumulate;
} product;

static void panel_run(const product *p, const cpu_panel *panel) {
    const cpu_kernels *k = p->s->kernels;
    switch (p->w->base.dtype) {
    case FM_DTYPE_F32:
        k->matmul_panel_f32(panel);
        break;
    case FM_DTYPE_BF16:
        k->matmul_panel_bf16(panel);
        break;
    default:
        k->matmul_panel_f16(panel);
    }
}

/** Brings a panel's dot products to its columns of y, which begin at the panel's first row. */
static void panel_write(const product *p, const cpu_panel *panel, int64_t row, float *y) {
    for (int t = 0; t < panel->n_tokens; t++, y += p->y_stride)
        for (int r = 0; r < panel->n_rows; r++) {
            float value = panel->out[t * CPU_TILE_ROWS + r];
            if (p->bias) value += p->bias[row + r];
            y[row + r] = p->accumulate ? y[row + r] + value : value;
        }
}

/** Rows [row, end_row) of the matrix for n_tokens tokens from `token`, at most CPU_PANEL_TOKENS. */
static void product_rows(const product *p, int64_t row, int64_t end_row, int64_t token,
                         int n_tokens) {
    float out[CPU_PANEL_TOKENS * CPU_TILE_ROWS];
    for (; row < end_row; row += CPU_TILE_ROWS) {
        cpu_panel panel = {.n_rows = (int)smaller(CPU_TILE_ROWS, end_row - row),
                           .n_tokens = n_tokens,
                           .k = p->w->base.cols,
                           .x = p->x + token * p->x_stride,
                           .x_stride = p->x_stride,
                           .out = out};
        for (int r = 0; r < panel.n_rows; r++) {
            int64_t ahead = smaller(row + r + CPU_TILE_ROWS, end_row - 1);
            panel.rows[r] = cpu_weight_row(p->w, p->matrix, row + r);
            panel.ahead[r] = cpu_weight_row(p->w, p->matrix, ahead);
        }
        panel_run(p, &panel);
        panel_write(p, &panel, row, p->y + token * p->y_stride);
    }
}

/** Rows [row, row + ROWS_PER_TASK) of the matrix for the tokens [first, end). */
static void product_block(const product *p, int64_t row, int64_t first, int64_t end) {
    int64_t end_row = smaller(row + ROWS_PER_TASK, p->w->base.rows);
    for (int64_t t = first; t < end; t += CPU_PANEL_TOKENS)
        product_rows(p, row, end_row, t, (int)smaller(CPU_PANEL_TOKENS, end - t));
}

/** Tasks of a matrix: blocks of its rows. */
static int count_row_tasks(const fm_weight *w) {
    return ceil_div(w->rows, ROWS_PER_TASK);
}

/* ---- matmul ---------------------------------------------------------------------------------- */

/** A block of rows times tokens whose part of x stays in the second-level cache. */
static void matmul_task(void *user, int task, int worker) {
    (void)worker;
    const product *p = user;
    int n_row_tasks = count_row_tasks(&p->w->base);
    int64_t token = (int64_t)(task / n_row_tasks) * CPU_PANEL_TOKENS;
    product_block(p, (int64_t)(task % n_row_tasks) * ROWS_PER_TASK, token,
                  smaller(token + CPU_PANEL_TOKENS, p->n_tokens));
}

fm_status cpu_matmul(fm_device_state *s, const fm_matmul *a) {
    product p = {
        .s = s,
        .w = (const cpu_weight *)a->w,
        .x = cpu_f32(&a->x),
        .x_stride = a->x.stride[0],
        .y = cpu_f32(&a->y),
        .y_stride = a->y.stride[0],
        .n_tokens = a->x.size[0],
        .bias = a->bias.buf ? cpu_f32(&a->bias) : NULL,
        .accumulate = a->accumulate,
    };
    pool_run(s->threads, count_row_tasks(a->w) * ceil_div(p.n_tokens, CPU_PANEL_TOKENS),
             matmul_task, &p);
    return FM_OK;
}

/* ---- matmul_heads ---------------------------------------------------------------------------- */

typedef struct heads_job {
    const fm_device_state *s;
    const fm_matmul_heads *args;
} heads_job;

/** A block of one head's rows times all tokens. */
static void matmul_heads_task(void *user, int task, int worker) {
    (void)worker;
    const heads_job *job = user;
    const fm_matmul_heads *a = job->args;
    int n_row_tasks = count_row_tasks(a->w);
    int32_t head = task / n_row_tasks;
    product p = {
        .s = job->s,
        .w = (const cpu_weight *)a->w,
        .matrix = head,
        .x = cpu_f32(&a->x) + head * a->x.stride[1],
        .x_stride = a->x.stride[0],
        .y = cpu_f32(&a->y) + head * a->y.stride[1],
        .y_stride = a->y.stride[0],
    };
    product_block(&p, (int64_t)(task % n_row_tasks) * ROWS_PER_TASK, 0, a->x.size[0]);
}

fm_status cpu_matmul_heads(fm_device_state *s, const fm_matmul_heads *a) {
    heads_job job = {s, a};
    pool_run(s->threads, count_row_tasks(a->w) * (int)a->x.size[1], matmul_heads_task, &job);
    return FM_OK;
}

/* ---- matmul_experts -------------------------------------------------------------------------- */

typedef struct experts_job {
    const fm_device_state *s;
    const fm_matmul_experts *args;
} experts_job;

/** A block of one expert's rows times all tokens of that expert; an expert without any is not
 * touched. */
static void matmul_experts_task(void *user, int task, int worker) {
    (void)worker;
    const experts_job *job = user;
    const fm_matmul_experts *a = job->args;
    int n_row_tasks = count_row_tasks(a->w);
    int32_t expert = task / n_row_tasks;
    const int32_t *offsets = cpu_i32(&a->offsets);
    product p = {
        .s = job->s,
        .w = (const cpu_weight *)a->w,
        .matrix = expert,
        .x = cpu_f32(&a->x),
        .x_stride = a->x.stride[0],
        .y = cpu_f32(&a->y),
        .y_stride = a->y.stride[0],
    };
    product_block(&p, (int64_t)(task % n_row_tasks) * ROWS_PER_TASK, offsets[expert],
                  offsets[expert + 1]);
}

fm_status cpu_matmul_experts(fm_device_state *s, const fm_matmul_experts *a) {
    experts_job job = {s, a};
    pool_run(s->threads, count_row_tasks(a->w) * (int)a->w->n_matrices, matmul_experts_task, &job);
    return FM_OK;
}
