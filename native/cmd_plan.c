/* cmd_plan.c - what a model and its caches would take here, and what would fit where they do not.
 */
#include "command.h"
#include "json_out.h"
#include "session.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint64_t needed(const fm_plan *p) {
    return p->weights_copied + p->cache + p->workspace;
}

/* ---- Text ---------------------------------------------------------------------------------------- */

/* One line: a name, every digit of the bytes, and a size that a person compares. */
static void print_row(const char *name, uint64_t size, const char *note) {
    printf("%-20s %16" PRIu64 " bytes %10.1f MB%s%s\n", name, size, (double)size / 1e6,
           *note ? "   " : "", note);
}

static void print_verdict(const fm_plan *p) {
    if (p->fits)
        printf("it fits\n");
    else
        printf("it does not fit: %s\n", p->advice);
}

/* Where there are several devices: what each needs, and what it shares. */
static void print_devices(const fm_plan *p) {
    for (int32_t i = 0; i < p->n_devices && p->n_devices > 1; i++) {
        const fm_plan_device *d = &p->devices[i];
        uint64_t size = d->weights_copied + d->cache + d->workspace;
        printf("layers %" PRId32 "-%" PRId32 " on %s: needed %.1f MB, free now %.1f MB",
               d->first_layer, d->first_layer + d->n_layers - 1, d->name, (double)size / 1e6,
               (double)d->memory_free / 1e6);
        if (d->memory != i)
            printf(", which is also that of layer %" PRId32, p->devices[d->memory].first_layer);
        printf("\n");
    }
}

static void print_table(const fm_plan *p) {
    char note[80];
    print_row("weights in the files", p->weights_in_place, "read in place, not counted");
    print_row("weights copied", p->weights_copied, "");
    snprintf(note, sizeof note, "%" PRId32 " tokens, %" PRIu64 " bytes for one more",
             p->cache_tokens, p->cache_per_token);
    print_row("cache", p->cache, note);
    snprintf(note, sizeof note, "%" PRId32 " sequences of %" PRId32 " tokens, steps of %" PRId32,
             p->max_sequences, p->max_context, p->max_chunk);
    print_row("workspace", p->workspace, note);
    print_row("needed", needed(p), "");
    print_row("free now", p->memory_free, p->n_devices > 1 ? "" : p->devices[0].name);
    print_devices(p);
    print_verdict(p);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static bool add_device(cJSON *list, const fm_plan_device *d) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) return false;
    return json_out_text(item, "name", d->name, strlen(d->name)) &&
           cJSON_AddNumberToObject(item, "first_layer", d->first_layer) &&
           cJSON_AddNumberToObject(item, "layers", d->n_layers) &&
           json_out_count(item, "weights_copied_bytes", d->weights_copied) &&
           json_out_count(item, "cache_bytes", d->cache) &&
           json_out_count(item, "workspace_bytes", d->workspace) &&
           json_out_count(item, "memory_free_bytes", d->memory_free) &&
           cJSON_AddNumberToObject(item, "memory_of_device", d->memory);
}

static int print_json(const fm_plan *p) {
    cJSON *object = cJSON_CreateObject();
    bool ok = object && json_out_count(object, "weights_in_place_bytes", p->weights_in_place) &&
              json_out_count(object, "weights_copied_bytes", p->weights_copied) &&
              json_out_count(object, "cache_bytes", p->cache) &&
              json_out_count(object, "cache_bytes_per_token", p->cache_per_token) &&
              json_out_count(object, "workspace_bytes", p->workspace) &&
              json_out_count(object, "needed_bytes", needed(p)) &&
              json_out_count(object, "memory_free_bytes", p->memory_free) &&
              cJSON_AddNumberToObject(object, "max_context_tokens", p->max_context) &&
              cJSON_AddNumberToObject(object, "max_chunk_tokens", p->max_chunk) &&
              cJSON_AddNumberToObject(object, "max_sequences", p->max_sequences) &&
              cJSON_AddNumberToObject(object, "cache_tokens", p->cache_tokens) &&
              json_out_count(object, "cache_tokens_that_fit", (uint64_t)p->cache_tokens_that_fit) &&
              cJSON_AddBoolToObject(object, "fits", p->fits) &&
              json_out_text(object, "advice", p->advice, strlen(p->advice));
    cJSON *list = ok ? cJSON_AddArrayToObject(object, "devices") : NULL;
    ok = list != NULL;
    for (int32_t i = 0; ok && i < p->n_devices; i++) ok = add_device(list, &p->devices[i]);
    return json_out_print(object, ok);
}

int cmd_plan(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    fm_error err;
    fm_plan plan;
    fm_model_params model = options_model_params(o);
    fm_engine_params engine = options_engine_params(o);
    if (fm_plan_make(o->words[0], &model, &engine, &plan, &err) != FM_OK)
        return terminal_fail("%s", err.text);
    if (o->json)
        status = print_json(&plan);
    else
        print_table(&plan);
    return status == STATUS_DONE && !plan.fits ? STATUS_FAILED : status;
}
