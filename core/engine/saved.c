/* saved.c - writes and reads the file of a sequence. Whatever a file says is checked here. */
#include "saved.h"

#include <stdlib.h>
#include <string.h>

#include "../base/checked.h"
#include "../data/fields.h"
#include "../data/sections_writer.h"
#include "../model/fingerprint.h"

enum { VERSION = 1 };
enum { TAG_MODEL = 1, TAG_TOKENS, TAG_REQUEST, TAG_ROWS };

static const sections_kind kind = {
    .what = "saved sequence",
    .magic = "FMSAVED\n",
    .min_version = VERSION,
    .max_version = VERSION,
};

/* ---- Writing ----------------------------------------------------------------------------------- */

typedef void (*put_fn)(fields_writer *w, const void *what);

/** A section whose payload `put` writes: measured first, then written. */
static fm_status write_section(sections_writer *file, uint32_t tag, put_fn put, const void *what,
                               fm_error *err) {
    fields_writer w = {0};
    put(&w, what);
    w = (fields_writer){.bytes = malloc(w.length + 1), .size = w.length};
    if (!w.bytes) return error_set(err, FM_ERR_MEMORY, "out of memory for saving a sequence");
    put(&w, what);
    fm_status status = sections_writer_begin(file, tag, w.length, err);
    if (status == FM_OK) status = sections_writer_write(file, w.bytes, w.length, err);
    free(w.bytes);
    return status;
}

typedef struct model_mark {
    const kv_cache *cache;
    uint8_t fingerprint[FINGERPRINT_SIZE];
} model_mark;

static void put_model(fields_writer *w, const void *what) {
    const model_mark *mark = what;
    fields_put_bytes(w, mark->fingerprint, FINGERPRINT_SIZE);
    fields_put_u32(w, (uint32_t)mark->cache->n_streams);
    for (int32_t i = 0; i < mark->cache->n_streams; i++)
        fields_put_u64(w, cache_stream_row_bytes(mark->cache, i));
}

typedef struct token_list {
    const int32_t *ids;
    int32_t n_ids, n_prompt, n_rows;
} token_list;

static void put_tokens(fields_writer *w, const void *what) {
    const token_list *list = what;
    fields_put_u32(w, (uint32_t)list->n_prompt);
    fields_put_u32(w, (uint32_t)list->n_rows);
    fields_put_u32(w, (uint32_t)list->n_ids);
    for (int32_t i = 0; i < list->n_ids; i++) fields_put_u32(w, (uint32_t)list->ids[i]);
}

static void put_sampling(fields_writer *w, const fm_sampling *p) {
    fields_put_f32(w, p->temperature);
    fields_put_u32(w, (uint32_t)p->top_k);
    fields_put_f32(w, p->top_p);
    fields_put_f32(w, p->min_p);
    fields_put_u64(w, p->seed);
    fields_put_f32(w, p->repetition_penalty);
    fields_put_f32(w, p->frequency_penalty);
    fields_put_f32(w, p->presence_penalty);
    fields_put_u32(w, (uint32_t)p->n_bias);
    for (size_t i = 0; i < p->n_bias; i++) {
        fields_put_u32(w, (uint32_t)p->bias[i].id);
        fields_put_f32(w, p->bias[i].bias);
    }
}

static void put_request(fields_writer *w, const void *what) {
    const request *r = what;
    fields_put_u32(w, (uint32_t)r->max_new);
    fields_put_u32(w, (uint32_t)r->n_logprobs);
    put_sampling(w, &r->sampling);
    fields_put_u32(w, (uint32_t)r->n_end_ids);
    for (size_t i = 0; i < r->n_end_ids; i++) fields_put_u32(w, (uint32_t)r->end_ids[i]);
    fields_put_u32(w, (uint32_t)r->n_stop);
    for (size_t i = 0; i < r->n_stop; i++) fields_put_string(w, r->stop[i], strlen(r->stop[i]));
}

/** Bytes of one token's row in all streams. */
static size_t row_bytes(const kv_cache *c) {
    size_t bytes = 0;
    for (int32_t i = 0; i < c->n_classes; i++) bytes += (size_t)c->classes[i].row_bytes;
    return bytes;
}

