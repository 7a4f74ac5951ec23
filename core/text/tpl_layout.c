/* tpl_layout.c - numbers with signs, groups and prefixes, and what fills a place. */
#include "tpl_layout.h"

#include <math.h>
#include <string.h>

#include "tpl_number.h"
#include "tpl_run.h"

/* ---- Numbers --------------------------------------------------------------------------------- */

static size_t write_whole(uint64_t value, char type, bool alternate, char *out) {
    static const char digits[] = "0123456789abcdef";
    char reversed[72];
    size_t n = 0, length = 0;
    unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
    do {
        char digit = digits[value % base];
        reversed[n++] = type == 'X' && digit >= 'a' ? (char)(digit - 32) : digit;
        value /= base;
    } while (value > 0);
    if (alternate && base != 10) {
        out[length++] = '0';
        out[length++] = type;
    }
    while (n > 0) out[length++] = reversed[--n];
    out[length] = '\0';
    return length;
}

/** A comma in front of every three digits of the whole part. */
static void group_digits(char text[TPL_NUMBER_SIZE]) {
    char grouped[TPL_NUMBER_SIZE];
    size_t whole = strspn(text, "0123456789"), n = 0;
    if (strlen(text) + whole / 3 >= TPL_NUMBER_SIZE) return;
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0) grouped[n++] = ',';
        grouped[n++] = text[i];
    }
    strcpy(grouped + n, text + whole);
    strcpy(text, grouped);
}

/** Writes the digits of a number without its sign. */
static fm_status write_number(tpl_run *r, tpl_value v, const tpl_layout *l, char *out) {
    bool is_real = v.kind == TPL_FLOAT || (l->type && strchr("eEfFgG%", l->type));
    if (!is_real) {
        int64_t whole = v.kind == TPL_BOOL ? v.boolean : v.integer;
        write_whole(whole < 0 ? 0 - (uint64_t)whole : (uint64_t)whole, l->type, l->alternate, out);
        return FM_OK;
    }
    double real = v.kind == TPL_FLOAT ? v.real
                  : v.kind == TPL_INT ? (double)v.integer
                                      : (double)v.boolean;
    real = fabs(real);
    int precision = l->precision < 0 ? 6 : l->precision;
    if (precision > TPL_MAX_PRECISION) return tpl_fail_limit(r, "the digits of a number");
    if (!l->type && l->precision < 0)
        tpl_number_repr(real, out);
    else if (l->type == '%') {
        tpl_number_format(real * 100, 'f', precision, out);
        strcat(out, "%");
    } else {
        char kind = l->type ? (char)(l->type | 0x20) : 'g';
        tpl_number_format(real, kind, precision, out);
    }
    return FM_OK;
}

static bool is_negative(tpl_value v) {
    return v.kind == TPL_INT ? v.integer < 0 : v.kind == TPL_FLOAT && signbit(v.real);
}

/* ---- Filling --------------------------------------------------------------------------------- */

static void fill(tpl_builder *b, uint32_t code, size_t count) {
    for (size_t i = 0; i < count; i++) tpl_add_code(b, code, true);
}

/** Appends a sign and a text in the layout's width. */
static void add_aligned(tpl_builder *b, const tpl_layout *l, const char *sign, const tpl_text *text,
                        char align) {
    size_t length = strlen(sign) + tpl_text_count(text);
    size_t missing = (size_t)l->width > length ? (size_t)l->width - length : 0;
    size_t left = align == '>' ? missing : align == '^' ? missing / 2 : 0;
    uint32_t code = l->fill ? l->fill : ' ';
    fill(b, code, left);
    tpl_add_word(b, sign, text->is_template);
    if (align == '=') fill(b, code, missing);
    tpl_add(b, text);
    if (align != '=') fill(b, code, missing - left);
}

fm_status tpl_layout_number(tpl_run *r, tpl_builder *b, tpl_value v, const tpl_layout *l) {
    char digits[TPL_NUMBER_SIZE + 8];
    const char plus[2] = {l->sign, '\0'};
    if (v.kind == TPL_BIG) return tpl_fail_limit(r, "64 bits of a whole number");
    FM_TRY(write_number(r, v, l, digits));
    if (l->groups) group_digits(digits);
    const tpl_text text = {.bytes = digits, .length = strlen(digits), .is_template = !v.from_input};
    add_aligned(b, l, is_negative(v) ? "-" : plus, &text, l->align ? l->align : '>');
    return b->status;
}

fm_status tpl_layout_text(tpl_run *r, tpl_builder *b, const tpl_text *text, const tpl_layout *l) {
    if (l->precision >= 0)
        FM_TRY(tpl_text_cut(r, text, 0, tpl_text_offset(text, (size_t)l->precision), &text));
    FM_TRY(tpl_spend_bytes(r, text->length));
    add_aligned(b, l, "", text, l->align ? l->align : '<');
    return b->status;
}
