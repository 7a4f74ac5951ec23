/*
 * tokenizer_load.c - reads tokenizer.json, tokenizer_config.json and chat_template.jinja. What the
 * reference would do and this code does not is refused by name: a wrong token sequence gives bad
 * answers without a sign.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/os.h"
#include "nfc.h"
#include "tokenizer.h"

#define FILE_NAME     "tokenizer.json"
#define CONFIG_NAME   "tokenizer_config.json"
#define TEMPLATE_NAME "chat_template.jinja"

enum {
    WHOLE_MAX = 64,         /* bytes of a token that is worth a try of its merges */
    MAX_TEMPLATE = 1 << 20, /* bytes */
    PATH_SIZE = 4096,       /* bytes */
};

static const json_limits limits = {.max_bytes = (size_t)64 << 20, .max_depth = 64};

static const char *type_of(const json *node) {
    const char *type = json_string(json_find(node, "type"));
    return type ? type : "none";
}

/* ---- The model's settings -------------------------------------------------------------------- */

/** True when a key has a value that changes the tokens: a number that is not 0, true, or a text. */
static bool is_set(const json *node, const char *key) {
    const json *value = json_find(node, key);
    const char *text = json_string(value);
    return json_bool(value, false) || json_number(value, 0) != 0 || (text && *text);
}

static fm_status check_model(const json *model, fm_error *err) {
    static const char *const refused[] = {"dropout", "continuing_subword_prefix",
                                          "end_of_word_suffix", "byte_fallback"};
    if (strcmp(type_of(model), "BPE") != 0)
        return error_set(err, FM_ERR_UNSUPPORTED,
                         FILE_NAME
                         ": the model type is \"%.80s\"; only byte-level BPE is supported",
                         type_of(model));
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (is_set(model, refused[i]))
            return error_set(err, FM_ERR_UNSUPPORTED, FILE_NAME ": model.%s is not supported",
                             refused[i]);
    return FM_OK;
}

/* ---- Vocabulary ------------------------------------------------------------------------------ */

static fm_status read_id(const json *node, const char *text, int32_t *out, fm_error *err) {
    int64_t id;
    *out = -1;
    if (!json_integer(node, 0, VOCAB_MAX_SIZE - 1, &id))
        return error_set(err, FM_ERR_FORMAT,
                         FILE_NAME ": the id of \"%.80s\" is not a number from 0 to %d", text,
                         VOCAB_MAX_SIZE - 1);
    *out = (int32_t)id;
    return FM_OK;
}

/** Counts one token in: what vocab_new has to know. */
static void count_token(vocab_limits *count, int32_t id, const char *text) {
    if (id >= count->size) count->size = id + 1;
    count->n_tokens++;
    count->text_bytes += strlen(text);
}

static fm_status check_added(const json *token, fm_error *err) {
    const char *text = json_string(json_find(token, "content"));
    if (!text || !*text)
        return error_set(err, FM_ERR_FORMAT, FILE_NAME ": an added token has no content");
    if (strlen(text) > ADDED_MAX_LENGTH)
        return error_set(err, FM_ERR_LIMIT,
                         FILE_NAME ": the added token \"%.80s\" is longer than %d bytes", text,
                         ADDED_MAX_LENGTH);
    return FM_OK;
}

static fm_status count_tokens(const json *words, const json *added, vocab_limits *count,
                              fm_error *err) {
    int32_t id;
    *count = (vocab_limits){0};
    json_for_each(word, words) {
        FM_TRY(read_id(word, json_key(word), &id, err));
        count_token(count, id, json_key(word));
    }
    json_for_each(token, added) {
        FM_TRY(check_added(token, err));
        const char *text = json_string(json_find(token, "content"));
        FM_TRY(read_id(json_find(token, "id"), text, &id, err));
        count_token(count, id, text);
    }
    if (count->n_tokens == 0) return error_set(err, FM_ERR_FORMAT, FILE_NAME ": no tokens");
    return FM_OK;
}

