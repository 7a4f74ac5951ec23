/*
 * test_checkpoint.c - what lies in a checkpoint directory is counted right, and whatever is wrong
 * with one is refused in one line, by the checkpoint and by the model that would run it.
 */
#include "support/expect.h"
#include "support/json_edit.h"
#include "support/temp_dir.h"

enum { MAX_HEADER = 1 << 20 };

/* ---- Checkpoints in the test's directory ----------------------------------------------------- */

static char *read_oracle(const char *name, const char *file, size_t *size) {
    char path[1024];
    assert_true(snprintf(path, sizeof path, TEST_DATA "/oracle/%s/%s", name, file) < 1024);
    return json_edit_read(path, size);
}

/** Copies a file of an oracle's checkpoint. */
static void copy_file(const temp_dir *dir, const char *name, const char *file) {
    size_t size;
    char *bytes = read_oracle(name, file, &size);
    temp_dir_write(dir, file, bytes, size);
    free(bytes);
}

/** Writes the oracle's config.json with edits. */
static void write_config(const temp_dir *dir, const char *name, const char *edits) {
    char *text = read_oracle(name, "config.json", NULL), *edited = json_edit(text, edits);
    temp_dir_write_text(dir, "config.json", edited);
    free(edited);
    free(text);
}

/** Writes the oracle's model.safetensors with edits of its header and `n_more` zero bytes behind.
 */
static void write_weights(const temp_dir *dir, const char *name, const char *edits, size_t n_more) {
    size_t size;
    uint64_t length;
    char *bytes = read_oracle(name, "model.safetensors", &size), *header = calloc(MAX_HEADER, 1);
    assert_non_null(header);
    memcpy(&length, bytes, sizeof length); /* the tests run on little-endian machines */
    assert_true(length < MAX_HEADER && 8 + length <= size);
    memcpy(header, bytes + 8, length);
    char *edited = json_edit(header, edits);
    uint64_t new_length = strlen(edited);
    size_t n_data = size - 8 - length, new_size = 8 + new_length + n_data + n_more;
    char *out = calloc(new_size, 1);
    assert_non_null(out);
    memcpy(out, &new_length, sizeof new_length);
    memcpy(out + 8, edited, new_length);
    memcpy(out + 8 + new_length, bytes + 8 + length, n_data);
    temp_dir_write(dir, "model.safetensors", out, new_size);
    free(out);
    free(edited);
    free(header);
    free(bytes);
}

/** Both ways of opening must refuse `path`, with the same line, which says where it was. */
static void expect_refused(const char *what, const char *path, fm_status status, const char *word) {
    fm_error err = {0}, again = {0};
    fm_checkpoint *checkpoint;
    fm_model *model;
    const fm_model_params params = {.device = "cpu", .n_threads = 1};
    expect_error(what, fm_checkpoint_open(path, &checkpoint, &err), &err, status, word);
    expect_error(what, fm_model_open(path, &params, &model, &again), &again, status, word);
    assert_null(checkpoint);
    assert_null(model);
    assert_string_equal(err.text, again.text);
    if (!strstr(err.text, path)) fail_msg("%s: \"%s\" does not say where", what, err.text);
    assert_int_equal(fm_checkpoint_open(path, &checkpoint, NULL), status);
}

static fm_checkpoint *open_checkpoint(const char *path) {
    fm_checkpoint *c;
    fm_error err = {0};
    if (fm_checkpoint_open(path, &c, &err) != FM_OK) fail_msg("%s: %s", path, err.text);
    return c;
}

/* ---- What is counted ------------------------------------------------------------------------- */

/** Elements by hand from the shapes: ends, then per layer attention, norms, feed-forward.
 *
 *  llama_mha  2*224*48 + 48 + 2 (4*48*48 + 2*48 + 3*48*96)
 *  v3_mtp     2*200*32 + 32 + 3 (640 + 20 + 1600 + 896 + 20 + 1920 + 1536 + 64) + 2*6144
 *             + 256 + 8 + 8 experts of 960 + 960, of which one token leaves 6 experts alone
 *  v3_odd     2*211*52 + 52 + 2 (1144 + 22 + 1056 + 2392 + 40 + 2880 + 2184 + 104) + 9516
 *             + 312 + 6 + 6 experts of 1716 + 1716, of which one token leaves 3 alone, or 5 */
