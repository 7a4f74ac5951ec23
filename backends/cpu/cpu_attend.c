/*
 * cpu_attend.c - attention over paged caches. A task is one token and up to four query heads that
 * share a key-value head; it walks the keys in splits of 512 and blocks of 64 counted from the
 * sequence's start, those before the token's window left out, so that a token's result is the
 * same alone, in a chunk, and wherever its pages lie.
 */
#include <math.h>
#include <string.h>

#include "cpu.h"

_Static_assert((int)CPU_BLOCK_KEYS == (int)FM_CACHE_PAGE_ROWS, "a block's keys lie in one page");

enum {
    SPLIT_KEYS = 512,
    HEADS_PER_TASK = CPU_TILE_TOKENS, /* query heads take the place of tokens in the dot tile */
};

typedef struct attend_job {
    const cpu_kernels *kernels;
    const fm_attend *args;
    int64_t heads_per_group; /* query heads that share a key-value head */
    int64_t tasks_per_group;
} attend_job;

/** The query heads of one task, and where their keys and values lie. */
typedef struct attend_task {
    const attend_job *job;
    int n_heads;
    const float *q[HEADS_PER_TASK]; /* [Dk] each */
    float *y[HEADS_PER_TASK];       /* [Dv] each */
    int64_t first_key;              /* of the token's window */
    int64_t end_key;                /* behind its own */
    const int32_t *pages;           /* of the token's sequence */
    int64_t group;                  /* key-value head */
} attend_task;

/** Element `row`, `group` of a cache. */
static const void *cache_row(const fm_tensor *cache, int64_t row, int64_t group) {
    int64_t at = row * cache->stride[0] + group * cache->stride[1];
    if (cache->dtype == FM_DTYPE_F32) return cpu_f32(cache) + at;
    return cpu_u16(cache) + at;
}

/** scores[h][j] = scale * q[h] · key j, for keys first … end - 1 of the block that starts at cache
 * row `row`. */
