/*
 * tpl_case.h - capital and small letters, as Python maps them. Pure functions: any thread.
 */
#ifndef FATHOM_TEXT_TPL_CASE_H
#define FATHOM_TEXT_TPL_CASE_H

#include "tpl_text.h"

typedef enum tpl_case { TPL_CASE_LOWER, TPL_CASE_UPPER, TPL_CASE_TITLE } tpl_case;

/** The code points that a letter becomes, 1 to 3; the letter itself when it has no such form. */
size_t tpl_case_map(uint32_t code, tpl_case wanted, uint32_t out[3]);

/** A small letter, a capital, either of them (or both in one). */
bool tpl_is_lower(uint32_t code);
bool tpl_is_upper(uint32_t code);
bool tpl_has_case(uint32_t code);

/** All letters of a text in one case. */
fm_status tpl_text_case(tpl_run *r, const tpl_text *text, tpl_case wanted, tpl_value *out);

/** Appends the part [start, end) of a text in one case. What stands around it counts where the form
 * of a letter depends on its place. */
void tpl_add_case(tpl_builder *b, const tpl_text *text, size_t start, size_t end, tpl_case wanted);

#endif
