/*
 * cpu_dots.h - tiles of dot products: four rows in any element format times a few float32 vectors.
 * Included by cpu_kernels.c only, which is compiled once per instruction set.
 *
 * A dot product is one chain whatever the tile: sixteen partial sums, lane = k mod 16, ascending,
 * one fold at the end. Partial sums may be stored and loaded again between elements: float32 keeps
 * their bits.
 */
#ifndef FATHOM_CPU_DOTS_H
#define FATHOM_CPU_DOTS_H

#include <stdbool.h>

#include "cpu_kernels.h"
#include "cpu_lanes.h"

/* ---- Element formats ------------------------------------------------------------------------- */

/* Every load of row elements passes here with its address and bytes, so that a build of the kernels
 * for the tests can count what the loops below really read. */
#ifndef CPU_ROW_READ
#define CPU_ROW_READ(address, size) ((void)0)
#endif

/** A row-element format: how sixteen of them, and the last few of a row, become lanes; and how a
 * later one is fetched into the cache. */
#define ROW_FORMAT(format, type, load16, widen)                                                    \
    static inline lanes load_##format(const void *row, int64_t i) {                                \
        CPU_ROW_READ((const type *)row + i, LANES * sizeof(type));                                 \
        return load16((const type *)row + i);                                                      \
    }                                                                                              \
    static inline lanes load_part_##format(const void *row, int64_t i, int64_t n) {                \
        float part[LANES] = {0};                                                                   \
        CPU_ROW_READ((const type *)row + i, (size_t)n * sizeof(type));                             \
        for (int64_t l = 0; l < n; l++) part[l] = widen(((const type *)row)[i + l]);               \
        return lanes_load(part);                                                                   \
    }                                                                                              \
    static inline void fetch_##format(const void *row, int64_t i) {                                \
        __builtin_prefetch((const type *)row + i);                                                 \
    }

static inline float same(float x) {
    return x;
}

ROW_FORMAT(f32, float, lanes_load, same)
ROW_FORMAT(bf16, uint16_t, lanes_load_bf16, half_bf16_widen)
ROW_FORMAT(f16, uint16_t, lanes_load_f16, half_f16_widen)

/* ---- Tiles ----------------------------------------------------------------------------------- */

enum {
    DOT_ROWS = CPU_TILE_ROWS,
    DOT_VECTORS = CPU_TILE_TOKENS, /* at most: four times four sums fit 32 registers */
    DOT_KEPT_MAX = 512, /* elements of a row that are kept at a time: with as much of the vectors
                           they fit a first-level cache */
    /* Of kept rows: off a power of two, lest equal elements of rows compete for one cache set. */
    DOT_KEPT_STRIDE = DOT_KEPT_MAX + LANES,
};

/** What a tile works with. Its products are added to `sums`, [vectors][DOT_ROWS][LANES] partial
 * sums.
 */
typedef struct dot_tile {
    const void *rows[DOT_ROWS];
    const float *vectors[DOT_VECTORS];
    int64_t n; /* elements; at most DOT_KEPT_MAX when they are kept */
    float *sums;
    const void *ahead[DOT_ROWS]; /* direct and keep: rows that are wanted next, fetched meanwhile */
    float *kept;                 /* keep: gets the rows as float32, [DOT_ROWS][DOT_KEPT_STRIDE] */
} dot_tile;

/** Where in `sums` the sixteen of one dot product begin. */
static inline int dot_at(int vector, int row) {
    return (vector * DOT_ROWS + row) * LANES;
}

/** The last n % LANES elements of a tile whose sums are in memory. */
#define DOT_TAIL(format)                                                                           \
    static void dot_tail_##format(const dot_tile *tile, int n_vectors, float *kept) {              \
        int64_t n = tile->n % LANES, i = tile->n - n;                                              \
        for (int r = 0; r < DOT_ROWS; r++) {                                                       \
            lanes w = load_part_##format(tile->rows[r], i, n);                                     \
            if (kept) lanes_store(kept + r * DOT_KEPT_STRIDE + i, w);                              \
            for (int t = 0; t < n_vectors; t++) {                                                  \
                lanes x = lanes_load_part(tile->vectors[t] + i, n);                                \
                float *sum = tile->sums + dot_at(t, r);                                            \
                lanes_store(sum, lanes_fma(w, x, lanes_load(sum)));                                \
            }                                                                                      \
        }                                                                                          \
    }