static fm_status load_vocab(fm_tokenizer *t, const json *root, fm_error *err) {
    const json *words = json_find(json_find(root, "model"), "vocab");
    const json *added = json_find(root, "added_tokens");
    if (!json_is_object(words) || (added && !json_is_array(added)))
        return error_set(err, FM_ERR_FORMAT,
                         FILE_NAME ": model.vocab must be an object and added_tokens an array");
    vocab_limits count;
    FM_TRY(count_tokens(words, added, &count, err));
    FM_TRY(vocab_new(&t->vocab, t->memory, count, err));
    json_for_each(word, words) {
        int32_t id;
        FM_TRY(read_id(word, json_key(word), &id, err));
        FM_TRY(vocab_add(&t->vocab, id, json_key(word), err));
    }
    return FM_OK;
}

/** The text that an added token is searched by: its own, or the normal form of it. */
static fm_status read_added_text(fm_tokenizer *t, bool normalized, added_token *out,
                                 fm_error *err) {
    nfc_text normal = {0};
    out->length = strlen(out->text);
    if (!t->nfc || !normalized) return FM_OK;
    fm_status status = nfc_normalize((const uint8_t *)out->text, out->length, &normal, err);
    if (status == FM_OK) {
        out->text = arena_strndup(t->memory, (const char *)normal.bytes, normal.length);
        out->length = normal.length;
        if (!out->text) status = error_set(err, FM_ERR_MEMORY, "out of memory for added tokens");
    }
    nfc_free(&normal);
    return status;
}

static fm_status load_added_token(fm_tokenizer *t, const json *node, fm_error *err) {
    const char *text = json_string(json_find(node, "content"));
    bool special = json_bool(json_find(node, "special"), false);
    bool normalized = json_bool(json_find(node, "normalized"), false);
    added_token token = {.lstrip = json_bool(json_find(node, "lstrip"), false),
                         .rstrip = json_bool(json_find(node, "rstrip"), false),
                         .single_word = json_bool(json_find(node, "single_word"), false)};
    FM_TRY(read_id(json_find(node, "id"), text, &token.id, err));
    FM_TRY(vocab_add_added(&t->vocab, token.id, text, special, err));
    token.text = vocab_get(&t->vocab, token.id)->text;
    FM_TRY(read_added_text(t, normalized, &token, err));
    added_add(&t->added[normalized ? ADDED_NORMALIZED : ADDED_RAW], token);
    return FM_OK;
}

/** Comes after the merges, which are made of ordinary tokens alone. */
static fm_status load_added(fm_tokenizer *t, const json *added, fm_error *err) {
    size_t n = json_count(added);
    for (int i = 0; i < ADDED_COUNT; i++) FM_TRY(added_new(&t->added[i], t->memory, n, err));
    json_for_each(node, added) FM_TRY(load_added_token(t, node, err));
    for (int i = 0; i < ADDED_COUNT; i++) added_sort(&t->added[i]);
    return FM_OK;
}

/* ---- Merges ---------------------------------------------------------------------------------- */

/** The two sides of a merge, which the file writes as "left right" or ["left", "right"]. */
typedef struct merge_text {
    const char *left, *right;
    size_t left_length, right_length;
} merge_text;

static bool read_merge(const json *node, merge_text *out) {
    const char *both = json_string(node);
    if (both) {
        /* A token never contains a space (the byte alphabet has another sign for it). */
        const char *space = strchr(both, ' ');
        if (!space) return false;
        *out = (merge_text){both, space + 1, (size_t)(space - both), strlen(space + 1)};
    } else {
        const json *left = json_first(node);
        const json *right = json_next(left);
        if (!json_string(left) || !json_string(right) || json_next(right)) return false;
        *out = (merge_text){json_string(left), json_string(right), strlen(json_string(left)),
                            strlen(json_string(right))};
    }
    return out->left_length > 0 && out->right_length > 0;
}

/** `joined` has room for the longest text of the vocabulary: a longer one cannot be in it. */
static int32_t find_result(const vocab *v, const merge_text *m, char *joined) {
    size_t length = m->left_length + m->right_length;
    if (length > v->max_text) return -1;
    memcpy(joined, m->left, m->left_length);
    memcpy(joined + m->left_length, m->right, m->right_length);
    return vocab_find(v, joined, length);
}

