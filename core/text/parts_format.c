/* parts_format.c - which format of answers a model writes. */
#include <string.h>

#include "parts.h"

static const char *format_name(const fm_tokenizer *t) {
    bool has_think = fm_tokenizer_find(t, PARTS_THINK) >= 0;
    bool has_calls = fm_tokenizer_find(t, PARTS_CALLS) >= 0;
    const char *layout = fm_chat_layout(t);
    if (layout && strcmp(layout, "deepseek-r1") == 0) return "deepseek-r1";
    if (has_calls) return has_think ? "deepseek-v3.1" : "deepseek-v3";
    return has_think ? "think" : "none";
}

/** True when the prompt ends with the opening tag, and white space at most behind it. The tag may
 * have come in several tokens: its bytes are read from the end. */
static bool ends_opened(const fm_tokenizer *t, const int32_t *prompt, size_t n_prompt) {
    size_t n_tag = strlen(PARTS_THINK); /* bytes of the tag that are still to be found */
    bool in_tag = false;
    while (n_prompt > 0) {
        size_t length;
        const char *bytes = fm_tokenizer_bytes(t, prompt[--n_prompt], &length);
        while (length > 0) {
            char byte = bytes[--length];
            if (!in_tag && parts_is_space(byte)) continue;
            in_tag = true;
            if (byte != PARTS_THINK[--n_tag]) return false;
            if (n_tag == 0) return true;
        }
    }
    return false;
}

fm_parts_format fm_parts_format_get(const fm_tokenizer *t, const int32_t *prompt, size_t n_prompt) {
    fm_parts_format format = {.name = format_name(t)};
    const parts_layout *layout;
    if (parts_layout_get(format, &layout, NULL) == FM_OK && layout->reasons)
        format.in_reasoning = ends_opened(t, prompt, n_prompt);
    return format;
}
