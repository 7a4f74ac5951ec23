/*
 * tpl_text.h - strings of templates: pieces, joins, and what counts in code points. Results lie in
 * the memory of the rendering; a piece shares its bytes with the whole.
 */
#ifndef FATHOM_TEXT_TPL_TEXT_H
#define FATHOM_TEXT_TPL_TEXT_H

#include "tpl_value.h"

/** A text of bytes that stay where they are. */
fm_status tpl_text_new(tpl_run *r, const char *bytes, size_t length, bool is_template,
                       const tpl_text **out);

/** The bytes [start, end) of a text. */
fm_status tpl_text_cut(tpl_run *r, const tpl_text *text, size_t start, size_t end,
                       const tpl_text **out);
fm_status tpl_text_cut_value(tpl_run *r, const tpl_text *text, size_t start, size_t end,
                             tpl_value *out);

/** The same text as if it had not gone through the filter safe. */
fm_status tpl_text_plain(tpl_run *r, const tpl_text *text, const tpl_text **out);

/** Two texts behind each other. */
fm_status tpl_text_join(tpl_run *r, const tpl_text *a, const tpl_text *b, const tpl_text **out);

bool tpl_text_equal(const tpl_text *a, const tpl_text *b);
bool tpl_text_is(const tpl_text *a, const char *word);
/** The order of code points, which is that of the bytes. */
int tpl_text_compare(const tpl_text *a, const tpl_text *b);

/** Where `needle` stands first at or behind `from`, or last in front of `end`; SIZE_MAX when
 * nowhere. Costs steps. */
fm_status tpl_text_find(tpl_run *r, const tpl_text *text, const tpl_text *needle, size_t from,
                        size_t *out);
fm_status tpl_text_find_last(tpl_run *r, const tpl_text *text, const tpl_text *needle, size_t end,
                             size_t *out);

/* ---- Code points ----------------------------------------------------------------------------- */

size_t tpl_text_count(const tpl_text *text); /* code points */
/** Bytes in front of code point `index`; the length where there are fewer. */
size_t tpl_text_offset(const tpl_text *text, size_t index);
/** The code point at byte `at`, and its bytes. */
uint32_t tpl_text_code(const tpl_text *text, size_t at, size_t *length);
/** The bytes of the code point that ends at `end`, which is above 0. */
size_t tpl_text_code_before(const tpl_text *text, size_t end);

/** White space as Python's str.isspace has it. */
bool tpl_is_space(uint32_t code);
/** The ends of what is left when code points of `chars` (NULL: white space) are taken off. */
void tpl_text_strip(const tpl_text *text, const tpl_text *chars, bool left, bool right,
                    size_t *start, size_t *end);

/* ---- Building -------------------------------------------------------------------------------- */

/** A text while it is made. Start with {.r = r}; an append that fails leaves its status there, and
 * those behind it do nothing. */
typedef struct tpl_builder {
    tpl_run *r;
    tpl_buffer *buffer;
    fm_status status;
} tpl_builder;

void tpl_add(tpl_builder *b, const tpl_text *text);
void tpl_add_bytes(tpl_builder *b, const char *bytes, size_t length, bool is_template);
/** A terminated text. */
void tpl_add_word(tpl_builder *b, const char *word, bool is_template);
void tpl_add_code(tpl_builder *b, uint32_t code, bool is_template);
/** `count` bytes [start, start + count) of a text. */
void tpl_add_part(tpl_builder *b, const tpl_text *text, size_t start, size_t count);

/** The text that was made; the builder can go on behind it. */
fm_status tpl_built(tpl_builder *b, const tpl_text **out);
fm_status tpl_built_value(tpl_builder *b, tpl_value *out);

#endif
