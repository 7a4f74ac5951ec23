/*
 * cpu_panel.h - a panel of weight rows times all tokens of a task: each row element is loaded once,
 * and stays near as float32 while tile after tile of the tokens uses it. Included by cpu_kernels.c
 * only.
 */
#ifndef FATHOM_CPU_PANEL_H
#define FATHOM_CPU_PANEL_H

#include <string.h>

#include "cpu_dots.h"

/** How a panel of one element format is read. */
typedef struct panel_format {
    int64_t size; /* bytes of an element */
    void (*direct)(const dot_tile *tile, int n_vectors);
    void (*keep)(const dot_tile *tile);              /* DOT_KEEP_VECTORS vectors */
    void (*widen)(const dot_tile *tile, int n_rows); /* only fills tile->kept */
} panel_format;

#define PANEL_FORMAT(format, type)                                                                 \
    static void panel_widen_##format(const dot_tile *tile, int n_rows) {                           \
        for (int r = 0; r < n_rows; r++) {                                                         \
            float *kept = tile->kept + r * DOT_KEPT_STRIDE;                                        \
            int64_t i = 0;                                                                         \
            for (; i + LANES <= tile->n; i += LANES)                                               \
                lanes_store(kept + i, load_##format(tile->rows[r], i));                            \
            if (i < tile->n)                                                                       \
                lanes_store(kept + i, load_part_##format(tile->rows[r], i, tile->n - i));          \
        }                                                                                          \
    }                                                                                              \
    static const panel_format panel_##format = {sizeof(type), dot_direct_##format,                 \
                                                dot_keep_##format, panel_widen_##format};

PANEL_FORMAT(f32, float)
PANEL_FORMAT(bf16, uint16_t)
PANEL_FORMAT(f16, uint16_t)

/** Points a tile to elements [start, start + tile->n) of the panel's rows; those ahead follow them,
 * in the same rows or at the beginning of the next. */
static void panel_set_rows(const cpu_panel *p, int64_t size, int64_t start, dot_tile *tile) {
    bool last = start + tile->n == p->k;
    for (int r = 0; r < p->n_rows; r++) {
        const char *row = (const char *)p->rows[r] + start * size;
        tile->rows[r] = row;
        tile->ahead[r] = last ? p->ahead[r] : row + tile->n * size;
    }
}

/** The same for n tokens from t, and their sums. */
static void panel_set_tokens(const cpu_panel *p, int t, int n, int64_t start, float *sums,
                             dot_tile *tile) {
    for (int i = 0; i < n; i++) tile->vectors[i] = p->x + (t + i) * p->x_stride + start;
    tile->sums = sums + t * DOT_ROWS * LANES;
}

/** Few tokens: one tile over the whole rows. */
static void panel_direct(const cpu_panel *p, const panel_format *format, float *sums) {
    dot_tile tile = {.n = p->k};
    panel_set_rows(p, format->size, 0, &tile);
    panel_set_tokens(p, 0, p->n_tokens, 0, sums, &tile);
    format->direct(&tile, p->n_tokens);
}

/** Many tokens, or fewer rows than a tile has: block after block of the rows is kept, by the first
 * tile or by itself, and the other tokens' tiles find it near. */
static void panel_blocks(const cpu_panel *p, const panel_format *format, float *sums) {
    _Alignas(64) float kept[DOT_ROWS * DOT_KEPT_STRIDE];
    bool full = p->n_rows == DOT_ROWS && p->n_tokens >= DOT_KEEP_VECTORS;
    if (p->n_rows < DOT_ROWS) memset(kept, 0, sizeof kept);
    for (int64_t start = 0; start < p->k; start += DOT_KEPT_MAX) {
        dot_tile tile = {.n = p->k - start < DOT_KEPT_MAX ? p->k - start : DOT_KEPT_MAX,
                         .kept = kept};
        panel_set_rows(p, format->size, start, &tile);
        if (full) {
            panel_set_tokens(p, 0, DOT_KEEP_VECTORS, start, sums, &tile);
            format->keep(&tile);
        } else {
            format->widen(&tile, p->n_rows);
        }
        for (int r = 0; r < DOT_ROWS; r++) tile.rows[r] = kept + r * DOT_KEPT_STRIDE;
        for (int t = full ? DOT_KEEP_VECTORS : 0, n; t < p->n_tokens; t += n) {
            n = p->n_tokens - t < DOT_KEEP_VECTORS ? p->n_tokens - t : DOT_KEEP_VECTORS;
            panel_set_tokens(p, t, n, start, sums, &tile);
            dot_near_f32(&tile, n);
        }
    }
}

static void panel_run(const cpu_panel *p, const panel_format *format) {
    _Alignas(64) float sums[CPU_PANEL_TOKENS * DOT_ROWS * LANES];
    memset(sums, 0, (size_t)(p->n_tokens * DOT_ROWS * LANES) * sizeof *sums);
    if (p->n_tokens <= DOT_KEEP_VECTORS && p->n_rows == DOT_ROWS)
        panel_direct(p, format, sums);
    else
        panel_blocks(p, format, sums);
    for (int i = 0; i < p->n_tokens * DOT_ROWS; i++)
        p->out[i] = lanes_fold(lanes_load(sums + i * LANES));
}

static void matmul_panel_f32(const cpu_panel *p) {
    panel_run(p, &panel_f32);
}

static void matmul_panel_bf16(const cpu_panel *p) {
    panel_run(p, &panel_bf16);
}

static void matmul_panel_f16(const cpu_panel *p) {
    panel_run(p, &panel_f16);
}

#endif