static fm_status load_merge(fm_tokenizer *t, const json *node, uint32_t rank, char *joined,
                            fm_error *err) {
    merge_text m;
    if (!read_merge(node, &m))
        return error_set(err, FM_ERR_FORMAT, FILE_NAME ": merge %u is not a pair of texts", rank);
    int32_t left = vocab_find(&t->vocab, m.left, m.left_length);
    int32_t right = vocab_find(&t->vocab, m.right, m.right_length);
    int32_t result = find_result(&t->vocab, &m, joined);
    if (left < 0 || right < 0 || result < 0)
        return error_set(err, FM_ERR_FORMAT,
                         FILE_NAME
                         ": merge %u (\"%.80s\") needs a token that is not in the vocabulary",
                         rank, m.left);
    bpe_merge merge = {(uint32_t)left, (uint32_t)right, rank, (uint32_t)result, false};
    return bpe_add(&t->bpe, merge, err);
}

static fm_status load_merges(fm_tokenizer *t, const json *merges, fm_error *err) {
    if (!json_is_array(merges))
        return error_set(err, FM_ERR_FORMAT, FILE_NAME ": model.merges must be an array");
    size_t n_merges = json_count(merges);
    if (n_merges > BPE_MAX_MERGES)
        return error_set(err, FM_ERR_LIMIT, FILE_NAME ": %zu merges are above the limit of %d",
                         n_merges, BPE_MAX_MERGES);
    FM_TRY(bpe_new(&t->bpe, t->memory, n_merges, err));
    char *joined = arena_alloc(t->memory, t->vocab.max_text, 1);
    if (!joined) return error_set(err, FM_ERR_MEMORY, "out of memory for merges");
    uint32_t rank = 0;
    json_for_each(node, merges) FM_TRY(load_merge(t, node, rank++, joined, err));
    return FM_OK;
}

/** The tokens of single bytes. Without all of them an unknown token would come into play. */
static fm_status load_bytes(fm_tokenizer *t, const json *model, fm_error *err) {
    int missing = -1;
    for (int i = 255; i >= 0; i--) {
        uint8_t byte = (uint8_t)i;
        t->bpe.byte_ids[i] = vocab_find_bytes(&t->vocab, &byte, 1);
        if (t->bpe.byte_ids[i] < 0) missing = i;
    }
    if (missing >= 0 && is_set(model, "unk_token"))
        return error_set(err, FM_ERR_UNSUPPORTED,
                         FILE_NAME
                         ": the byte 0x%02X has no token; model.unk_token in its place is not "
                         "supported",
                         (unsigned)missing);
    return FM_OK;
}

/* ---- The steps around the model -------------------------------------------------------------- */

/** Reads the normalizer: none, NFC, or a sequence of these. `depth` bounds recursion. */
static fm_status load_normalizer(fm_tokenizer *t, const json *node, int depth, fm_error *err) {
    const char *type = type_of(node);
    if (!node || json_is_null(node)) return FM_OK;
    if (strcmp(type, "Sequence") == 0 && depth > 0) {
        json_for_each(child, json_find(node, "normalizers"))
            FM_TRY(load_normalizer(t, child, depth - 1, err));
        return FM_OK;
    }
    if (strcmp(type, "NFC") != 0)
        return error_set(err, FM_ERR_UNSUPPORTED,
                         FILE_NAME ": the normalizer \"%.80s\" is not supported; NFC is", type);
    t->nfc = true;
    return FM_OK;
}

/** True for a decoder that only joins the tokens' bytes. `depth` bounds recursion. */
static bool joins_bytes(const json *node, int depth) {
    if (strcmp(type_of(node), "Sequence") != 0 || depth == 0)
        return strcmp(type_of(node), "ByteLevel") == 0;
    const json *only = json_first(json_find(node, "decoders"));
    return joins_bytes(only, depth - 1) && !json_next(only);
}

static fm_status load_steps(fm_tokenizer *t, const json *root, fm_error *err) {
    FM_TRY(load_normalizer(t, json_find(root, "normalizer"), 4, err));
    const json *decoder = json_find(root, "decoder");
    if (!joins_bytes(decoder, 4))
        return error_set(err, FM_ERR_UNSUPPORTED,
                         FILE_NAME ": the decoder is \"%.80s\"; only ByteLevel is supported",
                         type_of(decoder));
    return split_recognise(json_find(root, "pre_tokenizer"), &t->rule, err);
}

