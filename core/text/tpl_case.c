/*
 * tpl_case.c - capital and small letters: a two-level table, code points in blocks of 256, and the
 * one letter whose small form depends on where it stands.
 */
#include "tpl_case.h"

#include "case_table.h"
#include "tpl_run.h"

enum { CAPITAL_SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2 };

static const case_record *record_of(uint32_t code) {
    if (code > 0x10FFFF) return &case_records[0];
    return &case_records[case_blocks[case_block_of[code >> 8]][code & 0xFF]];
}

size_t tpl_case_map(uint32_t code, tpl_case wanted, uint32_t out[3]) {
    const case_record *record = record_of(code);
    if (!record->full) {
        out[0] = (uint32_t)((int32_t)code + record->to[wanted]);
        return 1;
    }
    size_t count = 0;
    for (; count < 3 && case_full[record->full][wanted][count]; count++)
        out[count] = case_full[record->full][wanted][count];
    return count;
}

bool tpl_is_lower(uint32_t code) {
    return record_of(code)->flags & CASE_LOWER;
}

bool tpl_is_upper(uint32_t code) {
    return record_of(code)->flags & CASE_UPPER;
}

bool tpl_has_case(uint32_t code) {
    return record_of(code)->flags & (CASE_LOWER | CASE_UPPER | CASE_TITLE);
}

/** True for a capital sigma at byte `at` that ends a word: behind a letter with a case and not in
 * front of one, marks and apostrophes between them not counted. */
static bool ends_word(const tpl_text *text, size_t at) {
    size_t start = at, end = at, n;
    uint32_t before = 0, behind = 0;
    while (start > 0) {
        start -= tpl_text_code_before(text, start);
        before = tpl_text_code(text, start, &n);
        if (!(record_of(before)->flags & CASE_IGNORABLE)) break;
        before = 0;
    }
    if (!tpl_has_case(before)) return false;
    tpl_text_code(text, at, &n);
    for (end = at + n; end < text->length; end += n) {
        behind = tpl_text_code(text, end, &n);
        if (!(record_of(behind)->flags & CASE_IGNORABLE)) break;
        behind = 0;
    }
    return !tpl_has_case(behind);
}

void tpl_add_case(tpl_builder *b, const tpl_text *text, size_t start, size_t end, tpl_case wanted) {
    size_t shown = start;
    for (size_t at = start, n; at < end && b->status == FM_OK; at += n) {
        uint32_t mapped[3], code = tpl_text_code(text, at, &n);
        size_t count = tpl_case_map(code, wanted, mapped);
        if (code == CAPITAL_SIGMA && wanted == TPL_CASE_LOWER && ends_word(text, at))
            mapped[0] = FINAL_SIGMA;
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