/** Rows [first, first + n) of the span that begins at `first`, in every stream. */
static fm_status write_span(fm_engine *e, sections_writer *file, const paged_sequence *pages,
                            int32_t first, int32_t n, uint8_t *buffer, fm_error *err) {
    const kv_cache *c = &e->cache;
    for (int32_t i = 0; i < c->n_streams; i++) {
        int32_t page = pages->pages[c->streams[i].class_id][first / FM_CACHE_PAGE_ROWS];
        fm_status status = cache_read_page(c, i, page, n, buffer);
        if (status != FM_OK)
            return error_set(err, status, "the caches could not be read: %s",
                             fm_status_text(status));
        FM_TRY(sections_writer_write(file, buffer, (size_t)n * cache_stream_row_bytes(c, i), err));
    }
    return FM_OK;
}

static fm_status write_rows(fm_engine *e, sections_writer *file, const paged_sequence *pages,
                            int32_t n_rows, fm_error *err) {
    size_t bytes = row_bytes(&e->cache);
    fm_status status = FM_OK;
    FM_TRY(sections_writer_begin(file, TAG_ROWS, (uint64_t)n_rows * bytes, err));
    uint8_t *buffer = malloc(FM_CACHE_PAGE_ROWS * bytes);
    if (!buffer) return error_set(err, FM_ERR_MEMORY, "out of memory for saving a sequence");
    for (int32_t first = 0; first < n_rows && status == FM_OK; first += FM_CACHE_PAGE_ROWS) {
        int32_t n = n_rows - first < FM_CACHE_PAGE_ROWS ? n_rows - first : FM_CACHE_PAGE_ROWS;
        status = write_span(e, file, pages, first, n, buffer, err);
    }
    free(buffer);
    return status;
}

int32_t saved_row_count(const fm_engine *e, const paged_sequence *pages) {
    for (int32_t c = 0; c < e->cache.n_classes; c++)
        if (pages->first[c] > 0) return 0;
    return pages->n_tokens;
}

static fm_status write_all(fm_engine *e, sections_writer *file, const request *r,
                           const paged_sequence *pages, token_list list, fm_error *err) {
    model_mark mark = {.cache = &e->cache};
    FM_TRY(model_fingerprint(e->model, mark.fingerprint, err));
    FM_TRY(write_section(file, TAG_MODEL, put_model, &mark, err));
    FM_TRY(write_section(file, TAG_TOKENS, put_tokens, &list, err));
    if (r) FM_TRY(write_section(file, TAG_REQUEST, put_request, r, err));
    return write_rows(e, file, pages, list.n_rows, err);
}