/** The token that a post-processor puts before every text, or NULL. `depth` bounds recursion. */
static const char *leading_token(const json *processor, int depth) {
    if (strcmp(type_of(processor), "TemplateProcessing") == 0) {
        const json *first = json_first(json_find(processor, "single"));
        return json_string(json_find(json_find(first, "SpecialToken"), "id"));
    }
    if (depth == 0) return NULL;
    json_for_each(child, json_find(processor, "processors")) {
        const char *token = leading_token(child, depth - 1);
        if (token) return token;
    }
    return NULL;
}

/* ---- tokenizer_config.json ------------------------------------------------------------------- */

/** A named token: "text", or {"content": "text"}. Sets -1 when the file names none. */
static fm_status find_named(const fm_tokenizer *t, const json *config, const char *key,
                            int32_t *out, fm_error *err) {
    const json *node = json_find(config, key);
    const char *text = json_string(json_is_object(node) ? json_find(node, "content") : node);
    *out = text ? fm_tokenizer_find(t, text) : -1;
    if (text && *out < 0)
        return error_set(err, FM_ERR_FORMAT,
                         CONFIG_NAME ": %s \"%.80s\" is not a token of " FILE_NAME, key, text);
    return FM_OK;
}

static fm_status load_config(fm_tokenizer *t, const json *root, const json *config, fm_error *err) {
    FM_TRY(find_named(t, config, "bos_token", &t->bos, err));
    FM_TRY(find_named(t, config, "eos_token", &t->eos, err));
    const char *leading = leading_token(json_find(root, "post_processor"), 1);
    t->adds_bos = json_bool(json_find(config, "add_bos_token"), leading != NULL);
    if (t->bos < 0 && leading) t->bos = fm_tokenizer_find(t, leading);
    if (t->adds_bos && t->bos < 0)
        return error_set(err, FM_ERR_FORMAT,
                         CONFIG_NAME ": a BOS token is to be added, but bos_token names none");
    return FM_OK;
}

/** True when the template lets the answer begin with an opened reasoning part. The newline stands
 * in the template itself or as an escape in one of its string constants. */
static bool opens_reasoning(const char *text) {
    return strstr(text, "<｜Assistant｜><think>\n") || strstr(text, "<｜Assistant｜><think>\\n");
}

/** The same of the key chat_template: a text, or an array of named ones. */
static bool any_opens_reasoning(const json *chat_template) {
    const char *text = json_string(chat_template);
    if (text) return opens_reasoning(text);
    json_for_each(named, chat_template) {
        text = json_string(json_find(named, "template"));
        if (text && opens_reasoning(text)) return true;
    }
    return false;
}

/* ---- Entry points ---------------------------------------------------------------------------- */

/** Tells the merges which of their results are added tokens. */
static void mark_merges(fm_tokenizer *t) {
    for (size_t rank = 0; rank < t->bpe.max_merges; rank++) {
        if (!t->vocab.tokens[t->bpe.results[rank]].added) continue;
        t->bpe.results[rank] |= BPE_MAKES_ADDED;
        t->bpe.makes_added = true;
    }
    bpe_finish(&t->bpe);
}

/** Sets *whole when a token's bytes become that token, in plain text and, where it matters, in any
 * other. */
static fm_status try_whole(const bpe *b, const vocab_token *token, int32_t id, bpe_scratch *scratch,
                           fm_tokens *out, bool *whole, fm_error *err) {
    bool holds = token->n_bytes <= WHOLE_MAX;
    for (int plain = b->makes_added ? 0 : 1; holds && plain < 2; plain++) {
        out->count = 0;
        fm_status status = bpe_encode(b, token->bytes, token->n_bytes, plain, scratch, out, NULL);
        if (status == FM_ERR_MEMORY)
            return error_set(err, status, "out of memory for whole pieces");
        holds = status == FM_OK && out->count == 1 && out->ids[0] == id;
    }
    *whole = holds;
    return FM_OK;
}

/** Finds the tokens that pieces become whole. To leave one out costs time, nothing else. */
static fm_status load_whole(fm_tokenizer *t, bool ignore_merges, fm_error *err) {
    bpe_scratch scratch = {0};
    fm_tokens out = {0};
    fm_status status = whole_new(&t->whole, t->memory, (size_t)t->vocab.size, err);
    for (int32_t id = 0; status == FM_OK && id < t->vocab.size; id++) {
        const vocab_token *token = vocab_get(&t->vocab, id);
        if (!token || token->added || (const char *)token->bytes == token->text) continue;
        bool whole = ignore_merges;
        if (!whole) status = try_whole(&t->bpe, token, id, &scratch, &out, &whole, err);
        if (whole) status = whole_add(&t->whole, &t->vocab, id, err);
    }
    bpe_scratch_free(&scratch);
    fm_tokens_free(&out);
    return status;
}

