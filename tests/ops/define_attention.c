/* define_attention.c - owns what the operations around attention mean: rope, cache_write, attend.
 */
#include "case.h"

#include <math.h>

/* ---- rope: x [T, H, K] ----------------------------------------------------------------------- */

enum { ROPE_POSITIONS = 40 };

static void rope_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_rope *a = &c->args.rope;
    a->x = case_tensor_3d(c, FM_DTYPE_F32, s->T, s->H, s->K);
    a->positions = case_tensor_1d(c, FM_DTYPE_I32, s->T);
    a->table = tensor_split(case_tensor_2d(c, FM_DTYPE_F32, ROPE_POSITIONS, s->K), s->K / 2, 2);
    a->pairing = s->flags & INTERLEAVED ? FM_ROPE_PAIRING_INTERLEAVED : FM_ROPE_PAIRING_HALF;
    a->y = s->flags & IN_PLACE ? a->x : case_tensor_3d(c, FM_DTYPE_F32, s->T, s->H, s->K);
    case_fill(c, a->x);
    for (int32_t t = 0; t < s->T; t++) {
        int32_t position = t == 0 ? ROPE_POSITIONS - 1 : random_below(&c->random, ROPE_POSITIONS);
        host_set(&a->positions, t, 0, 0, position);
    }
    for (int64_t p = 0; p < ROPE_POSITIONS; p++)
        for (int64_t i = 0; i < s->K / 2; i++) {
            double angle = (double)p * pow(10000, -2.0 * (double)i / s->K);
            host_set(&a->table, p, i, 0, cos(angle));
            host_set(&a->table, p, i, 1, sin(angle));
        }
}

static void rope_reference(const op_args *args, double *expected) {
    const fm_rope *a = &args->rope;
    int64_t n_heads = a->x.size[1], n = a->x.size[2];
    bool half = a->pairing == FM_ROPE_PAIRING_HALF;
    for (int64_t t = 0; t < a->x.size[0]; t++)
        for (int64_t h = 0; h < n_heads; h++, expected += n)
            for (int64_t i = 0; i < n / 2; i++) {
                int64_t first = half ? i : 2 * i, second = half ? i + n / 2 : 2 * i + 1;
                double u = host_get(&a->x, t, h, first), v = host_get(&a->x, t, h, second);
                double cosine = host_get(&a->table, host_int(&a->positions, t, 0), i, 0);
                double sine = host_get(&a->table, host_int(&a->positions, t, 0), i, 1);
                expected[first] = u * cosine - v * sine;
                expected[second] = u * sine + v * cosine;
            }
}

const op_definition define_rope = {
    .build = rope_build,
    .reference = rope_reference,
    .operands = {{offsetof(fm_rope, x), true},
                 {offsetof(fm_rope, positions), true},
                 {offsetof(fm_rope, table), false},
                 {offsetof(fm_rope, y), true}},
    .n_operands = 4,
};

/* ---- cache_write: x [T, G, K] into a cache of T + 70 rows ------------------------------------ */

/* Token 0 holds values at which rounding to BF16 is easily done wrong. */
static void cache_write_build(op_case *c) {
    static const double values[] = {0x1.01p0,    0x1.03p0,     0x1.010002p0,  0x1.00fffep0,
                                    -0x1.01p0,   0x1.fffffep0, 0x1p-149,      0x1.8p-133,
                                    0x1.01p-126, -0.0,         0x1.fefffep127};
    const op_shape *s = &c->shape;
    fm_cache_write *a = &c->args.cache_write;
    int32_t n_rows = s->T + 70, order[1024], behind = s->flags & LATENT ? 7 : 0;
    a->x = case_tensor_3d(c, FM_DTYPE_F32, s->T, s->G, s->K);
    a->rows = case_tensor_1d(c, FM_DTYPE_I32, s->T);
    a->cache = case_tensor_3d(c, s->cache, n_rows, s->G, s->K + behind);
    a->cache = tensor_slice(a->cache, 2, behind, s->K);
    case_fill(c, a->x);
    for (int32_t i = 0; i < 11 && i < s->K; i++) host_set(&a->x, 0, 0, i, values[i]);
    random_permutation(&c->random, order, n_rows);
    for (int32_t t = 0; t < s->T; t++) host_set(&a->rows, t, 0, 0, order[t]);
}

