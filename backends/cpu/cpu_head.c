/*
 * cpu_head.c - the best tokens of a row of logits and its sums. A task is one row. It walks the row
 * in blocks twice: for the largest logits and the candidates, then for the sums of exp, which need
 * the largest.
 */
#include <math.h>
#include <string.h>

#include "cpu.h"

/** The edits of one row, and how far the walk over ascending ids has come. */
typedef struct edit_walk {
    const int32_t *ids;
    const float *scales, *adds;
    int32_t next, end;
} edit_walk;

/** The best `room` tokens so far, best first. */
typedef struct best_list {
    int32_t room, n;
    int32_t ids[FM_HEAD_TOP_MAX];
    float values[FM_HEAD_TOP_MAX];
} best_list;

static edit_walk edits_of(const fm_head_topk *a, int64_t row) {
    if (!a->edit_offsets.buf) return (edit_walk){0};
    const int32_t *offsets = cpu_i32(&a->edit_offsets) + row;
    return (edit_walk){cpu_i32(&a->edit_ids), cpu_f32(&a->edit_scales), cpu_f32(&a->edit_adds),
                       offsets[0], offsets[1]};
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static bool edits_reach(const edit_walk *edits, int64_t end) {
    return edits->next < edits->end && edits->ids[edits->next] < end;
}

static void block_edit(edit_walk *edits, int64_t first, int64_t end, float *block) {
    for (; edits_reach(edits, end); edits->next++) {
        float *x = &block[edits->ids[edits->next] - first], scale = edits->scales[edits->next];
        float scaled = *x > 0.0f ? *x / scale : *x * scale;
        *x = scaled + edits->adds[edits->next];
    }
}

/** Rules out what the mask's words, which start with the block, do not allow. */
static void block_mask(const int32_t *words, int64_t n, float *block) {
    for (int64_t i = 0; i < n; i++)
        if (!((uint32_t)words[i / 32] >> i % 32 & 1u)) block[i] = -INFINITY;
}

/** The edited and masked logits of ids [first, first + n): where nothing changes them the row's
 * own, else in `block`, [FM_HEAD_BLOCK_IDS]. */
static const float *block_edited(const fm_head_topk *a, int64_t row, int64_t first, int64_t n,
                                 edit_walk *edits, float *block) {
    const float *logits = cpu_f32(&a->logits) + row * a->logits.stride[0] + first;
    if (!a->mask.buf && !edits_reach(edits, first + n)) return logits;
    memcpy(block, logits, (size_t)n * sizeof *block);
    block_edit(edits, first, first + n, block);
    if (a->mask.buf) block_mask(cpu_i32(&a->mask) + row * a->mask.stride[0] + first / 32, n, block);
    return block;
}

/* ---- Candidates ------------------------------------------------------------------------------ */

/** Where a value belongs: behind its equals, as ids come ascending. */
static int32_t best_place(const best_list *best, float value) {
    int32_t low = 0, high = best->n;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (best->values[middle] < value)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/** Takes in a token that is better than the last of a full list, or joins one with room. */
static void best_insert(best_list *best, int32_t id, float value) {
    int32_t at = best_place(best, value);
    if (best->n < best->room) best->n++;
    size_t n_behind = (size_t)(best->n - 1 - at);
    memmove(&best->values[at + 1], &best->values[at], n_behind * sizeof *best->values);
    memmove(&best->ids[at + 1], &best->ids[at], n_behind * sizeof *best->ids);
    best->values[at] = value;
    best->ids[at] = id;
}

/** Takes in the values [n] of ids first …, of which `largest` is the largest; -infinity and NaN
 * never get in. */
static void best_take(best_list *best, const float *values, int64_t first, int64_t n,
                      float largest) {
    if (best->room == 0) return;
    float worst = best->n < best->room ? -INFINITY : best->values[best->room - 1];
    if (!(largest > worst)) return;
    for (int64_t i = 0; i < n; i++) {
        if (!(values[i] > worst)) continue;
        best_insert(best, (int32_t)(first + i), values[i]);
        if (best->n == best->room) worst = best->values[best->room - 1];
    }
}

static void best_write(const best_list *best, int32_t *ids, float *values) {
    for (int32_t i = 0; i < best->room; i++) {
        ids[i] = i < best->n ? best->ids[i] : -1;
        values[i] = i < best->n ? best->values[i] : 0.0f;
    }
}

/* ---- A row ----------------------------------------------------------------------------------- */

typedef struct head_job {
    const cpu_kernels *kernels;
    const fm_head_topk *args;
} head_job;

/** What the first walk over a row finds. */
typedef struct head_row {
    best_list edited, raw;
    float smallest, largest, largest_edited;
} head_row;

static void row_walk(const head_job *job, int64_t row, head_row *out) {
    const fm_head_topk *a = job->args;
    const float *logits = cpu_f32(&a->logits) + row * a->logits.stride[0];
    int64_t n_ids = a->logits.size[1];
    edit_walk edits = edits_of(a, row);
    float block[FM_HEAD_BLOCK_IDS], unused = 0.0f;
    out->edited.room = (int32_t)a->ids.size[1];
    out->raw.room = a->best_ids.buf ? (int32_t)a->best_ids.size[1] : 0;
    out->edited.n = out->raw.n = 0;
    out->smallest = INFINITY;
    out->largest = out->largest_edited = -INFINITY;
    for (int64_t first = 0; first < n_ids; first += FM_HEAD_BLOCK_IDS) {
        int64_t n = n_ids - first < FM_HEAD_BLOCK_IDS ? n_ids - first : FM_HEAD_BLOCK_IDS;
        const float *edited = block_edited(a, row, first, n, &edits, block);
        float high = -INFINITY, high_edited = -INFINITY;
        job->kernels->head_range(logits + first, n, &out->smallest, &high);
        job->kernels->head_range(edited, n, &unused, &high_edited);
        best_take(&out->edited, edited, first, n, high_edited);
        best_take(&out->raw, logits + first, first, n, high);
        out->largest = high > out->largest ? high : out->largest;
        out->largest_edited = high_edited > out->largest_edited ? high_edited : out->largest_edited;
    }
}

/** The sums of exp, block after block. */
static void row_sums(const head_job *job, int64_t row, const head_row *found, float *sums) {
    const fm_head_topk *a = job->args;
    const float *logits = cpu_f32(&a->logits) + row * a->logits.stride[0];
    int64_t n_ids = a->logits.size[1];
    float temperature = cpu_f32(&a->temperatures)[row], block[FM_HEAD_BLOCK_IDS];
    edit_walk edits = edits_of(a, row);
    bool same = !a->mask.buf && edits.next == edits.end && temperature == 1.0f;
    bool nothing = found->largest_edited == -INFINITY;
    float raw_sum = 0.0f, edited_sum = 0.0f;
    for (int64_t first = 0; first < n_ids; first += FM_HEAD_BLOCK_IDS) {
        int64_t n = n_ids - first < FM_HEAD_BLOCK_IDS ? n_ids - first : FM_HEAD_BLOCK_IDS;
        raw_sum += job->kernels->head_exp_sum(logits + first, n, found->largest, 1.0f);
        if (same || nothing) continue;
        const float *edited = block_edited(a, row, first, n, &edits, block);
        edited_sum += job->kernels->head_exp_sum(edited, n, found->largest_edited, temperature);
    }
    sums[0] = found->largest;
    sums[1] = found->smallest == -INFINITY ? NAN : raw_sum;
    sums[2] = found->largest_edited;
    sums[3] = same && !nothing ? raw_sum : edited_sum;
}

static void head_task(void *user, int task, int worker) {
    (void)worker;
    const head_job *job = user;
    const fm_head_topk *a = job->args;
    head_row found;
    int64_t row = task;
    row_walk(job, row, &found);
    int32_t *ids = cpu_i32_out(&a->ids) + row * a->ids.stride[0];
    const float *logits = cpu_f32(&a->logits) + row * a->logits.stride[0];
    float *raw = cpu_f32(&a->raw) + row * a->raw.stride[0];
    best_write(&found.edited, ids, cpu_f32(&a->values) + row * a->values.stride[0]);
    for (int64_t k = 0; k < a->ids.size[1]; k++) raw[k] = ids[k] < 0 ? 0.0f : logits[ids[k]];
    if (a->best_ids.buf)
        best_write(&found.raw, cpu_i32_out(&a->best_ids) + row * a->best_ids.stride[0],
                   cpu_f32(&a->best_raw) + row * a->best_raw.stride[0]);
    row_sums(job, row, &found, cpu_f32(&a->sums) + row * a->sums.stride[0]);
}

fm_status cpu_head_topk(fm_device_state *s, const fm_head_topk *a) {
    head_job job = {s->kernels, a};
    pool_run(s->threads, (int)a->logits.size[0], head_task, &job);
    return FM_OK;
}
