/*
 * letters.h - the letters that deepseek-llm's rule lists by hand: those of scripts with upper and
 * lower case, as an older Unicode version knew them. Pure functions: any thread.
 */
#ifndef FATHOM_TEXT_LETTERS_H
#define FATHOM_TEXT_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool letters_has(uint32_t code);

/** The list as it stands between the brackets of the rule's pattern, terminated. */
enum { LETTERS_PATTERN_SIZE = 1024 }; /* bytes */
void letters_pattern(char out[LETTERS_PATTERN_SIZE]);

#endif
