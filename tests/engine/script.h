/*
 * script.h - answers that are written in advance: a mask leaves nothing but the next byte of a
 * text, in models whose tokens are bytes. What the events bring of it is collected.
 */
#ifndef TESTS_ENGINE_SCRIPT_H
#define TESTS_ENGINE_SCRIPT_H

#include "asked.h"
#include "text/fixture.h"

enum { SCRIPT_VOCAB = 224 /* of the model: UTF-8 of up to two bytes */, SCRIPT_MAX_TEXT = 1024 };

/** What is to be said; of at most ASKED_MAX_NEW bytes. */
typedef struct script {
    const char *text;
} script;

/** The text of an answer, as its events brought it. */
typedef struct spoken {
    answer answer;
    char text[SCRIPT_MAX_TEXT]; /* terminated */
    size_t length;
    size_t length_at[ASKED_MAX_NEW + 1]; /* of it, when so many tokens had come */
} spoken;

/** An fm_mask_fn; `user` is a script. What is said so far has to be its beginning. */
static inline bool script_mask(void *user, const int32_t *ids, int32_t n, uint32_t *mask) {
    const script *s = user;
    for (int32_t i = 0; i < n; i++) assert_int_equal(ids[i], (uint8_t)s->text[i]);
    assert_true((size_t)n < strlen(s->text));
    memset(mask, 0, SCRIPT_VOCAB / 32 * sizeof *mask);
    int32_t id = (uint8_t)s->text[n];
    mask[id / 32] |= 1u << id % 32;
    return true;
}

/** Every event brings whole code points. */
static inline void script_expect_whole(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        bool leads = ((uint8_t)text[i] & 0xc0) == 0xc0;
        bool follows = i + 1 < length && ((uint8_t)text[i + 1] & 0xc0) == 0x80;
        assert_int_equal(leads, follows);
        i += follows;
    }
}

/** An fm_event_fn; `user` is a spoken. */
static inline bool spoken_keep(void *user, const fm_event *event) {
    spoken *s = user;
    assert_true(s->length + event->text_length < SCRIPT_MAX_TEXT);
    script_expect_whole(event->text, event->text_length);
    if (event->text_length > 0) memcpy(s->text + s->length, event->text, event->text_length);
    s->length += event->text_length;
    s->text[s->length] = '\0';
    answer_keep(&s->answer, event);
    s->length_at[s->answer.n] = s->length;
    return true;
}

/** The tokens of all bytes; the caller closes it. */
static inline fm_tokenizer *script_tokenizer(void) {
    return fixture_make(&(fixture_json){0}, NULL);
}

#endif
