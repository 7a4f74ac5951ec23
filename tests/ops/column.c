/* column.c - owns the list of subjects, and bringing a case onto their devices. */
#include "column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Subjects -------------------------------------------------------------------------------- */

/* The reference reads weights and caches as the device has rounded them, so only the arithmetic in
 * float32 is measured, whatever the format. The worst cases are products of few outputs that happen
 * to be small against the terms of their sums. */
static const tolerance cpu_tolerances[FM_DTYPE_COUNT] = {
    [FM_DTYPE_F32] = {.nmse = 1e-11, .max_abs = 4e-6, .cosine_gap = 2e-12},
    [FM_DTYPE_BF16] = {.nmse = 1e-11, .max_abs = 4e-6, .cosine_gap = 2e-12},
    [FM_DTYPE_F16] = {.nmse = 1e-11, .max_abs = 4e-6, .cosine_gap = 2e-12},
};

/* A device sums in an order of its own, and its exponential is a few units of the last place off.
 */
static const tolerance vulkan_tolerances[FM_DTYPE_COUNT] = {
    [FM_DTYPE_F32] = {.nmse = 1e-10, .max_abs = 1e-5, .cosine_gap = 2e-11},
    [FM_DTYPE_BF16] = {.nmse = 1e-10, .max_abs = 1e-5, .cosine_gap = 2e-11},
    [FM_DTYPE_F16] = {.nmse = 1e-10, .max_abs = 1e-5, .cosine_gap = 2e-11},
};

/* Without anything that a device may lack: all transfers are staged, sums go through shared memory.
 */
static const shim_mask plain_device = {
    .subgroup_arithmetic = true, .numbers_16_bit = true, .mapped_local = true};

/* The same with bindings far shorter than any device's, so that weights lie in many windows, each
 * of 16 rows at least. Caches of attend do not fit. */
static const shim_mask short_device = {.subgroup_arithmetic = true,
                                       .numbers_16_bit = true,
                                       .mapped_local = true,
                                       .binding_max = 128 << 10};

/* A CPU's row: one of its kernels, whose bits are those of the first, the definition. */
#define CPU_SUBJECT(isa_name, threads)                                                             \
    .backend = "cpu", .isa = isa_name, .n_threads = threads, .same_bits = true, .by_rule = true,   \
    .tolerances = cpu_tolerances

static const subject subjects[] = {
    {"cpu scalar_soft, 1 thread", CPU_SUBJECT("scalar_soft", 1)},
    {"cpu scalar, 1 thread", CPU_SUBJECT("scalar", 1)},
    {"cpu scalar, 2 threads", CPU_SUBJECT("scalar", 2)},
    {"cpu avx2, 1 thread", CPU_SUBJECT("avx2", 1)},
    {"cpu avx2, 2 threads", CPU_SUBJECT("avx2", 2)},
    {"cpu avx512, 1 thread", CPU_SUBJECT("avx512", 1)},
    {"cpu avx512, 2 threads", CPU_SUBJECT("avx512", 2)},
    {"cpu best, 3 threads", CPU_SUBJECT(NULL, 3)},
    {"vulkan", .backend = "vulkan", .options = "validate,cache=off",
     .tolerances = vulkan_tolerances},
    {"vulkan staging, deterministic", .backend = "vulkan", .options = "validate,cache=off,staging",
     .deterministic = true, .by_rule = true, .tolerances = vulkan_tolerances},
    {"vulkan at its plainest, deterministic", .backend = "vulkan",
     .options = "validate," SHIM_OPTION, .mask = &plain_device, .deterministic = true,
     .by_rule = true, .tolerances = vulkan_tolerances},
    {"vulkan with short bindings, deterministic", .backend = "vulkan",
     .options = "validate," SHIM_OPTION, .mask = &short_device, .deterministic = true,
     .by_rule = true, .tolerances = vulkan_tolerances},
};

/* ---- Columns --------------------------------------------------------------------------------- */

