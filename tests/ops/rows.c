/* rows.c - owns the table of op cases: what is run on every column, and compared. */
#include "rows.h"

/* Sizes around the 16 partial sums of a row, and an odd one of several vectors. */
/* clang-format off */
#define WIDTHS {1, 15, 16, 17, 64, 513}
#define TOKENS {1, 2, 17, 130}
#define MANY_TOKENS {1, 2, 17, 130, 512}
/* Around words of the mask and blocks of the sums. */
#define IDS {1, 2, 17, 512, 1023, 1024, 1025, 5000}
/* Around blocks and splits of keys, and beyond every sequence. */
#define WINDOWS {1, 2, 63, 64, 65, 511, 512, 513, 3000}
/* The CPU's products take 4 tokens at a time, 64 in one pass, and 512 elements of a row. */
#define AROUND_TILES {1, 4, 5, 16, 17, 64, 65, 130}
#define AROUND_BLOCKS {511, 512, 513, 1024, 1045}
/* A workgroup of a device takes up to 1024 elements of a row. */
#define WIDE {1023, 1024, 1025, 2501}
/* clang-format on */

const op_row op_rows[] = {
    {OP_embed, 0, .T = MANY_TOKENS, .K = WIDTHS, .N = {40}},
    {OP_embed, STRIDED | PARTS, .T = {17}, .K = WIDTHS, .N = {1, 40}},
    {OP_embed, UNALIGNED | PARTS, .T = {17}, .K = {17, 64}, .N = {40}},
    {OP_embed, CONVERTED, .T = {17}, .K = WIDTHS, .N = {40}},
    {OP_embed, STRIDED, .T = {2}, .K = WIDE, .N = {7}},
    {OP_embed, TRANSPOSED | CONVERTED, .T = {17}, .K = {17, 64}, .N = {40}},
    {OP_embed, STRIDED, .T = {1, 2, 512}, .K = {1, 17}, .N = {700}},
    {OP_embed, 0, .T = {17}, .K = {513}, .N = {999}},

    {OP_norm, 0, .T = MANY_TOKENS, .K = WIDTHS},
    {OP_norm, STRIDED, .T = TOKENS, .K = WIDTHS},
    {OP_norm, STRIDED, .T = {2}, .K = WIDE},
    {OP_norm, IN_PLACE | STRIDED, .T = TOKENS, .K = WIDTHS},
    {OP_norm, STRIDED, .T = {512}, .K = {17}},

    {OP_matmul, 0, .T = TOKENS, .K = WIDTHS, .N = {1, 7, 33}},
    {OP_matmul, STRIDED | BIAS, .T = TOKENS, .K = WIDTHS, .N = {33}},
    {OP_matmul, ACCUMULATE | PARTS, .T = TOKENS, .K = WIDTHS, .N = {2, 33}},
    {OP_matmul, STRIDED | BIAS | ACCUMULATE, .T = TOKENS, .K = {64, 513}, .N = {1, 48}},
    {OP_matmul, UNALIGNED, .T = {2, 17}, .K = WIDTHS, .N = {7}},
    {OP_matmul, UNALIGNED | PARTS, .T = {17}, .K = WIDTHS, .N = {33}},
    {OP_matmul, CONVERTED | PARTS | UNALIGNED, .T = TOKENS, .K = {17, 513}, .N = {33}},
    {OP_matmul, TRANSPOSED, .T = TOKENS, .K = WIDTHS, .N = {7}},
    {OP_matmul, TRANSPOSED | PARTS | STRIDED, .T = {17}, .K = WIDTHS, .N = {33}},
    {OP_matmul, TRANSPOSED | PARTS | CONVERTED, .T = {2}, .K = WIDTHS, .N = {33}},
    {OP_matmul, 0, .T = {512}, .K = {64}, .N = {96}},
    {OP_matmul, 0, .T = AROUND_TILES, .K = AROUND_BLOCKS, .N = {6}},
    {OP_matmul, STRIDED | BIAS | ACCUMULATE | PARTS, .T = {65, 130}, .K = {1045}, .N = {71}},
    {OP_matmul, STRIDED | BIAS, .T = {512}, .K = {17, 513}, .N = {33}},
    {OP_matmul, BIAS | ACCUMULATE | PARTS, .T = {1, 2, 17}, .K = {513}, .N = {300}},
    {OP_matmul, 0, .T = {1, 17}, .K = {64}, .N = {999}},

    {OP_matmul_heads, 0, .T = TOKENS, .K = WIDTHS, .N = {16}, .H = 3},
    {OP_matmul_heads, 0, .T = {7, 65, 130}, .K = {528, 1045}, .N = {6}, .H = 2},
    {OP_matmul_heads, STRIDED, .T = TOKENS, .K = WIDTHS, .N = {7}, .H = 5},
    {OP_matmul_heads, STRIDED | PARTS, .T = {17}, .K = {17, 64}, .N = {33}, .H = 4},
    {OP_matmul_heads, UNALIGNED | PARTS, .T = {2}, .K = {17, 64}, .N = {33}, .H = 4},
    {OP_matmul_heads, TRANSPOSED, .T = {17}, .K = {15, 64}, .N = {33}, .H = 4},
    {OP_matmul_heads, TRANSPOSED | CONVERTED | STRIDED, .T = {2}, .K = {16, 17}, .N = {33}, .H = 1},
    {OP_matmul_heads, STRIDED, .T = {512}, .K = {17, 64}, .N = {15}, .H = 3},
    {OP_matmul_heads, 0, .T = {1, 2}, .K = {65}, .N = {512}, .H = 4},

    {OP_rope, 0, .T = MANY_TOKENS, .K = {2, 14, 16, 34, 64}, .H = 3},
    {OP_rope, INTERLEAVED, .T = MANY_TOKENS, .K = {2, 14, 16, 34, 64}, .H = 3},
    {OP_rope, STRIDED, .T = TOKENS, .K = {2, 34, 64}, .H = 1},
    {OP_rope, STRIDED, .T = {2}, .K = {64, 66}, .H = 67},
    {OP_rope, STRIDED | INTERLEAVED, .T = TOKENS, .K = {2, 34, 64}, .H = 5},
    {OP_rope, STRIDED | IN_PLACE, .T = TOKENS, .K = {2, 34, 64}, .H = 5},
    {OP_rope, STRIDED | IN_PLACE | INTERLEAVED, .T = TOKENS, .K = {2, 34, 64}, .H = 1},
    {OP_rope, STRIDED, .T = {512}, .K = {34}, .H = 3},

    {OP_cache_write, 0, .T = MANY_TOKENS, .K = WIDTHS, .G = 1},
    {OP_cache_write, STRIDED, .T = TOKENS, .K = {1, 17, 64}, .G = 3},
    {OP_cache_write, 0, .T = {2}, .K = WIDE, .G = 3},
    {OP_cache_write, LATENT, .T = TOKENS, .K = {16, 64}, .G = 1},
    {OP_cache_write, LATENT | STRIDED, .T = {17}, .K = {17}, .G = 2},
    {OP_cache_write, STRIDED, .T = {512}, .K = {17}, .G = 3},

    {OP_attend, 0, .T = TOKENS, .K = {64}, .N = {64}, .H = 6, .G = 2},
    {OP_attend, STRIDED, .T = {1, 17}, .K = {15, 16, 33}, .N = {1, 17, 33}, .H = 3, .G = 3},
    {OP_attend, INTERLEAVED | STRIDED, .T = {17, 130}, .K = {16}, .N = {48}, .H = 4, .G = 1},
    {OP_attend, LATENT, .T = TOKENS, .K = {72}, .N = {56}, .H = 4, .G = 1},
    {OP_attend, LATENT | STRIDED, .T = {2, 17}, .K = {41}, .N = {1, 41}, .H = 4, .G = 2},
    {OP_attend, LATENT | STRIDED, .T = {2}, .K = {576}, .N = {512}, .H = 16, .G = 1},
    {OP_attend, 0, .T = {17}, .K = {1}, .N = {1}, .H = 1, .G = 1},
    {OP_attend, 0, .T = {512}, .K = {8}, .N = {8}, .H = 2, .G = 1},
    {OP_attend, STRIDED, .T = {2, 512}, .K = {17}, .N = {15}, .H = 3, .G = 1},
    {OP_attend, 0, .T = TOKENS, .K = {16}, .N = {17}, .H = 6, .G = 2, .window = WINDOWS},
    {OP_attend, INTERLEAVED | STRIDED, .T = {17}, .K = {15}, .N = {33}, .H = 5, .window = WINDOWS},
    {OP_attend, LATENT, .T = {2, 17, 130}, .K = {41}, .N = {24}, .H = 4, .window = WINDOWS},

    {OP_gather_rows, 0, .T = MANY_TOKENS, .K = WIDTHS, .E = 1},
    {OP_gather_rows, WEIGHTED, .T = TOKENS, .K = WIDTHS, .E = 3},
    {OP_gather_rows, STRIDED, .T = TOKENS, .K = {17, 64}, .E = 3},
    {OP_gather_rows, STRIDED | WEIGHTED, .T = {2}, .K = WIDE, .E = 3},
    {OP_gather_rows, STRIDED | ACCUMULATE, .T = TOKENS, .K = {17, 64}, .E = 1},
    {OP_gather_rows, STRIDED | WEIGHTED | ACCUMULATE, .T = TOKENS, .K = WIDTHS, .E = 3},
    {OP_gather_rows, STRIDED | WEIGHTED, .T = {512}, .K = {17, 64}, .E = 2},

    {OP_matmul_experts, 0, .T = TOKENS, .K = WIDTHS, .N = {33}, .E = 6},
    {OP_matmul_experts, 0, .T = {65, 130}, .K = AROUND_BLOCKS, .N = {6}, .E = 3},
    {OP_matmul_experts, ONE_EXPERT, .T = TOKENS, .K = {17, 64}, .N = {33}, .E = 4},
    {OP_matmul_experts, STRIDED | PARTS, .T = TOKENS, .K = {16, 513}, .N = {7}, .E = 6},
    {OP_matmul_experts, UNALIGNED | PARTS, .T = {17}, .K = {16, 33}, .N = {7}, .E = 6},
    {OP_matmul_experts, STRIDED | CONVERTED | PARTS, .T = {17}, .K = {16, 513}, .N = {7}, .E = 8},
    {OP_matmul_experts, TRANSPOSED, .T = {130}, .K = {17, 64}, .N = {33}, .E = 5},
    {OP_matmul_experts, 0, .T = {2}, .K = {64}, .N = {16}, .E = 24},
    {OP_matmul_experts, 0, .T = {17}, .K = {64}, .N = {16}, .E = 1},
    {OP_matmul_experts, STRIDED, .T = {512}, .K = {17, 64}, .N = {33}, .E = 6},
    {OP_matmul_experts, 0, .T = {1, 17, 130}, .K = {65}, .N = {100}, .E = 24},

    {OP_gate_mul, 0, .T = MANY_TOKENS, .K = WIDTHS},
    {OP_gate_mul, STRIDED, .T = TOKENS, .K = WIDTHS},
    {OP_gate_mul, STRIDED, .T = {2}, .K = WIDE},
    {OP_gate_mul, IN_PLACE, .T = TOKENS, .K = WIDTHS},
    {OP_gate_mul, IN_PLACE_UP | STRIDED, .T = TOKENS, .K = WIDTHS},
    {OP_gate_mul, STRIDED, .T = {512}, .K = {17}},

    {OP_head_topk, 0, .T = {1, 17, 32}, .K = IDS, .N = {1, 8, 128}},
    {OP_head_topk, STRIDED | EDITED, .T = {2, 17}, .K = IDS, .N = {1, 128}},
    {OP_head_topk, STRIDED | MASKED, .T = {2, 17}, .K = IDS, .N = {1, 128}},
    {OP_head_topk, BEST_RAW, .T = {2, 17}, .K = IDS, .N = {20}},
    {OP_head_topk, EDITED | MASKED | BEST_RAW | STRIDED, .T = {1, 32}, .K = IDS, .N = {8, 128}},
    {OP_head_topk, TIED, .T = {2, 17}, .K = IDS, .N = {1, 8, 128}},
    {OP_head_topk, TIED | EDITED | MASKED | BEST_RAW, .T = {2}, .K = IDS, .N = {8, 128}},
    {OP_head_topk, 0, .T = {130}, .K = {1025}, .N = {8}},
    {OP_head_topk, STRIDED, .T = {512}, .K = {17, 1025}, .N = {8}},
    {OP_head_topk, EDITED | MASKED | BEST_RAW, .T = {130}, .K = {2048, 2500}, .N = {17}},

    {OP_route, 0, .T = MANY_TOKENS, .K = {1, 2, 17, 513}, .N = {1}},
    {OP_route, 0, .T = TOKENS, .K = {17}, .N = {17}},
    {OP_route, BIAS | NORMALIZED, .T = MANY_TOKENS, .K = {15, 64, 256}, .N = {1, 6, 8}},
    {OP_route, STRIDED | BIAS | NORMALIZED, .T = TOKENS, .K = {24, 256}, .N = {5, 8}, .G = 8,
     .H = 4},
    {OP_route, STRIDED, .T = {2, 512}, .K = {33, 66}, .N = {7}, .G = 3, .H = 2},
    {OP_route, TIED, .T = {17, 130}, .K = {7, 64, 1025}, .N = {1, 7}},
    {OP_route, TIED | STRIDED | NORMALIZED, .T = {2, 17, 512}, .K = {24, 64}, .N = {8}, .G = 4,
     .H = 2},
    {OP_route, BIAS, .T = {2, 17}, .K = {4096}, .N = {128}},
};

