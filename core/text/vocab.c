/*
 * vocab.c - the token table and the hash table over the texts. A file can be made so that its
 * texts collide; a chain of probes that no honest file reaches is refused, so building stays
 * linear.
 */
#include "vocab.h"

#include <string.h>

#include "../base/checked.h"
#include "alphabet.h"

enum { MAX_PROBES = 512 };

fm_status vocab_new(vocab *v, arena *memory, vocab_limits limits, fm_error *err) {
    /* A token's bytes are at most as many as its text's; the text is terminated. */
    size_t n_slots = 16;
    size_t pool = 0;
    bool fits = limits.n_tokens <= SIZE_MAX / 4 && checked_mul(limits.text_bytes, 2, &pool) &&
                checked_add(pool, limits.n_tokens, &pool);
    while (fits && n_slots < 2 * limits.n_tokens) n_slots *= 2;
    *v = (vocab){.size = limits.size, .n_slots = n_slots, .pool_left = pool};
    if (fits) {
        v->tokens = arena_alloc(memory, (size_t)limits.size, sizeof *v->tokens);
        v->slots = arena_alloc(memory, n_slots, sizeof *v->slots);
        v->pool = arena_alloc(memory, pool, 1);
    }
    if (!v->tokens || !v->slots || !v->pool)
        return error_set(err, FM_ERR_MEMORY, "out of memory for a vocabulary of %zu tokens",
                         limits.n_tokens);
    for (size_t i = 0; i < n_slots; i++) v->slots[i] = -1;
    return FM_OK;
}

/* ---- Lookup ---------------------------------------------------------------------------------- */

/* FNV-1a over the text; hash_end carries every bit into the lower half. */
#define HASH_START 0xCBF29CE484222325u

static uint64_t hash_add(uint64_t h, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) h = (h ^ (uint8_t)text[i]) * 0x100000001B3u;
    return h;
}

static size_t hash_end(uint64_t h) {
    return (size_t)((h * 0x9E3779B97F4A7C15u) >> 32);
}

/** The slot that holds the text, or the free slot where it belongs; NULL after too many probes. */
static int32_t *find_slot(const vocab *v, const char *text, size_t length) {
    size_t start = hash_end(hash_add(HASH_START, text, length));
    for (size_t i = 0; i < MAX_PROBES; i++) {
        int32_t *slot = &v->slots[(start + i) & (v->n_slots - 1)];
        if (*slot < 0) return slot;
        const vocab_token *token = &v->tokens[*slot];
        if (token->text_length == length && memcmp(token->text, text, length) == 0) return slot;
    }
    return NULL;
}

int32_t vocab_find(const vocab *v, const char *text, size_t length) {
    const int32_t *slot = find_slot(v, text, length);
    return slot ? *slot : -1;
}

/* The token's text is not needed for this, only its hash: it is that of the bytes' symbols. */
int32_t vocab_find_bytes(const vocab *v, const uint8_t *bytes, size_t length) {
    uint64_t h = HASH_START;
    for (size_t i = 0; i < length; i++) {
        char symbol[2];
        h = hash_add(h, symbol, alphabet_symbol(bytes[i], symbol));
    }
    size_t start = hash_end(h);
    for (size_t i = 0; i < MAX_PROBES; i++) {
        int32_t id = v->slots[(start + i) & (v->n_slots - 1)];
        if (id < 0) return -1;
        const vocab_token *token = &v->tokens[id];
        bool in_alphabet = (const char *)token->bytes != token->text;
        if (in_alphabet && token->n_bytes == length && memcmp(token->bytes, bytes, length) == 0)
            return id;
    }
    return -1;
}

const vocab_token *vocab_get(const vocab *v, int32_t id) {
    return id >= 0 && id < v->size && v->tokens[id].text ? &v->tokens[id] : NULL;
}

/* ---- Building -------------------------------------------------------------------------------- */

/** Takes memory from the pool; NULL when the limits given to vocab_new do not hold. */
static char *take(vocab *v, size_t n) {
    if (n > v->pool_left) return NULL;
    char *memory = v->pool;
    v->pool += n;
    v->pool_left -= n;
    return memory;
}

static void set_bytes(vocab *v, vocab_token *token, const void *bytes, size_t n_bytes) {
    token->bytes = bytes;
    token->n_bytes = (uint32_t)n_bytes;
    if (token->n_bytes > v->max_bytes) v->max_bytes = token->n_bytes;
}

/** Says why a token cannot be entered under this id and text, if so. */
static fm_status check_free(const vocab *v, const int32_t *slot, int32_t id, const char *text,
                            fm_error *err) {
    if (!slot)
        return error_set(err, FM_ERR_FORMAT,
                         "tokenizer.json: the token \"%.80s\" collides with too many others", text);
    if (*slot >= 0)
        return error_set(err, FM_ERR_FORMAT,
                         "tokenizer.json: the token \"%.80s\" has two ids, %d and %d", text, *slot,
                         id);
    const vocab_token *token = vocab_get(v, id);
    if (token)
        return error_set(err, FM_ERR_FORMAT,
                         "tokenizer.json: the id %d stands for \"%.80s\" and for \"%.80s\"", id,
                         token->text, text);
    return FM_OK;
}

static fm_status enter(vocab *v, int32_t *slot, int32_t id, const char *text, size_t length,
                       fm_error *err) {
    FM_TRY(check_free(v, slot, id, text, err));
    char *copy = id < v->size && length < UINT32_MAX ? take(v, length + 1) : NULL;
    if (!copy) return error_set(err, FM_ERR_LIMIT, "tokenizer.json: more tokens than were counted");
    memcpy(copy, text, length + 1);
    v->tokens[id].text = copy;
    v->tokens[id].text_length = (uint32_t)length;
    if (length > v->max_text) v->max_text = (uint32_t)length;
    *slot = id;
    return FM_OK;
}

fm_status vocab_add(vocab *v, int32_t id, const char *text, fm_error *err) {
    size_t length = strlen(text);
    FM_TRY(enter(v, find_slot(v, text, length), id, text, length, err));
    vocab_token *token = &v->tokens[id];
    uint8_t *bytes = (uint8_t *)take(v, length);
    size_t n_bytes = 0;
    if (bytes && alphabet_decode(text, length, bytes, &n_bytes))
        set_bytes(v, token, bytes, n_bytes);
    else
        set_bytes(v, token, token->text, length);
    return FM_OK;
}

fm_status vocab_add_added(vocab *v, int32_t id, const char *text, bool special, fm_error *err) {
    size_t length = strlen(text);
    int32_t *slot = find_slot(v, text, length);
    if (!slot || *slot != id) {
        FM_TRY(enter(v, slot, id, text, length, err));
        set_bytes(v, &v->tokens[id], v->tokens[id].text, length);
    }
    vocab_token *token = &v->tokens[id];
    if (token->added)
        return error_set(err, FM_ERR_FORMAT,
                         "tokenizer.json: the added token \"%.80s\" is there twice", text);
    token->added = true;
    token->special = special;
    return FM_OK;
}
