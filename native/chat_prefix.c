/* chat_prefix.c - two lists of ids that stand for the same conversation. */
#include "chat_prefix.h"

#include <stdlib.h>
#include <string.h>

/* ---- Comparing ----------------------------------------------------------------------------------- */

/* A place between two bytes of the text of ids. */
typedef struct cursor {
    const int32_t *ids; /* up to `end` */
    size_t at, end;     /* the id behind the one whose text it is in */
    const char *text;
    size_t left; /* bytes */
} cursor;

/* Moves on to an id that has text left; false at the end. */
static bool has_text(cursor *c, const fm_tokenizer *t) {
    while (c->left == 0 && c->at < c->end)
        c->text = fm_tokenizer_bytes(t, c->ids[c->at++], &c->left);
    return c->left > 0;
}

/* Where in the prompt, from the id at `at` on, the text of an answer ends, if it ends between two
 * ids; else 0. */
static size_t match_answer(const chat_prefix *p, chat_span span, const fm_tokenizer *t,
                           const fm_tokens *prompt, size_t at) {
    cursor kept = {.ids = p->ids.ids, .at = span.begin, .end = span.end};
    cursor fresh = {.ids = prompt->ids, .at = at, .end = prompt->count};
    for (size_t i = span.begin; i < span.end; i++)
        if (fm_tokenizer_is_special(t, p->ids.ids[i])) return 0;
    while (has_text(&kept, t)) {
        if (!has_text(&fresh, t)) return 0;
        size_t n = kept.left < fresh.left ? kept.left : fresh.left;
        if (memcmp(kept.text, fresh.text, n) != 0) return 0;
        kept.text += n;
        kept.left -= n;
        fresh.text += n;
        fresh.left -= n;
    }
    return fresh.left == 0 ? fresh.at : 0;
}

/* The first `n` kept ids and, from `at` on, the prompt's; empty when memory is out. */
static fm_tokens join(const chat_prefix *p, size_t n, const fm_tokens *prompt, size_t at) {
    fm_tokens joined = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) ok = fm_tokens_append(&joined, p->ids.ids[i]) == FM_OK;
    for (size_t i = at; ok && i < prompt->count; i++)
        ok = fm_tokens_append(&joined, prompt->ids[i]) == FM_OK;
    if (!ok) fm_tokens_free(&joined);
    return joined;
}

size_t chat_prefix_apply(const chat_prefix *p, const fm_tokenizer *t, fm_tokens *prompt) {
    size_t n_matched = 0, n_kept = 0, n_fresh = 0; /* ids up to the last answer that matched */
    while (n_matched < p->n_answers) {
        chat_span span = p->answers[n_matched];
        size_t n_between = span.begin - n_kept;
        if (prompt->count - n_fresh < n_between ||
            memcmp(p->ids.ids + n_kept, prompt->ids + n_fresh, n_between * sizeof *prompt->ids) !=
                0)
            break;
        size_t end = match_answer(p, span, t, prompt, n_fresh + n_between);
        if (end == 0) break;
        n_kept = span.end;
        n_fresh = end;
        n_matched++;
    }
    if (n_matched == 0) return 0;
    fm_tokens joined = join(p, n_kept, prompt, n_fresh);
    if (joined.count == 0) return 0;
    fm_tokens_free(prompt);
    *prompt = joined;
    return n_matched;
}

/* ---- Keeping ------------------------------------------------------------------------------------- */

void chat_prefix_free(chat_prefix *p) {
    fm_tokens_free(&p->ids);
    free(p->answers);
    *p = (chat_prefix){0};
}

void chat_prefix_keep(chat_prefix *p, size_t n_answers, fm_tokens *prompt, const int32_t *ids,
                      size_t n_ids) {
    fm_tokens_free(&p->ids);
    p->ids = *prompt;
    *prompt = (fm_tokens){0};
    chat_span answer = {p->ids.count, p->ids.count + n_ids};
    chat_span *answers = realloc(p->answers, (n_answers + 1) * sizeof *answers);
    bool ok = answers != NULL;
    for (size_t i = 0; ok && i < n_ids; i++) ok = fm_tokens_append(&p->ids, ids[i]) == FM_OK;
    if (answers) {
        answers[n_answers] = answer;
        p->answers = answers;
        p->n_answers = n_answers + 1;
    }
    if (!ok) chat_prefix_free(p);
}
