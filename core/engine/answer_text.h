/*
 * answer_text.h - the text of an answer while its tokens come: whole UTF-8, cut where a stop string
 * begins. The text is a function of the answer's tokens alone. Owned by a request; one thread at a
 * time; nothing is allocated after answer_text_new.
 */
#ifndef FATHOM_ENGINE_ANSWER_TEXT_H
#define FATHOM_ENGINE_ANSWER_TEXT_H

#include "../base/arena.h"
#include "../text/stop.h"

typedef struct answer_text {
    const fm_tokenizer *tokenizer; /* NULL: there is no text */
    stop_set *stops;
    fm_decoder decoder;
    stop_stream stream;
    char *piece; /* [piece_size] of one token, before stop strings are looked for */
    size_t piece_size;
    char *text; /* [text_size] what is certain, of the last call */
    size_t text_size;
    size_t length; /* bytes of it */
} answer_text;

/** Text without a tokenizer stays empty; stop strings need one (FM_ERR_ARG). Memory comes from the
 * arena, except for the stop strings, which answer_text_free frees. */
fm_status answer_text_new(arena *memory, const fm_tokenizer *tokenizer, const char *const *stop,
                          size_t n_stop, answer_text *out, fm_error *err);
void answer_text_free(answer_text *t);

/** Takes the next token; text [length] is what became certain with it. True when a stop string is
 * complete: the answer ends here. */
bool answer_text_push(answer_text *t, int32_t id);

/** The answer ended for another reason: text [length] is the rest. */
void answer_text_end(answer_text *t);

#endif
