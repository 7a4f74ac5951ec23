/* checkpoint.c - opens a checkpoint directory and answers what lies in it. */
#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "../base/os.h"
#include "weights.h"

enum { MAX_PATH = 4096 };

static const json_limits config_limits = {.max_bytes = 4 << 20, .max_depth = 32};

static fm_status read_config(const char *dir, config *c, fm_error *err) {
    char path[MAX_PATH];
    json_doc *doc;
    FM_TRY(os_path_join(dir, "config.json", path, sizeof path, err));
    if (!os_path_exists(path))
        return error_set(err, FM_ERR_NOT_FOUND, "%s has no config.json: is it a model directory?",
                         dir);
    FM_TRY(json_read(path, config_limits, &doc, err));
    fm_status status = config_parse(json_root(doc), c, err);
    json_free(doc);
    return error_locate(err, status, dir);
}

/** generation_config.json is optional; one that is there and cannot be used is refused, as answers
 * would run past their end tokens. */
static fm_status read_generation(const char *dir, config *c, fm_error *err) {
    char path[MAX_PATH];
    json_doc *doc;
    FM_TRY(os_path_join(dir, "generation_config.json", path, sizeof path, err));
    if (!os_path_exists(path)) return FM_OK;
    FM_TRY(json_read(path, config_limits, &doc, err));
    fm_status status = config_parse_generation(json_root(doc), c, err);
    json_free(doc);
    return error_locate(err, status, dir);
}

/** Checks that every tensor is there, and notes which are used. */
static fm_status check_tensors(fm_checkpoint *c, fm_error *err) {
    model_weights weights;
    c->used = calloc(safetensors_count(c->files) + 1, sizeof *c->used);
    if (!c->used) return error_set(err, FM_ERR_MEMORY, "out of memory for a list of tensors");
    FM_TRY(weights_load(&c->config, c->files, NULL, FM_DTYPE_COUNT, c->used, &weights, err));
    c->n_params = weights.n_params;
    c->n_params_active = weights.n_params_active;
    weights_free(&weights);
    return FM_OK;
}

fm_status fm_checkpoint_open(const char *dir, fm_checkpoint **out, fm_error *err) {
    *out = NULL;
    if (!os_dir_exists(dir))
        return error_set(err, FM_ERR_NOT_FOUND,
                         "%s is not a directory: give the folder that holds "
                         "config.json and model.safetensors",
                         dir);
    fm_checkpoint *c = calloc(1, sizeof *c);
    if (!c) return error_set(err, FM_ERR_MEMORY, "out of memory for a checkpoint");
    fm_status status = read_config(dir, &c->config, err);
    if (status == FM_OK) status = read_generation(dir, &c->config, err);
    if (status == FM_OK) status = safetensors_open(dir, &c->files, err);
    if (status == FM_OK) status = error_locate(err, check_tensors(c, err), dir);
    if (status != FM_OK) {
        fm_checkpoint_close(c);
        return status;
    }
    *out = c;
    return FM_OK;
}

void fm_checkpoint_close(fm_checkpoint *c) {
    if (!c) return;
    safetensors_close(c->files);
    free(c->used);
    free(c);
}

void fm_checkpoint_get_info(const fm_checkpoint *c, fm_checkpoint_info *out) {
    *out = (fm_checkpoint_info){
        .n_layers = c->config.n_layers,
        .hidden_size = c->config.hidden_size,
        .vocab_size = c->config.vocab_size,
        .max_context = c->config.max_position_embeddings,
        .n_routed_experts = c->config.router.n_experts,
        .n_experts_per_token = c->config.router.top_k,
        .n_tensors = safetensors_count(c->files),
        .n_params = c->n_params,
        .n_params_active = c->n_params_active,
        .n_bytes = safetensors_file_bytes(c->files),
    };
    memcpy(out->model_type, c->config.model_type, sizeof out->model_type);
}

void fm_checkpoint_get_tensor(const fm_checkpoint *c, size_t i, fm_tensor_info *out) {
    const st_tensor *t = safetensors_at(c->files, i);
    *out = (fm_tensor_info){
        .name = t->name,
        .dtype = t->dtype,
        .n_dims = t->n_dims,
        .n_bytes = t->n_bytes,
        .used = c->used[i],
    };
    for (int32_t d = 0; d < t->n_dims; d++) out->size[d] = t->size[d];
}