fm_status saved_write(fm_engine *e, const char *path, const request *r, const paged_sequence *pages,
                      const int32_t *ids, int32_t n_ids, fm_error *err) {
    sections_writer *file;
    token_list list = {ids, n_ids, r ? r->n_prompt : n_ids, saved_row_count(e, pages)};
    if (r && list.n_rows >= n_ids)
        list.n_rows = n_ids - 1; /* whoever goes on runs the last token */
    FM_TRY(sections_writer_create(path, kind.magic, VERSION, &file, err));
    fm_status status = write_all(e, file, r, pages, list, err);
    if (status == FM_OK) return sections_writer_close(file, err);
    sections_writer_abandon(file);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------- */

static fields_reader reader_of(const section *s) {
    return (fields_reader){.bytes = s->data, .left = s->size};
}

static fm_status check_model(const fm_engine *e, const section *s, fm_error *err) {
    uint8_t fingerprint[FINGERPRINT_SIZE];
    fields_reader r = reader_of(s);
    FM_TRY(model_fingerprint(e->model, fingerprint, err));
    const uint8_t *found = fields_get_bytes(&r, FINGERPRINT_SIZE);
    bool same = found && memcmp(found, fingerprint, FINGERPRINT_SIZE) == 0 &&
                fields_get_u32(&r) == (uint32_t)e->cache.n_streams;
    for (int32_t i = 0; same && i < e->cache.n_streams; i++)
        same = fields_get_u64(&r) == cache_stream_row_bytes(&e->cache, i);
    if (!same)
        return error_set(err, FM_ERR_UNSUPPORTED,
                         "it was saved with another model, or other formats of weights and cache");
    return fields_end(&r, "the model's section", err);
}

/** The ids lie in the file as the machine has them: little-endian, at a multiple of four. */
static fm_status read_tokens(const fm_engine *e, const section *s, saved *out, fm_error *err) {
    fields_reader r = reader_of(s);
    uint32_t n_prompt = fields_get_u32(&r), n_rows = fields_get_u32(&r);
    uint32_t n_ids = fields_get_u32(&r);
    if (n_ids > (uint32_t)e->model->max_context)
        return error_set(err, FM_ERR_LIMIT, "it has %u tokens, the context %d: raise --ctx",
                         (unsigned)n_ids, (int)e->model->max_context);
    const uint8_t *ids = fields_get_bytes(&r, (size_t)n_ids * sizeof *out->ids);
    FM_TRY(fields_end(&r, "the tokens' section", err));
    if (n_prompt < 1 || n_prompt > n_ids || n_rows > n_ids)
        return error_set(err, FM_ERR_FORMAT, "its numbers of tokens contradict each other");
    out->ids = (const int32_t *)(const void *)ids;
    out->n_ids = (int32_t)n_ids;
    out->n_prompt = (int32_t)n_prompt;
    out->n_rows = (int32_t)n_rows;
    return request_check_ids(&e->rules, out->ids, n_ids, err);
}

static fm_status read_all(const fm_engine *e, saved *out, fm_error *err) {
    const section *model = sections_find(out->file, TAG_MODEL);
    const section *tokens = sections_find(out->file, TAG_TOKENS);
    const section *rows = sections_find(out->file, TAG_ROWS);
    if (!model || !tokens || !rows)
        return error_set(err, FM_ERR_FORMAT, "it lacks a section of a saved sequence");
    FM_TRY(check_model(e, model, err));
    FM_TRY(read_tokens(e, tokens, out, err));
    if (rows->size != (size_t)out->n_rows * row_bytes(&e->cache))
        return error_set(err, FM_ERR_FORMAT, "its rows are %zu bytes, which is not %d rows",
                         rows->size, (int)out->n_rows);
    out->rows = rows->data;
    out->request = sections_find(out->file, TAG_REQUEST);
    return FM_OK;
}

fm_status saved_open(const fm_engine *e, const char *path, saved *out, fm_error *err) {
    *out = (saved){0};
    FM_TRY(sections_open(path, &kind, &out->file, err));
    fm_status status = error_locate(err, read_all(e, out, err), path);
    if (status != FM_OK) saved_close(out);
    return status;
}

void saved_close(saved *s) {
    sections_close(s->file);
    *s = (saved){0};
}

/** Room for `n` items of at least `size` bytes each in what is left to read, in *out. A count that
 * no file of this length can mean is FM_ERR_FORMAT. */
static fm_status make_list(const fields_reader *r, arena *memory, size_t n, size_t size,
                           size_t item_size, void *out) {
    if (n > r->left / size) return FM_ERR_FORMAT;
    void *list = arena_alloc(memory, n, item_size);
    memcpy(out, &list, sizeof list);
    return list ? FM_OK : FM_ERR_MEMORY;
}

static fm_status read_sampling(fields_reader *r, arena *memory, fm_sampling *p) {
    fm_logit_bias *bias;
    p->temperature = fields_get_f32(r);
    p->top_k = (int32_t)fields_get_u32(r);
    p->top_p = fields_get_f32(r);
    p->min_p = fields_get_f32(r);
    p->seed = fields_get_u64(r);
    p->repetition_penalty = fields_get_f32(r);
    p->frequency_penalty = fields_get_f32(r);
    p->presence_penalty = fields_get_f32(r);
    p->n_bias = fields_get_u32(r);
    FM_TRY(make_list(r, memory, p->n_bias, 8, sizeof *bias, &bias));
    for (size_t i = 0; i < p->n_bias; i++) {
        bias[i].id = (int32_t)fields_get_u32(r);
        bias[i].bias = fields_get_f32(r);
    }
    p->bias = bias;
    return FM_OK;
}

static fm_status read_ends(fields_reader *r, arena *memory, fm_request *out) {
    int32_t *end_ids;
    out->n_end_ids = fields_get_u32(r);
    FM_TRY(make_list(r, memory, out->n_end_ids, 4, sizeof *end_ids, &end_ids));
    for (size_t i = 0; i < out->n_end_ids; i++) end_ids[i] = (int32_t)fields_get_u32(r);
    out->end_ids = end_ids;
    return FM_OK;
}

static fm_status read_stop(fields_reader *r, arena *memory, fm_request *out) {
    const char **stop;
    out->n_stop = fields_get_u32(r);
    FM_TRY(make_list(r, memory, out->n_stop, 4, sizeof *stop, &stop));
    for (size_t i = 0; i < out->n_stop; i++) {
        size_t length;
        const char *text = fields_get_string(r, FM_MAX_STOP_LENGTH, &length);
        if (!text) return FM_ERR_FORMAT;
        stop[i] = arena_strndup(memory, text, length);
        if (!stop[i]) return FM_ERR_MEMORY;
    }
    out->stop = stop;
    return FM_OK;
}

fm_status saved_read_request(const saved *s, arena *memory, fm_request *out, fm_error *err) {
    if (!s->request)
        return error_set(err, FM_ERR_ARG, "it holds a prefix, and no request to go on with");
    fields_reader r = reader_of(s->request);
    *out = (fm_request){.ids = s->ids, .n_ids = (size_t)s->n_ids};
    out->max_new = (int32_t)fields_get_u32(&r);
    out->n_logprobs = (int32_t)fields_get_u32(&r);
    fm_status status = read_sampling(&r, memory, &out->sampling);
    if (status == FM_OK) status = read_ends(&r, memory, out);
    if (status == FM_OK) status = read_stop(&r, memory, out);
    if (status == FM_ERR_MEMORY)
        return error_set(err, status, "out of memory for restoring a request");
    if (status != FM_OK) return error_set(err, status, "its request cannot be read");
    return fields_end(&r, "the request's section", err);
}

/** The next rows of the file into the pages that were reserved for them. */
static fm_status read_span(fm_engine *e, const paged_sequence *pages, int32_t n,
                           const uint8_t **rows) {
    const kv_cache *c = &e->cache;
    int32_t span = pages->n_tokens / FM_CACHE_PAGE_ROWS;
    for (int32_t i = 0; i < c->n_streams; i++) {
        FM_TRY(cache_write_page(c, i, pages->pages[c->streams[i].class_id][span], n, *rows));
        *rows += (size_t)n * cache_stream_row_bytes(c, i);
    }
    return FM_OK;
}

static fm_status read_rows(fm_engine *e, const saved *s, int32_t n_tokens, paged_sequence *pages,
                           fm_error *err) {
    const uint8_t *rows = s->rows;
    while (pages->n_tokens < n_tokens) {
        int32_t first = pages->n_tokens, rest = s->n_rows - first;
        int32_t n_saved = rest < FM_CACHE_PAGE_ROWS ? rest : FM_CACHE_PAGE_ROWS;
        int32_t n = n_tokens - first < n_saved ? n_tokens - first : n_saved;
        page_copies copies; /* none: nobody else holds the pages of this sequence */
        if (!paging_reserve(&e->paging, pages, n, &copies))
            return error_set(err, FM_ERR_MEMORY,
                             "there are no free pages for the %d saved tokens: let a request end "
                             "first, or give the engine more cache_tokens",
                             (int)n_tokens);
        fm_status status = read_span(e, pages, n_saved, &rows);
        if (status != FM_OK)
            return error_set(err, status, "the device failed: %s", fm_status_text(status));
        paging_commit(&e->paging, pages, s->ids + first, n);
    }
    return FM_OK;
}

fm_status saved_read_rows(fm_engine *e, const saved *s, int32_t n_tokens, paged_sequence *pages,
                          fm_error *err) {
    fm_status status = read_rows(e, s, n_tokens, pages, err);
    if (status != FM_OK) paging_release(&e->paging, pages);
    return status;
}