static void block_scores(const attend_task *task, int64_t row, int first, int end,
                         float scores[HEADS_PER_TASK][CPU_BLOCK_KEYS]) {
    const fm_attend *a = task->job->args;
    const cpu_kernels *kernels = task->job->kernels;
    for (int j = first; j < end; j += CPU_TILE_ROWS) {
        int n = end - j < CPU_TILE_ROWS ? end - j : CPU_TILE_ROWS;
        const void *keys[CPU_TILE_ROWS];
        float out[CPU_TILE_ROWS * CPU_TILE_TOKENS];
        for (int r = 0; r < CPU_TILE_ROWS; r++)
            keys[r] = cache_row(&a->k, row + j + (r < n ? r : n - 1), task->group);
        if (a->k.dtype == FM_DTYPE_F32)
            kernels->matmul_tile_f32(keys, task->q, task->n_heads, a->k.size[2], out);
        else
            kernels->matmul_tile_bf16(keys, task->q, task->n_heads, a->k.size[2], out);
        for (int h = 0; h < task->n_heads; h++)
            for (int r = 0; r < n; r++) scores[h][j + r] = out[r * CPU_TILE_TOKENS + h] * a->scale;
    }
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/** Keys [first, end) of one split into states and accumulators [Dv] that start empty. */
static void attend_split(const attend_task *task, int64_t first, int64_t end, cpu_softmax *states,
                         float *const *accs) {
    const fm_attend *a = task->job->args;
    const cpu_kernels *kernels = task->job->kernels;
    int64_t dv = a->v.size[2];
    for (int h = 0; h < task->n_heads; h++) {
        states[h] = (cpu_softmax){.max = -INFINITY};
        memset(accs[h], 0, (size_t)dv * sizeof *accs[h]);
    }
    for (int64_t block = first / CPU_BLOCK_KEYS; block * CPU_BLOCK_KEYS < end; block++) {
        float scores[HEADS_PER_TASK][CPU_BLOCK_KEYS];
        int64_t key = block * CPU_BLOCK_KEYS, row = (int64_t)task->pages[block] * CPU_BLOCK_KEYS;
        int from = key < first ? (int)(first - key) : 0;
        int to = (int)smaller(end - key, CPU_BLOCK_KEYS);
        const void *values = cache_row(&a->v, row, task->group);
        block_scores(task, row, from, to, scores);
        for (int h = 0; h < task->n_heads; h++) {
            if (a->v.dtype == FM_DTYPE_F32)
                kernels->attend_block_f32(&states[h], accs[h], dv, scores[h], from, to, values,
                                          a->v.stride[0]);
            else
                kernels->attend_block_bf16(&states[h], accs[h], dv, scores[h], from, to, values,
                                           a->v.stride[0]);
        }
    }
}

/** All splits of a task, merged ascending into y. */
static void attend_all(const attend_task *task) {
    int64_t dv = task->job->args->v.size[2];
    cpu_softmax total[HEADS_PER_TASK], part[HEADS_PER_TASK];
    float part_acc[HEADS_PER_TASK][FM_VALUE_DIM_MAX];
    float *part_rows[HEADS_PER_TASK];
    for (int h = 0; h < task->n_heads; h++) part_rows[h] = part_acc[h];
    for (int64_t first = task->first_key, end; first < task->end_key; first = end) {
        end = smaller((first / SPLIT_KEYS + 1) * SPLIT_KEYS, task->end_key);
        if (first == task->first_key) {
            attend_split(task, first, end, total, task->y);
            continue;
        }
        attend_split(task, first, end, part, part_rows);
        for (int h = 0; h < task->n_heads; h++)
            task->job->kernels->softmax_merge(&total[h], task->y[h], &part[h], part_acc[h], dv);
    }
    for (int h = 0; h < task->n_heads; h++)
        for (int64_t i = 0; i < dv; i++) task->y[h][i] /= total[h].sum;
}

static void attend_run(void *user, int index, int worker) {
    (void)worker;
    const attend_job *job = user;
    const fm_attend *a = job->args;
    int64_t n_groups = a->k.size[1];
    int64_t part = index % job->tasks_per_group;
    int64_t group = index / job->tasks_per_group % n_groups;
    int64_t t = index / (job->tasks_per_group * n_groups);
    int64_t rest = job->heads_per_group - part * HEADS_PER_TASK;
    int64_t end_key = (int64_t)cpu_i32(&a->positions)[t] + 1;
    attend_task task = {
        .job = job,
        .n_heads = (int)(rest < HEADS_PER_TASK ? rest : HEADS_PER_TASK),
        .first_key = a->window > 0 && end_key > a->window ? end_key - a->window : 0,
        .end_key = end_key,
        .pages = cpu_i32(&a->pages) + cpu_i32(&a->sequences)[t] * a->pages.stride[0],
        .group = group,
    };
    for (int h = 0; h < task.n_heads; h++) {
        int64_t head = group * job->heads_per_group + part * HEADS_PER_TASK + h;
        task.q[h] = cpu_f32(&a->q) + t * a->q.stride[0] + head * a->q.stride[1];
        task.y[h] = cpu_f32(&a->y) + t * a->y.stride[0] + head * a->y.stride[1];
    }
    attend_all(&task);
}

fm_status cpu_attend(fm_device_state *s, const fm_attend *a) {
    int64_t heads_per_group = a->q.size[1] / a->k.size[1];
    attend_job job = {
        .kernels = s->kernels,
        .args = a,
        .heads_per_group = heads_per_group,
        .tasks_per_group = (heads_per_group + HEADS_PER_TASK - 1) / HEADS_PER_TASK,
    };
    pool_run(s->threads, (int)(a->q.size[0] * a->k.size[1] * job.tasks_per_group), attend_run,
             &job);
    return FM_OK;
}
