/*
 * terminal.h - the two streams a person sees: messages on standard error, answers on standard
 * output, and the interrupt key. All functions belong to the main thread.
 */
#ifndef FATHOM_NATIVE_TERMINAL_H
#define FATHOM_NATIVE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** The exit statuses, which scripts rely on. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/** Makes a closed pipe and a full quota errors of the write instead of the end of the process.
 * Called once, first. */
void terminal_prepare(void);

/** True when the stream is a terminal that understands escape sequences (TERM=dumb says no). */
bool terminal_has_escapes(FILE *stream);
/** True when it may show colours, too (NO_COLOR says no). */
bool terminal_has_colours(FILE *stream);

/** The bytes of the character that a terminated text begins with; 0 when that is a control
 * character or no UTF-8, and then the first byte must not reach the terminal. */
size_t terminal_char(const char *text);

/** Makes a terminated text one line that a terminal may show: '?' in place of each byte that is no
 * character. */
void terminal_clean(char *text);

/** Prints "fathom: TEXT" as one line on standard error; what is wrong and what to do. Control
 *  characters and broken UTF-8 become '?', and a very long text is cut in its middle.
 *  Return STATUS_FAILED and STATUS_USAGE, so that `return terminal_fail(…)` is the idiom. */
int terminal_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int terminal_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Prints one line of side information on standard error, dimmed where there are colours. */
void terminal_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Shows a line on standard error that the next one replaces, where that is a terminal; elsewhere
 * nothing. Cleared before anything else is printed. */
void terminal_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void terminal_progress_clear(void);

/** Writes bytes to standard output and flushes, so that a stream of text appears at once. False
 * when they could not be written; terminal_finish says why. */
bool terminal_write(const char *text, size_t length);

/** True when something could not be written to standard output. */
bool terminal_output_failed(void);

/** Called once, last. Flushes standard output; when all went well but something could not be
 * written, reports that and returns STATUS_FAILED, else returns `status`. */
int terminal_finish(int status);

/** From here on the first interrupt (Ctrl-C) only sets a flag; the second ends the process. */
void terminal_watch_interrupt(void);
bool terminal_interrupted(void);

/** From here on no interrupt ends the process: each sets the flag, until it is taken. */
void terminal_catch_interrupts(void);
/** Whether one came since the last call. */
bool terminal_take_interrupt(void);
/** Blocks until standard input has a byte, an end or an error to read; false where an interrupt
 * comes first, whose flag stays set. Only behind terminal_catch_interrupts. */
bool terminal_wait_for_key(void);

#endif
