/* chat.c - conversations in a built-in layout, from messages to ids. */
#include <string.h>

#include "layouts.h"
#include "template.h"
#include "tokenizer.h"

const char *fm_chat_layout(const fm_tokenizer *t) {
    if (fm_tokenizer_find(t, "<｜User｜>") >= 0)
        return t->opens_reasoning ? "deepseek-r1" : "deepseek-v3";
    if (fm_tokenizer_find(t, "<|im_start|>") >= 0) return "chatml";
    if (fm_tokenizer_find(t, "<｜begin▁of▁sentence｜>") < 0) return NULL;
    return fm_tokenizer_find(t, "<|EOT|>") >= 0 ? "deepseek-coder" : "deepseek-llm";
}

static fm_status find_layout(const fm_tokenizer *t, const char *name, const chat_layout **out,
                             fm_error *err) {
    const char *wanted = name ? name : fm_chat_layout(t);
    if (!wanted)
        return error_set(
            err, FM_ERR_NOT_FOUND,
            "the vocabulary has the marks of no known chat layout: use raw completion");
    *out = layout_find(wanted);
    if (*out) return FM_OK;
    return error_set(err, FM_ERR_ARG, "the chat layout \"%.80s\" is not known: use %s", wanted,
                     layout_names);
}

static fm_status check_messages(const fm_message *messages, size_t n_messages, fm_error *err) {
    static const char *const roles[] = {"system", "user", "assistant"};
    if (n_messages == 0) return error_set(err, FM_ERR_ARG, "a conversation needs a message");
    for (size_t i = 0; i < n_messages; i++) {
        const char *role = messages[i].role;
        bool known = false;
        for (size_t r = 0; role && r < sizeof roles / sizeof roles[0]; r++)
            known |= strcmp(role, roles[r]) == 0;
        if (!known)
            return error_set(err, FM_ERR_ARG,
                             "message %zu has the role \"%.80s\": use system, user or assistant",
                             i + 1, role ? role : "");
        if (!messages[i].content)
            return error_set(err, FM_ERR_ARG, "message %zu has no content", i + 1);
    }
    return FM_OK;
}

/* ---- Marks ----------------------------------------------------------------------------------- */

/** True when a mark stands in a span. */
static bool holds_mark(const fm_span *span, const char *mark) {
    size_t length = strlen(mark);
    for (size_t at = 0; at + length <= span->length; at++)
        if (memcmp(span->text + at, mark, length) == 0) return true;
    return false;
}

/** A mark that was written has to be a token: as mere text it would mislead the model without a
 * sign. */
static fm_status check_marks(const fm_tokenizer *t, const chat_layout *layout, const fm_span *spans,
                             size_t n_spans, fm_error *err) {
    size_t n_marks = sizeof layout->marks / sizeof layout->marks[0];
    for (size_t m = 0; m < n_marks && layout->marks[m]; m++) {
        if (fm_tokenizer_find(t, layout->marks[m]) >= 0) continue;
        for (size_t i = 0; i < n_spans; i++) {
            if (!spans[i].is_template || !holds_mark(&spans[i], layout->marks[m])) continue;
            return error_set(
                err, FM_ERR_NOT_FOUND,
                "the vocabulary has no token %s, which the chat layout %s needs: choose another "
                "layout",
                layout->marks[m], layout->name);
        }
    }
    return FM_OK;
}

static fm_status encode_rendering(const fm_tokenizer *t, const chat_layout *layout,
                                  const fm_rendering *r, fm_tokens *out, fm_error *err) {
    size_t n;
    const fm_span *spans = fm_rendering_spans(r, &n);
    FM_TRY(check_marks(t, layout, spans, n, err));
    return fm_tokenizer_encode_spans(t, spans, n, out, err);
}

fm_status fm_chat_encode(const fm_tokenizer *t, const char *layout, const fm_message *messages,
                         size_t n_messages, fm_tokens *out, fm_error *err) {
    const chat_layout *found = NULL;
    fm_template *template = NULL;
    fm_rendering *rendering = NULL;
    FM_TRY(find_layout(t, layout, &found, err));
    FM_TRY(check_messages(messages, n_messages, err));
    fm_status status = fm_template_parse(found->text, strlen(found->text), &template, err);
    if (status == FM_OK)
        status = template_render_messages(template, messages, n_messages, &rendering, err);
    if (status == FM_OK) status = encode_rendering(t, found, rendering, out, err);
    fm_rendering_free(rendering);
    fm_template_free(template);
    return status;
}