static fm_status build(fm_tokenizer *t, const json *root, const json *config, fm_error *err) {
    const json *model = json_find(root, "model");
    if (config && !json_is_object(config))
        return error_set(err, FM_ERR_FORMAT, CONFIG_NAME ": is no object: restore the file");
    FM_TRY(check_model(model, err));
    FM_TRY(load_steps(t, root, err));
    FM_TRY(load_vocab(t, root, err));
    FM_TRY(load_merges(t, json_find(model, "merges"), err));
    FM_TRY(load_bytes(t, model, err));
    FM_TRY(load_added(t, json_find(root, "added_tokens"), err));
    mark_merges(t);
    FM_TRY(load_whole(t, json_bool(json_find(model, "ignore_merges"), false), err));
    t->opens_reasoning = any_opens_reasoning(json_find(config, "chat_template"));
    return load_config(t, root, config, err);
}

fm_status tokenizer_build(const json *root, const json *config, fm_tokenizer **out, fm_error *err) {
    *out = NULL;
    arena *memory = arena_new();
    fm_tokenizer *t = memory ? arena_alloc(memory, 1, sizeof *t) : NULL;
    if (!t) {
        arena_free(memory);
        return error_set(err, FM_ERR_MEMORY, "out of memory for a tokenizer");
    }
    t->memory = memory;
    fm_status status = build(t, root, config, err);
    if (status == FM_OK)
        *out = t;
    else
        fm_tokenizer_close(t);
    return status;
}

fm_status tokenizer_parse(const char *text, size_t length, const char *config_text,
                          size_t config_length, fm_tokenizer **out, fm_error *err) {
    json_doc *doc = NULL;
    json_doc *config = NULL;
    *out = NULL;
    fm_status status = json_parse(FILE_NAME, text, length, limits, &doc, err);
    if (status == FM_OK && config_text)
        status = json_parse(CONFIG_NAME, config_text, config_length, limits, &config, err);
    if (status == FM_OK)
        status = tokenizer_build(json_root(doc), config ? json_root(config) : NULL, out, err);
    json_free(config);
    json_free(doc);
    return status;
}

/** Reads a JSON file of the directory; an absent one that is `optional` leaves *out NULL. */
static fm_status read_json(const char *dir, const char *name, bool optional, json_doc **out,
                           fm_error *err) {
    char path[PATH_SIZE];
    *out = NULL;
    FM_TRY(os_path_join(dir, name, path, sizeof path, err));
    if (optional && !os_path_exists(path)) return FM_OK;
    return json_read(path, limits, out, err);
}

/** A directory may keep its chat template in a file of its own, which then is the one that holds,
 * whatever tokenizer_config.json says. */
static fm_status read_template(fm_tokenizer *t, const char *dir, fm_error *err) {
    char path[PATH_SIZE];
    char *text;
    size_t length;
    FM_TRY(os_path_join(dir, TEMPLATE_NAME, path, sizeof path, err));
    if (!os_path_exists(path)) return FM_OK;
    FM_TRY(os_file_read(path, MAX_TEMPLATE, &text, &length, err));
    t->opens_reasoning = opens_reasoning(text);
    free(text);
    return FM_OK;
}

fm_status fm_tokenizer_open(const char *dir, fm_tokenizer **out, fm_error *err) {
    json_doc *doc = NULL;
    json_doc *config = NULL;
    *out = NULL;
    fm_status status = read_json(dir, FILE_NAME, false, &doc, err);
    if (status == FM_OK) status = read_json(dir, CONFIG_NAME, true, &config, err);
    if (status == FM_OK)
        status = error_locate(
            err, tokenizer_build(json_root(doc), config ? json_root(config) : NULL, out, err), dir);
    if (status == FM_OK) status = read_template(*out, dir, err);
    if (status != FM_OK) {
        fm_tokenizer_close(*out);
        *out = NULL;
    }
    json_free(config);
    json_free(doc);
    return status;
}