static const struct counted {
    const char *name, *edits;
    uint64_t n_params, n_active, n_bytes;
    size_t n_tensors, n_used;
    int32_t n_layers, vocab, hidden, experts, per_token;
} counts[] = {
    {"llama_mha", "", 67824, 67824, 273432, 21, 21, 2, 224, 48, 0, 0},
    {"v3_mtp", "", 54112, 48352, 350328, 109, 65, 3, 200, 32, 8, 2},
    {"v3_odd", "", 63486, 58338, 259000, 47, 47, 2, 211, 52, 6, 3},
    {"v3_odd", "num_experts_per_tok=1", 63486, 54906, 259000, 47, 47, 2, 211, 52, 6, 1},
    {"llama_mha", "tie_word_embeddings=true", 57072, 57072, 273432, 21, 20, 2, 224, 48, 0, 0},
};

static void checkpoint_counts_are_those_by_hand(void **state) {
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const struct counted *want = &counts[i];
        const temp_dir *dir = *state;
        size_t n_used = 0;
        fm_checkpoint_info info;
        write_config(dir, want->name, want->edits);
        copy_file(dir, want->name, "model.safetensors");
        fm_checkpoint *c = open_checkpoint(dir->path);
        fm_checkpoint_get_info(c, &info);
        assert_string_equal(info.model_type, want->experts ? "deepseek_v3" : "llama");
        assert_int_equal(info.n_params, want->n_params);
        assert_int_equal(info.n_params_active, want->n_active);
        assert_int_equal(info.n_bytes, want->n_bytes);
        assert_int_equal(info.n_tensors, want->n_tensors);
        assert_int_equal(info.n_layers, want->n_layers);
        assert_int_equal(info.vocab_size, want->vocab);
        assert_int_equal(info.hidden_size, want->hidden);
        assert_int_equal(info.max_context, 512);
        assert_int_equal(info.n_routed_experts, want->experts);
        assert_int_equal(info.n_experts_per_token, want->per_token);
        for (size_t t = 0; t < info.n_tensors; t++) {
            fm_tensor_info tensor;
            fm_checkpoint_get_tensor(c, t, &tensor);
            n_used += tensor.used;
        }
        assert_int_equal(n_used, want->n_used);
        fm_checkpoint_close(c);
    }
}

static void checkpoint_tensors_come_in_order_with_what_is_used(void **state) {
    (void)state;
    fm_checkpoint *c = open_checkpoint(TEST_DATA "/oracle/v3_mtp");
    fm_checkpoint_info info;
    char last[256] = "";
    fm_checkpoint_get_info(c, &info);
    for (size_t i = 0; i < info.n_tensors; i++) {
        fm_tensor_info t;
        uint64_t n = fm_dtype_size(FM_DTYPE_F32);
        fm_checkpoint_get_tensor(c, i, &t);
        assert_true(strcmp(last, t.name) < 0);
        snprintf(last, sizeof last, "%s", t.name);
        assert_int_equal(t.dtype, FM_DTYPE_F32);
        for (int32_t d = 0; d < t.n_dims; d++) n *= (uint64_t)t.size[d];
        assert_int_equal(t.n_bytes, n);
        /* Layer 3 is the MTP layer behind the model's three. */
        assert_int_equal(t.used, strncmp(t.name, "model.layers.3.", 15) != 0);
    }
    fm_checkpoint_close(c);
}