/* Rows that no token is written to keep what they held. */
static void cache_write_reference(const op_args *args, double *expected) {
    const fm_cache_write *a = &args->cache_write;
    int64_t n_heads = a->cache.size[1], n = a->cache.size[2];
    for (int64_t row = 0; row < a->cache.size[0]; row++)
        for (int64_t i = 0; i < n_heads * n; i++)
            expected[row * n_heads * n + i] = host_get(&a->cache, row, i / n, i % n);
    for (int64_t t = 0; t < a->x.size[0]; t++)
        for (int64_t i = 0; i < n_heads * n; i++)
            expected[host_int(&a->rows, t, 0) * n_heads * n + i] =
                number_round(a->cache.dtype, host_get(&a->x, t, i / n, i % n));
}

const op_definition define_cache_write = {
    .build = cache_write_build,
    .reference = cache_write_reference,
    .operands = {{offsetof(fm_cache_write, x), true},
                 {offsetof(fm_cache_write, rows), true},
                 {offsetof(fm_cache_write, cache), false}},
    .n_operands = 3,
    .cached = true,
    .exact = true,
};

/* ---- attend: q [T, H, K], y [T, H, N] over G key-value heads --------------------------------- */

/* The last position of each sequence: around blocks of 64 and splits of 512 keys. */
static const int32_t last_positions[] = {0, 63, 64, 511, 512, 1500};

enum { ATTEND_SEQUENCES = 6, ATTEND_PAGES = 24, ATTEND_ALL_PAGES = 48 };

/* Deals the tokens to the sequences, the longest first, as their last positions. */
static void attend_deal(int32_t n_tokens, int32_t counts[ATTEND_SEQUENCES]) {
    for (int32_t s = 0; s < ATTEND_SEQUENCES; s++) counts[s] = 0;
    for (int32_t i = 0; n_tokens > 0; i++) {
        int32_t s = ATTEND_SEQUENCES - 1 - i % ATTEND_SEQUENCES;
        if (counts[s] > last_positions[s]) continue;
        counts[s]++;
        n_tokens--;
    }
}

/* Tokens in ascending positions, sequence after sequence or by turns. */
static void attend_place(op_case *c) {
    fm_attend *a = &c->args.attend;
    int32_t counts[ATTEND_SEQUENCES], given[ATTEND_SEQUENCES] = {0};
    bool by_turns = c->shape.flags & INTERLEAVED;
    attend_deal(c->shape.T, counts);
    for (int32_t t = 0, s = 0; t < c->shape.T;) {
        if (given[s] < counts[s]) {
            host_set(&a->sequences, t, 0, 0, s);
            host_set(&a->positions, t, 0, 0, last_positions[s] + 1 - counts[s] + given[s]);
            given[s]++;
            t++;
            if (!by_turns) continue;
        }
        s = (s + 1) % ATTEND_SEQUENCES;
    }
}

/* The first key that a token attends to. */
static int32_t attend_first(const fm_attend *a, int64_t t) {
    int32_t position = host_int(&a->positions, t, 0);
    return a->window > 0 && position >= a->window ? position - a->window + 1 : 0;
}

/* The first key of a sequence that one of its tokens attends to; 0 when it has no tokens. */
static int32_t attend_oldest(const fm_attend *a, int32_t sequence) {
    for (int64_t t = 0; t < a->q.size[0]; t++) /* positions ascend */
        if (host_int(&a->sequences, t, 0) == sequence) return attend_first(a, t);
    return 0;
}

/* Gives every sequence its pages, placed by the shape's seed, and fills the rows of the keys that
 * it attends to; all other rows of the cache stay NaN, and pages without such keys have no number.
 * The numbers of a key do not depend on its page. */
static void attend_cache(op_case *c, fm_tensor cache) {
    fm_attend *a = &c->args.attend;
    int32_t order[ATTEND_ALL_PAGES], next = 0;
    random_stream pages = {(uint64_t)c->shape.placement};
    random_permutation(&pages, order, ATTEND_ALL_PAGES);
    for (int32_t s = 0; s < ATTEND_SEQUENCES; s++) {
        int32_t oldest = attend_oldest(a, s);
        for (int32_t p = 0; p <= last_positions[s] / FM_CACHE_PAGE_ROWS; p++, next++)
            if (p >= oldest / FM_CACHE_PAGE_ROWS) host_set(&a->pages, s, p, 0, order[next]);
        for (int32_t i = oldest; i <= last_positions[s]; i++) {
            int64_t page = host_int(&a->pages, s, i / FM_CACHE_PAGE_ROWS);
            int64_t row = page * FM_CACHE_PAGE_ROWS + i % FM_CACHE_PAGE_ROWS;
            case_fill(c, tensor_slice(cache, 0, row, 1));
        }
    }
}

