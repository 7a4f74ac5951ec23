/* tpl_sort.h - what lists are sorted, compared and picked by. For the thread of the rendering. */
#ifndef FATHOM_TEXT_TPL_SORT_H
#define FATHOM_TEXT_TPL_SORT_H

#include "tpl_value.h"

typedef struct tpl_sort {
    bool reverse;
    bool folds;          /* strings without regard to case */
    bool many;           /* `attribute` may be several with commas between them */
    tpl_value attribute; /* "a.b.0", a whole number, or absent: the item itself */
    tpl_value fallback;  /* for an attribute that is not there, unless none or undefined */
} tpl_sort;

/** What an item is looked at by. */
fm_status tpl_sort_key(tpl_run *r, tpl_value item, const tpl_sort *how, tpl_value *out);

/** A list of the items in order; those that are equal stay as they were. */
fm_status tpl_sort_list(tpl_run *r, const tpl_list *list, const tpl_sort *how, tpl_value *out);

#endif