static void checkpoint_extra_tensors_are_not_used(void **state) {
    const temp_dir *dir = *state;
    fm_tensor_info t;
    write_config(dir, "llama_mha", "");
    write_weights(dir, "llama_mha",
                  "a.table={\"dtype\":\"I64\",\"shape\":[3],\"data_offsets\":[271296,271320]}", 24);
    fm_checkpoint *c = open_checkpoint(dir->path);
    fm_checkpoint_get_tensor(c, 0, &t);
    assert_string_equal(t.name, "a.table");
    assert_int_equal(t.dtype, FM_DTYPE_I64);
    assert_int_equal(t.n_dims, 1);
    assert_int_equal(t.size[0], 3);
    assert_false(t.used);
    fm_checkpoint_get_tensor(c, 1, &t);
    assert_true(t.used);
    fm_checkpoint_close(c);
    fm_model *model;
    assert_int_equal(
        fm_model_open(dir->path, &(fm_model_params){.device = "cpu", .n_threads = 1}, &model, NULL),
        FM_OK);
    fm_model_close(model);
}

static void checkpoint_without_a_head_shares_the_embedding(void **state) {
    const temp_dir *dir = *state;
    fm_checkpoint_info info;
    write_config(dir, "llama_mha", "");
    write_weights(dir, "llama_mha", "lm_head.weight", 0);
    fm_checkpoint *c = open_checkpoint(dir->path);
    fm_checkpoint_get_info(c, &info);
    assert_int_equal(info.n_params, 67824 - 224 * 48);
    fm_checkpoint_close(c);
    fm_checkpoint_close(NULL);
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void checkpoint_wrong_paths_are_refused(void **state) {
    const temp_dir *dir = *state;
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "absent", path);
    expect_refused("absent", path, FM_ERR_NOT_FOUND, "is not a directory");
    expect_refused("empty name", "", FM_ERR_NOT_FOUND, "is not a directory");
    expect_refused("empty directory", dir->path, FM_ERR_NOT_FOUND, "no config.json");
    temp_dir_write_text(dir, "file", "{}");
    temp_dir_path(dir, "file", path);
    expect_refused("a file", path, FM_ERR_NOT_FOUND, "is not a directory");
    copy_file(dir, "llama_mha", "config.json");
    expect_refused("no weights", dir->path, FM_ERR_NOT_FOUND, "has no weights");
}

/** Texts in the place of config.json or generation_config.json. */
static const struct text_case {
    const char *file, *text;
    fm_status status;
    const char *word;
} texts[] = {
    {"config.json", "", FM_ERR_FORMAT, "config.json"},
    {"config.json", "model_type: llama", FM_ERR_FORMAT, "config.json: line 1"},
    {"config.json", "{\"model_type\": \"llama\"", FM_ERR_FORMAT, "line 1"},
    {"config.json", "{}", FM_ERR_FORMAT, "model_type is missing"},
    {"config.json", "{\"model_type\": \"gpt2\"}", FM_ERR_UNSUPPORTED, "gpt2"},
    {"generation_config.json", "[]", FM_ERR_FORMAT, "generation_config.json: is no object"},
    {"generation_config.json", "{", FM_ERR_FORMAT, "generation_config.json"},
    {"generation_config.json", "{\"eos_token_id\": -2}", FM_ERR_FORMAT, "eos_token_id"},
};

static void checkpoint_broken_texts_are_refused(void **state) {
    const temp_dir *dir = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        copy_file(dir, "llama_mha", "config.json");
        copy_file(dir, "llama_mha", "model.safetensors");
        temp_dir_write_text(dir, texts[i].file, texts[i].text);
        expect_refused(texts[i].text, dir->path, texts[i].status, texts[i].word);
    }
}

