/* terminal.c - messages, colours, checked output and the interrupt flag. */
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A signal handler has no argument of ours, so these two are the program's only mutable globals. */
static volatile sig_atomic_t interrupted;
/* errno of the first write to standard output that failed. */
static int write_error;

void terminal_prepare(void) {
    signal(SIGPIPE, SIG_IGN);
}

bool terminal_has_colours(FILE *stream) {
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (no_color && *no_color) return false;
    return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0;
}

static void print_line(const char *label_style, const char *text_style, const char *label,
                       const char *format, va_list args) {
    bool colours = terminal_has_colours(stderr);
    fprintf(stderr, "%s%s%s%s", colours ? label_style : "", label, colours ? "\033[0m" : "",
            colours ? text_style : "");
    vfprintf(stderr, format, args);
    fprintf(stderr, "%s\n", colours ? "\033[0m" : "");
}

int terminal_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("\033[1;31m", "", "fathom: ", format, args);
    va_end(args);
    return STATUS_FAILED;
}

int terminal_refuse(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("\033[1;31m", "", "fathom: ", format, args);
    va_end(args);
    return STATUS_USAGE;
}

void terminal_note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("", "\033[2m", "", format, args);
    va_end(args);
}

bool terminal_write(const char *text, size_t length) {
    if (fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0) return true;
    if (write_error == 0) write_error = errno;
    return false;
}

int terminal_finish(int status) {
    if (status != STATUS_DONE) return status;
    bool failed = fflush(stdout) != 0;
    if (failed && write_error == 0) write_error = errno;
    if (!failed && write_error == 0 && !ferror(stdout)) return status;
    return terminal_fail("standard output could not be written: %s",
                         write_error ? strerror(write_error) : "an earlier write failed");
}

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

void terminal_watch_interrupt(void) {
    /* SA_RESETHAND puts the default action back, which is what makes the second interrupt final. */
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool terminal_interrupted(void) {
    return interrupted != 0;
}
