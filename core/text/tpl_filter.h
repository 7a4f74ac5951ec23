/* tpl_filter.h - the filters of templates: value | name(arguments). Tables: any thread. */
#ifndef FATHOM_TEXT_TPL_FILTER_H
#define FATHOM_TEXT_TPL_FILTER_H

#include "tpl_call.h"

/** NULL when there is none of that name. */
const tpl_function *tpl_filter_find(const char *name, size_t length);

fm_status tpl_filter_apply(tpl_run *r, const tpl_function *f, tpl_value v, const tpl_args *args,
                           tpl_value *out);

/* The rows, each up to one without a name, by what they are about. */
extern const tpl_function tpl_text_filters[], tpl_list_filters[], tpl_number_filters[];

#endif