/** Files that a checkpoint has or may have, each replaced by what is no plain file. */
static void checkpoint_odd_files_are_named_for_what_they_are(void **state) {
    const temp_dir *dir = *state;
    static const char *const files[] = {"config.json", "generation_config.json",
                                        "model.safetensors", "model.safetensors.index.json",
                                        "model-00002-of-00003.safetensors"};
    static const struct {
        const char *link; /* NULL: a pipe; "": a directory */
        fm_status status;
        const char *word;
    } odd[] = {{NULL, FM_ERR_IO, "is a device or pipe"},
               {"", FM_ERR_IO, "is a directory"},
               {"/dev/zero", FM_ERR_IO, "is a device or pipe"},
               {"nowhere", FM_ERR_NOT_FOUND, "is a link that leads nowhere"},
               {"loop", FM_ERR_IO, "cannot be opened"}};
    char path[TEMP_PATH_SIZE];
    temp_dir_path(dir, "loop", path);
    assert_int_equal(symlink("loop", path), 0);
    copy_file(dir, "llama_sharded", "config.json");
    copy_file(dir, "llama_sharded", "model.safetensors.index.json");
    copy_file(dir, "llama_sharded", "model-00001-of-00003.safetensors");
    copy_file(dir, "llama_sharded", "model-00002-of-00003.safetensors");
    copy_file(dir, "llama_sharded", "model-00003-of-00003.safetensors");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
            char saved[TEMP_PATH_SIZE], word[256];
            temp_dir_path(dir, files[i], path);
            temp_dir_path(dir, "saved", saved);
            bool was_there = rename(path, saved) == 0;
            if (!odd[k].link)
                assert_int_equal(mkfifo(path, 0600), 0);
            else
                assert_int_equal(*odd[k].link ? symlink(odd[k].link, path) : mkdir(path, 0700), 0);
            snprintf(word, sizeof word, "/%s: %s", files[i], odd[k].word);
            expect_refused(files[i], dir->path, odd[k].status, word);
            assert_int_equal(remove(path), 0);
            if (was_there) assert_int_equal(rename(saved, path), 0);
        }
    fm_checkpoint_close(open_checkpoint(dir->path));
}

/** Edits of the description or of the weights' header that make the two disagree. */
static const struct disagreement {
    const char *name, *config_edits, *header_edits;
    fm_status status;
    const char *word;
} disagreements[] = {
    {"llama_mha", "", "model.norm.weight", FM_ERR_FORMAT, "model.norm.weight is missing"},
    {"llama_mha", "", "model.embed_tokens.weight", FM_ERR_FORMAT, "embed_tokens.weight is missing"},
    {"llama_mha", "", "model.layers.1.mlp.up_proj.weight", FM_ERR_FORMAT,
     "model.layers.1.mlp.up_proj.weight is missing"},
    {"llama_mha", "num_hidden_layers=3", "", FM_ERR_FORMAT, "model.layers.2.input_layernorm"},
    {"llama_mha", "attention_bias=true", "", FM_ERR_FORMAT, "q_proj.bias is missing"},
    {"llama_mha", "mlp_bias=true", "", FM_ERR_FORMAT, "gate_proj.bias is missing"},
    {"llama_mha", "vocab_size=225", "", FM_ERR_FORMAT, "[225, 48] expected"},
    {"llama_mha", "intermediate_size=95", "", FM_ERR_FORMAT, "[95, 48] expected"},
    {"llama_mha", "num_key_value_heads=2", "", FM_ERR_FORMAT, "[24, 48] expected"},
    {"llama_mha", "", "model.norm.weight/shape=[24,2]", FM_ERR_FORMAT, "[48] expected"},
    {"llama_mha", "", "model.norm.weight/shape=[48,1]", FM_ERR_FORMAT, "[48] expected"},
    {"llama_mha", "", "lm_head.weight/shape=[48,224]", FM_ERR_FORMAT, "[224, 48] expected"},
    {"llama_mha", "", "lm_head.weight/shape=[10752]", FM_ERR_FORMAT, "[224, 48] expected"},
    {"llama_mha", "",
     "model.norm.weight={\"dtype\":\"F64\",\"shape\":[48],\"data_offsets\":[271296,271680]}",
     FM_ERR_UNSUPPORTED, "model.norm.weight is F64"},
    {"llama_mha", "",
     "model.norm.weight={\"dtype\":\"F8_E4M3\",\"shape\":[48],\"data_offsets\":[271296,271344]}",
     FM_ERR_UNSUPPORTED, "model.norm.weight is F8_E4M3"},
    {"llama_mha", "", "model.norm.weight/dtype=\"I32\"", FM_ERR_UNSUPPORTED, "is I32"},
    {"llama_mha", "", "model.norm.weight/dtype=\"F31\"", FM_ERR_UNSUPPORTED, "F31"},
    {"llama_mha", "",
     "model.layers.0.self_attn.k_proj.weight={\"dtype\":\"BF16\",\"shape\":[48,48],"
     "\"data_offsets\":[271296,275904]}",
     FM_ERR_UNSUPPORTED, "those it is stacked with are F32: save all of the checkpoint's weights"},
    {"v3_mtp", "", "model.layers.2.mlp.gate.e_score_correction_bias", FM_ERR_FORMAT,
     "e_score_correction_bias is missing"},
    {"v3_mtp", "", "model.layers.2.mlp.experts.7.up_proj.weight", FM_ERR_FORMAT,
     "experts.7.up_proj.weight is missing"},
    {"v3_mtp", "n_routed_experts=9", "", FM_ERR_FORMAT, "[9, 32] expected"},
    {"v3_mtp", "first_k_dense_replace=1", "", FM_ERR_FORMAT, "model.layers.1.mlp.gate.weight"},
    {"v3_mtp", "kv_lora_rank=19", "", FM_ERR_FORMAT, "[27, 32] expected"},
    {"v3_mtp", "q_lora_rank", "", FM_ERR_FORMAT, "self_attn.q_proj.weight is missing"},
    {"v3_mtp", "v_head_dim=13", "", FM_ERR_FORMAT, "[100, 20] expected"},
    {"v3_mtp", "n_shared_experts=2", "", FM_ERR_FORMAT, "[20, 32] expected"},
};

