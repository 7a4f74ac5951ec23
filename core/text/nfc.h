/*
 * nfc.h - Unicode normalization form C of text that may hold any bytes: each maximal invalid part
 * of UTF-8 stays as it is, and nothing is put together across it. An nfc_text owns its memory;
 * start from a zeroed struct, which one call at a time may use.
 */
#ifndef FATHOM_TEXT_NFC_H
#define FATHOM_TEXT_NFC_H

#include "../base/error.h"

typedef struct nfc_text {
    uint8_t *bytes; /* [length] the normal form */
    size_t length;
    size_t bytes_capacity;
    uint32_t *codes, *sorted; /* of one stretch, the combining class in the high byte */
    size_t codes_capacity, sorted_capacity;
} nfc_text;

void nfc_free(nfc_text *t);

/** True when the text is sure to be in NFC, which one look at each code point can tell of nearly
 * all text. False says nothing. */
bool nfc_is_stable(const uint8_t *text, size_t length);

/** Replaces what `out` holds by the normal form of the text. Time is linear in the text. */
fm_status nfc_normalize(const uint8_t *text, size_t length, nfc_text *out, fm_error *err);

#endif
