/*
 * fuzz_safetensors.c - any bytes as a safetensors file: once as they are, and once with a true
 * header length put before them (the header ends at the first zero byte), so that the fuzzer need
 * not find the eight length bytes each time it changes the header.
 */
#include <stdlib.h>
#include <string.h>

#include "data/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

/** Every tensor that is offered lies in the file, has the bytes its shape needs, and is found. */
static void check_tensor(const safetensors *s, size_t index, const uint8_t *file, size_t size) {
    const st_tensor *t = safetensors_at(s, index);
    uint64_t n_bytes = fm_dtype_size(t->dtype);
    for (int32_t d = 0; d < t->n_dims; d++) n_bytes *= (uint64_t)t->size[d];
    require(n_bytes == t->n_bytes);
    const uint8_t *first = t->data;
    require(first >= file && first <= file + size && t->n_bytes <= (size_t)(file + size - first));
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < t->n_bytes; i++) sum = (uint8_t)(sum + first[i]);
    require(safetensors_find(s, t->name) == t);
    if (index > 0) require(strcmp(safetensors_at(s, index - 1)->name, t->name) < 0);
}

static void check_file(const uint8_t *file, size_t size) {
    safetensors *s;
    fm_error err = {0};
    if (safetensors_open_bytes("fuzz", file, size, &s, &err) != FM_OK) {
        require(err.status != FM_OK && err.text[0] != '\0' && !strchr(err.text, '\n'));
        return;
    }
    for (size_t i = 0; i < safetensors_count(s); i++) check_tensor(s, i, file, size);
    safetensors_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_file(data, size);
    uint8_t *file = malloc(size + 8);
    if (!file) return 0;
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t length = zero ? (size_t)(zero - data) : size;
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)length >> (8 * i));
    if (size > 0) memcpy(file + 8, data, size);
    check_file(file, size + 8);
    free(file);
    return 0;
}