static void checkpoint_files_that_disagree_are_refused(void **state) {
    const temp_dir *dir = *state;
    for (size_t i = 0; i < sizeof disagreements / sizeof *disagreements; i++) {
        const struct disagreement *d = &disagreements[i];
        write_config(dir, d->name, d->config_edits);
        write_weights(dir, d->name, d->header_edits, 8192);
        char what[512];
        snprintf(what, sizeof what, "%s: %s %s", d->name, d->config_edits, d->header_edits);
        expect_refused(what, dir->path, d->status, d->word);
    }
}

static void checkpoint_cut_weights_are_refused(void **state) {
    const temp_dir *dir = *state;
    size_t size;
    char *bytes = read_oracle("llama_mha", "model.safetensors", &size);
    copy_file(dir, "llama_mha", "config.json");
    for (size_t i = 0; i < 50; i++) {
        /* every other cut within the header */
        size_t cut = i % 2 ? size * i / 50 : 2136 * i / 50;
        char what[64];
        snprintf(what, sizeof what, "%zu of %zu bytes", cut, size);
        temp_dir_write(dir, "model.safetensors", bytes, cut);
        expect_refused(what, dir->path, FM_ERR_FORMAT, "model.safetensors");
    }
    free(bytes);
}

static void checkpoint_missing_shards_are_refused(void **state) {
    const temp_dir *dir = *state;
    static const char *const files[] = {
        "config.json", "model.safetensors.index.json", "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"};
    for (size_t i = 0; i < 5; i++) copy_file(dir, "llama_sharded", files[i]);
    fm_checkpoint_close(open_checkpoint(dir->path));
    for (size_t i = 2; i < 5; i++) {
        char path[TEMP_PATH_SIZE];
        temp_dir_path(dir, files[i], path);
        assert_int_equal(unlink(path), 0);
        expect_refused(files[i], dir->path, FM_ERR_NOT_FOUND, files[i]);
        copy_file(dir, "llama_sharded", files[i]);
    }
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_setup, temp_dir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIR(checkpoint_counts_are_those_by_hand),
        cmocka_unit_test(checkpoint_tensors_come_in_order_with_what_is_used),
        IN_DIR(checkpoint_extra_tensors_are_not_used),
        IN_DIR(checkpoint_without_a_head_shares_the_embedding),
        IN_DIR(checkpoint_wrong_paths_are_refused),
        IN_DIR(checkpoint_broken_texts_are_refused),
        IN_DIR(checkpoint_odd_files_are_named_for_what_they_are),
        IN_DIR(checkpoint_files_that_disagree_are_refused),
        IN_DIR(checkpoint_cut_weights_are_refused),
        IN_DIR(checkpoint_missing_shards_are_refused),
    };
    return cmocka_run_group_tests_name("test_checkpoint", tests, NULL, NULL);
}
