/* whole.c - the table of whole pieces. */
#include "whole.h"

#include <string.h>

enum { MAX_PROBES = 512, KEY_BYTES = 8 };

fm_status whole_new(whole_table *w, arena *memory, size_t max_pieces, fm_error *err) {
    size_t n_slots = 16;
    while (n_slots / 2 < max_pieces && n_slots <= SIZE_MAX / 2) n_slots *= 2;
    *w = (whole_table){.n_slots = n_slots};
    w->slots = arena_alloc(memory, n_slots, sizeof *w->slots);
    if (!w->slots)
        return error_set(err, FM_ERR_MEMORY, "out of memory for %zu whole pieces", max_pieces);
    return FM_OK;
}

static uint64_t mix(uint64_t x) {
    x *= 0x9E3779B97F4A7C15u;
    return x ^ x >> 32;
}

static uint64_t key_of(const uint8_t *piece, size_t length) {
    uint64_t key = 0;
    if (length <= KEY_BYTES) {
        for (size_t i = 0; i < length; i++) key |= (uint64_t)piece[i] << (8 * i);
        return key;
    }
    for (size_t i = 0; i + KEY_BYTES <= length; i += KEY_BYTES) {
        uint64_t part;
        memcpy(&part, piece + i, KEY_BYTES);
        key = mix(key ^ part);
    }
    uint64_t last;
    memcpy(&last, piece + length - KEY_BYTES, KEY_BYTES);
    return mix(key ^ last);
}

static bool is_piece(const whole_piece *slot, const vocab *v, const uint8_t *piece, size_t length,
                     uint64_t key) {
    if (slot->key != key || slot->length != length) return false;
    return length <= KEY_BYTES || memcmp(v->tokens[slot->id].bytes, piece, length) == 0;
}

/** The first slot to look at. */
static size_t place_of(uint64_t key, size_t length) {
    return (size_t)(mix(key + length) >> 8);
}

fm_status whole_add(whole_table *w, const vocab *v, int32_t id, fm_error *err) {
    const vocab_token *token = &v->tokens[id];
    if (token->n_bytes == 0) return FM_OK;
    uint64_t key = key_of(token->bytes, token->n_bytes);
    size_t start = place_of(key, token->n_bytes);
    for (size_t i = 0; i < MAX_PROBES; i++) {
        whole_piece *slot = &w->slots[(start + i) & (w->n_slots - 1)];
        if (slot->length > 0) continue;
        *slot = (whole_piece){key, token->n_bytes, id};
        if (token->n_bytes > w->max_length) w->max_length = token->n_bytes;
        return FM_OK;
    }
    return error_set(err, FM_ERR_FORMAT,
                     "tokenizer.json: the token \"%.80s\" collides with too many others",
                     token->text);
}

int32_t whole_find(const whole_table *w, const vocab *v, const uint8_t *piece, size_t length) {
    if (length > w->max_length) return -1;
    uint64_t key = key_of(piece, length);
    for (size_t i = place_of(key, length);; i++) {
        const whole_piece *slot = &w->slots[i & (w->n_slots - 1)];
        if (slot->length == 0) return -1;
        if (is_piece(slot, v, piece, length, key)) return slot->id;
    }
}
