/*
 * tpl_layout.h - how a value is laid out in a place of a string: width, alignment, digits. For the
 * thread of the rendering.
 */
#ifndef FATHOM_TEXT_TPL_LAYOUT_H
#define FATHOM_TEXT_TPL_LAYOUT_H

#include "tpl_text.h"

enum { TPL_MAX_WIDTH = 4096 }; /* code points */

/** How a value is to be written: [[fill]align][sign][#][0][width][,][.precision][type]. */
typedef struct tpl_layout {
    uint32_t fill;
    char align; /* '<', '>', '^', '='; 0: numbers right, others left */
    char sign;  /* '+', ' ', or 0 */
    bool alternate, groups;
    int width, precision; /* precision -1: none */
    char type;            /* 0: none */
} tpl_layout;

/** Appends a number; a whole one as `type` says (x, X, o, b), others with the digits it asks
 * for. */
fm_status tpl_layout_number(tpl_run *r, tpl_builder *b, tpl_value v, const tpl_layout *l);
/** Appends a text, of which `precision` code points are shown. */
fm_status tpl_layout_text(tpl_run *r, tpl_builder *b, const tpl_text *text, const tpl_layout *l);

#endif
