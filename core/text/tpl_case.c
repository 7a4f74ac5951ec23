/* tpl_case.c - capital and small letters. */
#include "tpl_case.h"

#include "tpl_run.h"

size_t tpl_case_map(uint32_t code, tpl_case wanted, uint32_t out[3]) {
    out[0] = code;
    if (wanted == TPL_CASE_LOWER && code >= 'A' && code <= 'Z') out[0] = code + 32;
    if (wanted != TPL_CASE_LOWER && code >= 'a' && code <= 'z') out[0] = code - 32;
    return 1;
}

bool tpl_is_lower(uint32_t code) {
    return code >= 'a' && code <= 'z';
}

bool tpl_is_upper(uint32_t code) {
    return code >= 'A' && code <= 'Z';
}

void tpl_add_case(tpl_builder *b, const tpl_text *text, size_t start, size_t end, tpl_case wanted) {
    size_t shown = start;
    for (size_t at = start, n; at < end && b->status == FM_OK; at += n) {
        uint32_t mapped[3], code = tpl_text_code(text, at, &n);
        size_t count = tpl_case_map(code, wanted, mapped);
        if (count == 1 && mapped[0] == code) continue;
        tpl_add_part(b, text, shown, at - shown);
        for (size_t i = 0; i < count; i++)
            tpl_add_code(b, mapped[i], text->marks ? text->marks[at] : text->is_template);
        shown = at + n;
    }
    tpl_add_part(b, text, shown, end - shown);
}

fm_status tpl_text_case(tpl_run *r, const tpl_text *text, tpl_case wanted, tpl_value *out) {
    tpl_builder b = {.r = r};
    tpl_add_case(&b, text, 0, text->length, wanted);
    return tpl_built_value(&b, out);
}