static void attend_build(op_case *c) {
    const op_shape *s = &c->shape;
    fm_attend *a = &c->args.attend;
    int64_t n_rows = ATTEND_ALL_PAGES * FM_CACHE_PAGE_ROWS;
    a->q = case_tensor_3d(c, FM_DTYPE_F32, s->T, s->H, s->K);
    a->positions = case_tensor_1d(c, FM_DTYPE_I32, s->T);
    a->sequences = case_tensor_1d(c, FM_DTYPE_I32, s->T);
    a->pages = case_tensor_2d(c, FM_DTYPE_I32, ATTEND_SEQUENCES, ATTEND_PAGES);
    a->k = case_tensor_3d(c, s->cache, n_rows, s->G, s->K);
    a->v = s->flags & LATENT ? tensor_slice(a->k, 2, 0, s->N)
                             : case_tensor_3d(c, s->cache, n_rows, s->G, s->N);
    a->scale = 1 / sqrtf((float)s->K);
    a->window = s->window;
    a->y = case_tensor_3d(c, FM_DTYPE_F32, s->T, s->H, s->N);
    case_fill(c, a->q);
    attend_place(c);
    attend_cache(c, a->k);
    if (!(s->flags & LATENT)) attend_cache(c, a->v);
}

static int64_t attend_row(const fm_attend *a, int64_t t, int64_t key) {
    int32_t sequence = host_int(&a->sequences, t, 0);
    int64_t page = host_int(&a->pages, sequence, key / FM_CACHE_PAGE_ROWS);
    return page * FM_CACHE_PAGE_ROWS + key % FM_CACHE_PAGE_ROWS;
}

/* One token and head; `weight` has room for every key. */
static void attend_head(const fm_attend *a, int64_t t, int64_t h, double *weight, double *y) {
    int64_t first = attend_first(a, t), n_keys = host_int(&a->positions, t, 0) + 1;
    int64_t g = h / (a->q.size[1] / a->k.size[1]);
    double highest = -HUGE_VAL, total = 0;
    for (int64_t i = first; i < n_keys; i++) {
        int64_t row = attend_row(a, t, i);
        weight[i] = 0;
        for (int64_t k = 0; k < a->q.size[2]; k++)
            weight[i] += host_get(&a->q, t, h, k) * host_get(&a->k, row, g, k);
        weight[i] *= (double)a->scale;
        highest = fmax(highest, weight[i]);
    }
    for (int64_t n = 0; n < a->y.size[2]; n++) y[n] = 0;
    for (int64_t i = first; i < n_keys; i++) {
        int64_t row = attend_row(a, t, i);
        weight[i] = exp(weight[i] - highest);
        total += weight[i];
        for (int64_t n = 0; n < a->y.size[2]; n++) y[n] += weight[i] * host_get(&a->v, row, g, n);
    }
    for (int64_t n = 0; n < a->y.size[2]; n++) y[n] /= total;
}

static void attend_reference(const op_args *args, double *expected) {
    const fm_attend *a = &args->attend;
    double weight[2048];
    for (int64_t t = 0; t < a->y.size[0]; t++)
        for (int64_t h = 0; h < a->y.size[1]; h++, expected += a->y.size[2])
            attend_head(a, t, h, weight, expected);
}

const op_definition define_attend = {
    .build = attend_build,
    .reference = attend_reference,
    .operands = {{offsetof(fm_attend, q), true},
                 {offsetof(fm_attend, k), false},
                 {offsetof(fm_attend, v), false},
                 {offsetof(fm_attend, positions), true},
                 {offsetof(fm_attend, sequences), true},
                 {offsetof(fm_attend, pages), false},
                 {offsetof(fm_attend, y), true}},
    .n_operands = 7,
    .cached = true,
};
