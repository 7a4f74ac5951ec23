/*
 * tpl_methods.h - what filters and methods of strings share. Results lie in the memory of the
 * rendering.
 */
#ifndef FATHOM_TEXT_TPL_METHODS_H
#define FATHOM_TEXT_TPL_METHODS_H

#include "tpl_call.h"
#include "tpl_text.h"

extern const tpl_function tpl_text_methods[], tpl_text_words[], tpl_cycler_methods[];

/** True when a text has letters with a case, and `is` holds for each of them. */
bool tpl_text_has_case(const tpl_text *text, bool (*is)(uint32_t));

/** Gives `text` with at most `limit` (below 0: all) of `old` replaced. */
fm_status tpl_replace(tpl_run *r, const tpl_text *text, const tpl_text *old, const tpl_text *new,
                      int64_t limit, tpl_value *out);
/** The lines of a text, with their ends or without, as Python's splitlines has them. */
fm_status tpl_split_lines(tpl_run *r, const tpl_text *text, bool keeps, tpl_value *out);
/** The texts of values with one between them. `checks`: all of them have to be strings. */
fm_status tpl_join_values(tpl_run *r, const tpl_text *between, const tpl_list *values, bool checks,
                          tpl_value *out);
fm_status tpl_strip(tpl_run *r, const tpl_text *text, const tpl_text *chars, bool left, bool right,
                    tpl_value *out);

#endif