/* Loops over sums and pointers. Where lanes are registers, told to unroll: then no compiler keeps a
 * copy of the sums in memory. */
#if defined(__AVX2__)
#define DOT_EACH(i, n) _Pragma("GCC unroll 8") for (int i = 0; i < (n); i++)
#else
#define DOT_EACH(i, n) for (int i = 0; i < (n); i++)
#endif

/** A tile of T vectors. T, and what it does besides, are constants: all sums and pointers stay in
 * registers and the loop has no branches. */
/* clang-format off */
#define DOT_TILE(name, format, T, fetches, keeps)                                                  \
    static void dot_##name##_##format##_##T(const dot_tile *tile) {                                \
        const void *rows[DOT_ROWS], *ahead[DOT_ROWS];                                              \
        const float *vectors[T];                                                                   \
        float *sums = tile->sums, *kept = tile->kept;                                              \
        lanes sum[DOT_ROWS][T];                                                                    \
        int64_t n = tile->n;                                                                       \
        DOT_EACH(r, DOT_ROWS) rows[r] = tile->rows[r];                                             \
        DOT_EACH(r, DOT_ROWS) ahead[r] = tile->ahead[r];                                           \
        DOT_EACH(t, T) vectors[t] = tile->vectors[t];                                              \
        DOT_EACH(r, DOT_ROWS) DOT_EACH(t, T) sum[r][t] = lanes_load(sums + dot_at(t, r));          \
        for (int64_t i = 0; i + LANES <= n; i += LANES) {                                          \
            lanes x[T];                                                                            \
            DOT_EACH(t, T) x[t] = lanes_load(vectors[t] + i);                                      \
            DOT_EACH(r, DOT_ROWS) {                                                                \
                lanes w = load_##format(rows[r], i);                                               \
                if (fetches) fetch_##format(ahead[r], i);                                          \
                if (keeps) lanes_store(kept + r * DOT_KEPT_STRIDE + i, w);                         \
                DOT_EACH(t, T) sum[r][t] = lanes_fma(w, x[t], sum[r][t]);                          \
            }                                                                                      \
        }                                                                                          \
        DOT_EACH(r, DOT_ROWS) DOT_EACH(t, T) lanes_store(sums + dot_at(t, r), sum[r][t]);          \
        if (n % LANES != 0) dot_tail_##format(tile, T, keeps ? kept : NULL);                       \
    }
/* clang-format on */

/** Tiles of 1 … DOT_VECTORS vectors. */
#define DOT_TILES(name, format, fetches)                                                           \
    DOT_TILE(name, format, 1, fetches, false)                                                      \
    DOT_TILE(name, format, 2, fetches, false)                                                      \
    DOT_TILE(name, format, 3, fetches, false)                                                      \
    DOT_TILE(name, format, 4, fetches, false)                                                      \
    static void dot_##name##_##format(const dot_tile *tile, int n_vectors) {                       \
        static void (*const by_vectors[DOT_VECTORS])(const dot_tile *) = {                         \
            dot_##name##_##format##_1, dot_##name##_##format##_2, dot_##name##_##format##_3,       \
            dot_##name##_##format##_4};                                                            \
        by_vectors[n_vectors - 1](tile);                                                           \
    }

DOT_TAIL(f32)
DOT_TAIL(bf16)
DOT_TAIL(f16)

/* Of rows that are near. */
DOT_TILES(near, f32, false)
DOT_TILES(near, bf16, false)

/* Of rows that come from afar and are needed once: the next ones are fetched meanwhile. */
DOT_TILES(direct, f32, true)
DOT_TILES(direct, bf16, true)
DOT_TILES(direct, f16, true)

/* The same of rows that are needed again, times as many vectors as there are registers for sums. */
#if defined(__AVX2__) && !defined(__AVX512F__)
#define DOT_KEEP_VECTORS 1
#else
#define DOT_KEEP_VECTORS 4
#endif
#define DOT_KEEP_OF(format, T)                                                                     \
    DOT_TILE(keep, format, T, true, true)                                                          \
    static void dot_keep_##format(const dot_tile *tile) {                                          \
        dot_keep_##format##_##T(tile);                                                             \
    }
#define DOT_KEEP(format, T) DOT_KEEP_OF(format, T)
DOT_KEEP(f32, DOT_KEEP_VECTORS)
DOT_KEEP(bf16, DOT_KEEP_VECTORS)
DOT_KEEP(f16, DOT_KEEP_VECTORS)

#endif