static void keep_message(void *user, fm_log_level level, const char *text) {
    column *col = user;
    if (level != FM_LOG_ERROR) return;
    if (col->n_messages++ < 10) print_error("%s: %s\n", col->subject->name, text);
}

/** Puts the mask in place; false when the shim was not built. */
static bool wear_mask(const shim_mask *mask) {
    shim_control *shim = shim_open();
    if (shim) shim->mask = *mask;
    return shim;
}

static fm_status column_open(column *col, const subject *s, int32_t index, fm_error *err) {
    const fm_backend *backend = NULL;
    fm_device_params params = {.max_tokens = 1024,
                               .max_rows = 4096,
                               .max_sequences = 8,
                               .max_context = 2048,
                               .n_threads = s->n_threads > 0 ? s->n_threads : 1,
                               .isa = s->isa,
                               .index = index,
                               .options = s->options,
                               .deterministic = s->deterministic};
    fm_log log = {keep_message, col};
    *col = (column){.subject = s};
    FM_TRY(backend_find(s->backend, &backend, err));
    if (s->mask && !wear_mask(s->mask))
        return error_set(err, FM_ERR_UNSUPPORTED, "the shim was not built");
    fm_status status = device_open(backend, &params, log, &col->dev, err);
    const char *checks = "validate";
    if (status != FM_ERR_UNSUPPORTED || !s->options || !strstr(s->options, checks)) return status;
    /* Perhaps only the layer that checks is not installed. */
    params.options = s->options + strlen(checks);
    params.options += *params.options == ',';
    if (device_open(backend, &params, log, &col->dev, NULL) != FM_OK) return status;
    print_message("skip: %s: without checks: %s\n", s->name, err->text);
    return FM_OK;
}

void column_wear(const column *col) {
    if (col->subject && col->subject->mask) wear_mask(col->subject->mask);
}

static bool columns_open(columns *c, const suite_device *device) {
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        fm_error err = {0};
        if (strcmp(subjects[i].backend, device->backend) != 0) continue;
        fm_status status = column_open(&c->at[c->n], &subjects[i], device->index, &err);
        if (status == FM_OK) {
            c->n++;
        } else if (status == FM_ERR_UNSUPPORTED && i > 0) {
            print_message("skip: %s: %s\n", subjects[i].name, err.text);
            c->n_skipped++;
        } else {
            print_error("%s: %s\n", subjects[i].name, err.text);
            return false;
        }
    }
    return true;
}

/** What the shim has against the columns; false when there is something. */
static bool shim_is_content(void) {
    const shim_control *shim = shim_open();
    if (!shim || (shim->n_breaches == 0 && shim_live_count(shim) == 0)) return true;
    print_error("%d uses of what is masked (%s), %d objects left\n", (int)shim->n_breaches,
                shim->breach, (int)shim_live_count(shim));
    return false;
}

/** False when a device had something to say, or left something behind. */
static bool columns_close(columns *c) {
    bool clean = true, masked = false;
    for (int32_t i = 0; i < c->n; i++) {
        const column *col = &c->at[i];
        device_close(col->dev);
        masked = masked || col->subject->mask;
        if (col->n_messages == 0) continue;
        print_error("%s: %d errors in its log\n", col->subject->name, col->n_messages);
        clean = false;
    }
    return (!masked || shim_is_content()) && clean;
}

/* cmocka's setup has no argument. */
static columns all_columns;

static int give_columns(void **state) {
    *state = &all_columns;
    return 0;
}

int columns_run(int argc, char **argv, const char *name, const struct CMUnitTest *tests, size_t n) {
    suite_device device = suite_device_of(argc, argv);
    bool opened = columns_open(&all_columns, &device);
    int n_failed = 1;
    if (opened && all_columns.n == 0)
        n_failed = suite_skip(name, "none of its devices can be opened");
    else if (opened)
        n_failed = _cmocka_run_group_tests(name, tests, n, give_columns, NULL);
    return columns_close(&all_columns) ? n_failed : n_failed + 1;
}

