/* cmd_inspect.c - what lies in a model directory: architecture, sizes, and every tensor. */
#include "command.h"
#include "json_out.h"
#include "session.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Tensors and bytes of each number format. */
typedef struct dtype_totals {
    uint64_t n_tensors[FM_DTYPE_COUNT];
    uint64_t n_bytes[FM_DTYPE_COUNT];
} dtype_totals;

static dtype_totals add_up(const fm_checkpoint *c, size_t n_tensors) {
    dtype_totals totals = {0};
    for (size_t i = 0; i < n_tensors; i++) {
        fm_tensor_info tensor;
        fm_checkpoint_get_tensor(c, i, &tensor);
        totals.n_tensors[tensor.dtype]++;
        totals.n_bytes[tensor.dtype] += tensor.n_bytes;
    }
    return totals;
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* "134.5 M", "671.03 B": three to five digits that a person compares. */
static const char *count_text(uint64_t count, char text[32]) {
    if (count >= 1000000000)
        snprintf(text, 32, "%.2f B", (double)count / 1e9);
    else if (count >= 1000000)
        snprintf(text, 32, "%.1f M", (double)count / 1e6);
    else
        snprintf(text, 32, "%" PRIu64, count);
    return text;
}

static const char *bytes_text(uint64_t n_bytes, char text[32]) {
    if (n_bytes >= 1000000000)
        snprintf(text, 32, "%.2f GB", (double)n_bytes / 1e9);
    else if (n_bytes >= 1000000)
        snprintf(text, 32, "%.1f MB", (double)n_bytes / 1e6);
    else
        snprintf(text, 32, "%.1f kB", (double)n_bytes / 1e3);
    return text;
}

/* "[576, 1536]"; a tensor without dimensions is "[]". */
static const char *shape_text(const fm_tensor_info *tensor, char text[200]) {
    size_t at = (size_t)snprintf(text, 200, "[");
    for (int32_t d = 0; d < tensor->n_dims && at < 170; d++)
        at +=
            (size_t)snprintf(text + at, 200 - at, "%s%" PRId64, d > 0 ? ", " : "", tensor->size[d]);
    snprintf(text + at, 200 - at, "]");
    return text;
}

/* Names come from the file: a control character in one must not reach the terminal. */
static void print_name(const char *name, int width) {
    int printed = 0;
    for (; *name; printed++) {
        size_t length = terminal_char(name);
        if (length > 0)
            fwrite(name, 1, length, stdout);
        else
            putchar('?');
        name += length > 0 ? length : 1;
    }
    for (; printed < width; printed++) putchar(' ');
}

static void print_summary(const fm_checkpoint_info *info, const dtype_totals *totals) {
    char a[32], b[32];
    printf("architecture  ");
    print_name(info->model_type, 0);
    printf("\nlayers        %" PRId32 "\n", info->n_layers);
    printf("hidden size   %" PRId32 "\n", info->hidden_size);
    printf("vocabulary    %" PRId32 "\n", info->vocab_size);
    printf("context       %" PRId32 " tokens\n", info->max_context);
    if (info->n_routed_experts > 0)
        printf("experts       %" PRId32 ", %" PRId32 " for each token\n", info->n_routed_experts,
               info->n_experts_per_token);
    printf("parameters    %s, %s active\n", count_text(info->n_params, a),
           count_text(info->n_params_active, b));
    printf("weight files  %s\n", bytes_text(info->n_bytes, a));
    for (int d = 0; d < FM_DTYPE_COUNT; d++)
        if (totals->n_tensors[d] > 0)
            printf("  %-10s  %" PRIu64 " tensors, %s\n", fm_dtype_name((fm_dtype)d),
                   totals->n_tensors[d], bytes_text(totals->n_bytes[d], a));
}

static void print_table(const fm_checkpoint *c, size_t n_tensors) {
    char shape[200], size[32];
    fm_tensor_info tensor;
    int name_width = 6, shape_width = 5;
    for (size_t i = 0; i < n_tensors; i++) {
        fm_checkpoint_get_tensor(c, i, &tensor);
        int name = (int)strnlen(tensor.name, 200), wide = (int)strlen(shape_text(&tensor, shape));
        if (name > name_width) name_width = name;
        if (wide > shape_width) shape_width = wide;
    }
    printf("\n%-*s  %-7s  %-*s  %10s\n", name_width, "tensor", "format", shape_width, "shape",
           "size");
    for (size_t i = 0; i < n_tensors; i++) {
        fm_checkpoint_get_tensor(c, i, &tensor);
        print_name(tensor.name, name_width);
        printf("  %-7s  %-*s  %10s%s\n", fm_dtype_name(tensor.dtype), shape_width,
               shape_text(&tensor, shape), bytes_text(tensor.n_bytes, size),
               tensor.used ? "" : "  not used");
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static bool add_tensor(cJSON *list, const fm_tensor_info *tensor) {
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) return false;
    cJSON *shape;
    if (!json_out_text(item, "name", tensor->name, strlen(tensor->name)) ||
        !cJSON_AddStringToObject(item, "dtype", fm_dtype_name(tensor->dtype)) ||
        !(shape = cJSON_AddArrayToObject(item, "shape")))
        return false;
    for (int32_t d = 0; d < tensor->n_dims; d++) {
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, tensor->size[d]);
        if (!cJSON_AddItemToArray(shape, cJSON_CreateRaw(number))) return false;
    }
    return json_out_count(item, "size_bytes", tensor->n_bytes) &&
           cJSON_AddBoolToObject(item, "used", tensor->used);
}

static bool add_dtypes(cJSON *object, const dtype_totals *totals) {
    cJSON *dtypes = cJSON_AddObjectToObject(object, "dtypes");
    for (int d = 0; dtypes && d < FM_DTYPE_COUNT; d++) {
        if (totals->n_tensors[d] == 0) continue;
        cJSON *item = cJSON_AddObjectToObject(dtypes, fm_dtype_name((fm_dtype)d));
        if (!item || !json_out_count(item, "tensors", totals->n_tensors[d]) ||
            !json_out_count(item, "size_bytes", totals->n_bytes[d]))
            return false;
    }
    return dtypes != NULL;
}

static int print_json(const fm_checkpoint *c, const fm_checkpoint_info *info,
                      const dtype_totals *totals) {
    cJSON *object = cJSON_CreateObject();
    bool ok = object &&
              json_out_text(object, "architecture", info->model_type, strlen(info->model_type)) &&
              cJSON_AddNumberToObject(object, "layers", info->n_layers) &&
              cJSON_AddNumberToObject(object, "hidden_size", info->hidden_size) &&
              cJSON_AddNumberToObject(object, "vocab_size", info->vocab_size) &&
              cJSON_AddNumberToObject(object, "max_context_tokens", info->max_context) &&
              cJSON_AddNumberToObject(object, "routed_experts", info->n_routed_experts) &&
              cJSON_AddNumberToObject(object, "experts_per_token", info->n_experts_per_token) &&
              json_out_count(object, "total_parameters", info->n_params) &&
              json_out_count(object, "active_parameters", info->n_params_active) &&
              json_out_count(object, "weight_files_bytes", info->n_bytes) &&
              add_dtypes(object, totals);
    cJSON *list = ok ? cJSON_AddArrayToObject(object, "tensors") : NULL;
    ok = list != NULL;
    for (size_t i = 0; ok && i < info->n_tensors; i++) {
        fm_tensor_info tensor;
        fm_checkpoint_get_tensor(c, i, &tensor);
        ok = add_tensor(list, &tensor);
    }
    return json_out_print(object, ok);
}

int cmd_inspect(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    fm_error err;
    fm_checkpoint *c = NULL;
    if (fm_checkpoint_open(o->words[0], &c, &err) != FM_OK) return terminal_fail("%s", err.text);
    fm_checkpoint_info info;
    fm_checkpoint_get_info(c, &info);
    dtype_totals totals = add_up(c, info.n_tensors);
    if (o->json) {
        status = print_json(c, &info, &totals);
    } else {
        print_summary(&info, &totals);
        print_table(c, info.n_tensors);
    }
    fm_checkpoint_close(c);
    return status;
}
