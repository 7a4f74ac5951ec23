/*
 * alphabet.h - the byte alphabet of byte-level vocabularies: each of the 256 bytes has a printable
 * character that stands for it in the file (the space is U+0120). Pure functions: any thread.
 */
#ifndef FATHOM_TEXT_ALPHABET_H
#define FATHOM_TEXT_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Writes the character of a byte as UTF-8 (1 or 2 bytes, not terminated); returns its length. */
size_t alphabet_symbol(uint8_t byte, char out[2]);

/** Turns `length` bytes of UTF-8 text written in the alphabet into the bytes it stands for, at most
 * `length` of them, and sets *n_bytes. False when a character is not of the alphabet. */
bool alphabet_decode(const char *text, size_t length, uint8_t *out, size_t *n_bytes);

#endif