const size_t n_op_rows = sizeof op_rows / sizeof op_rows[0];

static int32_t list_get(const int32_t *list, int32_t i) {
    return i == 0 && list[0] == 0 ? 1 : list[i];
}

/* Every format of weights and caches that the operation has to do with. */
static void expand_formats(op_shape shape, void (*visit)(void *user, const op_shape *shape),
                           void *user) {
    static const fm_dtype formats[] = {FM_DTYPE_F32, FM_DTYPE_BF16, FM_DTYPE_F16};
    const op_definition *d = op_entries[shape.op].definition;
    for (int32_t w = 0; w < (d->weight ? 3 : 1); w++)
        for (int32_t c = 0; c < (d->cached ? 2 : 1); c++) {
            shape.weight = formats[w];
            shape.cache = formats[c];
            visit(user, &shape);
        }
}

void row_expand(const op_row *row, void (*visit)(void *user, const op_shape *shape), void *user) {
    op_shape shape = {.op = row->op,
                      .flags = row->flags,
                      .H = row->H ? row->H : 1,
                      .G = row->G ? row->G : 1,
                      .E = row->E ? row->E : 1};
    for (int32_t t = 0; t < ROW_MAX_SIZES && list_get(row->T, t); t++)
        for (int32_t k = 0; k < ROW_MAX_SIZES && list_get(row->K, k); k++)
            for (int32_t n = 0; n < ROW_MAX_SIZES && list_get(row->N, n); n++) {
                shape.T = list_get(row->T, t);
                shape.K = list_get(row->K, k);
                shape.N = list_get(row->N, n);
                for (int32_t w = 0; w < ROW_MAX_SIZES && (w == 0 || row->window[w]); w++) {
                    shape.window = row->window[w];
                    expand_formats(shape, visit, user);
                }
            }
}