column_lack column_lacks(const column *col, const op_case *c) {
    const fm_device_info *info = device_info(col->dev);
    const op_entry *entry = &op_entries[c->shape.op];
    const op_definition *d = entry->definition;
    if (entry->is_offered && !entry->is_offered(col->dev)) return LACKS_OPERATION;
    if (d->weight && !(info->weight_dtypes >> c->shape.weight & 1u)) return LACKS_FORMAT;
    if (d->cached && !(info->cache_dtypes >> c->shape.cache & 1u)) return LACKS_FORMAT;
    for (int32_t i = 0; i < c->n_slabs; i++)
        if (c->slabs[i].buf.size > info->buf_max) return LACKS_ROOM;
    return LACKS_NOTHING;
}

/* ---- Bindings -------------------------------------------------------------------------------- */

static void demand(const binding *b, fm_status status, const char *text) {
    char shape[160];
    if (status == FM_OK) return;
    shape_print(&b->host->shape, shape, sizeof shape);
    fail_msg("%s: %s: %s; %s", shape, text, fm_status_text(status), device_fault(b->dev));
}

int32_t case_slab_index(const op_case *c, const fm_tensor *t) {
    for (int32_t i = 0; i < c->n_slabs; i++)
        if (t->buf == &c->slabs[i].buf) return i;
    fail_msg("a tensor views no slab of its case");
    return -1;
}

static fm_tensor whole_slab(const binding *b, int32_t i) {
    const slab *s = &b->host->slabs[i];
    return tensor_1d(b->bufs[i], s->dtype, (int64_t)(s->buf.size / fm_dtype_size(s->dtype)));
}

void binding_reset(binding *b) {
    for (int32_t i = 0; i < b->host->n_slabs; i++)
        demand(b, device_write(b->dev, whole_slab(b, i), b->host->slabs[i].bytes), "write");
}

/* Points the tensors and the weight of the arguments to the device's. */
static void bind_args(binding *b) {
    const op_definition *d = op_entries[b->host->shape.op].definition;
    uint8_t *args = (uint8_t *)&b->args;
    for (int32_t i = 0; i < d->n_operands; i++) {
        fm_tensor *t = (fm_tensor *)(void *)(args + d->operands[i].offset);
        if (t->buf) t->buf = b->bufs[case_slab_index(b->host, t)];
    }
    const fm_weight *weight = b->weight;
    if (d->weight) memcpy(args + d->weight, &weight, sizeof weight);
}

void binding_open(binding *b, const column *col, const op_case *host) {
    *b = (binding){.host = host, .dev = col->dev, .args = host->args};
    fm_error err = {0};
    column_wear(col);
    for (int32_t i = 0; i < host->n_slabs; i++)
        demand(b, buf_new(b->dev, host->slabs[i].buf.size, &b->bufs[i], &err), err.text);
    if (op_entries[host->shape.op].definition->weight)
        demand(b, weight_load(b->dev, &host->weight.source, host->shape.weight, &b->weight, &err),
               err.text);
    binding_reset(b);
    bind_args(b);
}

void binding_close(binding *b) {
    for (int32_t i = 0; i < b->host->n_slabs; i++) buf_free(b->dev, b->bufs[i]);
    weight_free(b->dev, b->weight);
}

void binding_run(binding *b, op_kind op, const op_args *args) {
    uint64_t ticket = 0;
    demand(b, op_entries[op].run(b->dev, args), op_entries[op].name);
    demand(b, device_submit(b->dev, &ticket), "submit");
    demand(b, device_wait(b->dev, ticket), "wait");
}

uint8_t *binding_read(binding *b, int32_t slab_index) {
    uint8_t *bytes = malloc(b->host->slabs[slab_index].buf.size);
    if (!bytes) fail_msg("out of memory");
    demand(b, device_read(b->dev, whole_slab(b, slab_index), bytes), "read");
    return bytes;
}
