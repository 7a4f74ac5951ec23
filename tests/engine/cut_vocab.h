/*
 * cut_vocab.h - a copy of a checkpoint with tied embeddings that knows its first tokens only.
 */
#ifndef TESTS_ENGINE_CUT_VOCAB_H
#define TESTS_ENGINE_CUT_VOCAB_H

#include "support/json_edit.h"
#include "support/temp_dir.h"

#define CUT_VOCAB_EMBED "model.embed_tokens.weight"

/** Sets the numbers of an array of two. */
static inline void cut_vocab_set(cJSON *pair, double first, double second) {
    cJSON_SetNumberValue(cJSON_GetArrayItem(pair, 0), first);
    cJSON_SetNumberValue(cJSON_GetArrayItem(pair, 1), second);
}

/** Cuts the embedding of the header to n rows, closes the gap, and copies the data. */
static inline size_t cut_vocab_tensors(cJSON *header, const char *data, int32_t n, char *out) {
    size_t size = 0;
    for (cJSON *t = header->child; t; t = t->next) {
        cJSON *offsets = cJSON_GetObjectItemCaseSensitive(t, "data_offsets");
        cJSON *shape = cJSON_GetObjectItemCaseSensitive(t, "shape");
        if (!offsets) continue;
        size_t begin = (size_t)cJSON_GetArrayItem(offsets, 0)->valuedouble;
        size_t end = (size_t)cJSON_GetArrayItem(offsets, 1)->valuedouble, bytes = end - begin;
        if (strcmp(t->string, CUT_VOCAB_EMBED) == 0) {
            double rows = cJSON_GetArrayItem(shape, 0)->valuedouble;
            double cols = cJSON_GetArrayItem(shape, 1)->valuedouble;
            bytes = bytes / (size_t)rows * (size_t)n;
            cut_vocab_set(shape, n, cols);
        }
        memcpy(out + size, data + begin, bytes);
        cut_vocab_set(offsets, (double)size, (double)(size + bytes));
        size += bytes;
    }
    return size;
}

/** Writes the copy with a vocabulary of n tokens to NAME in `dir`. */
static inline void cut_vocab(const char *from, int32_t n, const temp_dir *dir, const char *name) {
    char path[TEMP_PATH_SIZE], to[TEMP_PATH_SIZE], edits[64];
    size_t file_size;
    snprintf(path, sizeof path, "%s/config.json", from);
    snprintf(to, sizeof to, "%s/config.json", name);
    snprintf(edits, sizeof edits, "vocab_size=%d", (int)n);
    char *text = json_edit_read(path, NULL), *edited = json_edit(text, edits);
    temp_dir_write_text(dir, to, edited);
    free(edited);
    free(text);

    snprintf(path, sizeof path, "%s/model.safetensors", from);
    snprintf(to, sizeof to, "%s/model.safetensors", name);
    char *file = json_edit_read(path, &file_size), *out = calloc(2, file_size);
    uint64_t length;
    assert_non_null(out);
    memcpy(&length, file, sizeof length);
    cJSON *header = cJSON_ParseWithLength(file + 8, (size_t)length);
    assert_non_null(header);
    char *data = calloc(1, file_size);
    assert_non_null(data);
    size_t size = cut_vocab_tensors(header, file + 8 + length, n, data);
    char *words = cJSON_PrintUnformatted(header);
    length = (strlen(words) + 7) / 8 * 8;
    memcpy(out, &length, sizeof length);
    memset(out + 8, ' ', (size_t)length);
    memcpy(out + 8, words, strlen(words));
    memcpy(out + 8 + length, data, size);
    temp_dir_write(dir, to, out, 8 + (size_t)length + size);
    free(words);
    cJSON_Delete(header);
    free(data);
    free(out);
    free(file);
}

#endif
