/* answer_text.c - tokens through the decoder, then through the stop strings. */
#include "answer_text.h"

enum { END_SIZE = 3 }; /* bytes that fm_decoder_end writes at most */

fm_status answer_text_new(arena *memory, const fm_tokenizer *tokenizer, const char *const *stop,
                          size_t n_stop, answer_text *out, fm_error *err) {
    *out = (answer_text){.tokenizer = tokenizer, .decoder = {.skip_special = true}};
    if (!tokenizer && n_stop > 0)
        return error_set(err, FM_ERR_ARG, "stop strings need the request's tokenizer");
    if (!tokenizer) return FM_OK;
    FM_TRY(stop_set_new(stop, n_stop, &out->stops, err));
    out->piece_size = fm_decoder_bound(tokenizer) + END_SIZE;
    out->text_size = stop_bound(out->stops, out->piece_size) + stop_bound(out->stops, 0);
    out->piece = arena_alloc(memory, out->piece_size, 1);
    out->text = arena_alloc(memory, out->text_size, 1);
    if (out->piece && out->text) return FM_OK;
    answer_text_free(out);
    return error_set(err, FM_ERR_MEMORY, "out of memory for a request's text");
}

void answer_text_free(answer_text *t) {
    stop_set_free(t->stops);
    *t = (answer_text){0};
}

/** Both buffers are as large as the calls ask, so that neither can fail. */
bool answer_text_push(answer_text *t, int32_t id) {
    size_t n_piece = 0;
    t->length = 0;
    if (!t->tokenizer) return false;
    fm_decoder_push(&t->decoder, t->tokenizer, id, t->piece, t->piece_size, &n_piece);
    stop_push(t->stops, &t->stream, t->piece, n_piece, t->text, t->text_size, &t->length);
    return t->stream.has_stopped;
}

void answer_text_end(answer_text *t) {
    t->length = 0;
    if (!t->tokenizer) return;
    size_t n_piece = fm_decoder_end(&t->decoder, t->piece);
    stop_push(t->stops, &t->stream, t->piece, n_piece, t->text, t->text_size, &t->length);
    t->length += stop_end(t->stops, &t->stream, t->text + t->length);
}
