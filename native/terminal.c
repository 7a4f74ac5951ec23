/* terminal.c - messages, colours, checked output and the interrupt flag. */
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

/* The program's only mutable globals: a signal handler has no argument of ours, and the two streams
 * belong to the process. */
static volatile sig_atomic_t interrupted;
/* errno of the first write to standard output that failed. */
static int write_error;
/* Characters of the progress line that stands on the terminal. */
static int progress_width;

void terminal_prepare(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

bool terminal_has_escapes(FILE *stream) {
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0;
}

bool terminal_has_colours(FILE *stream) {
    const char *no_color = getenv("NO_COLOR");
    return terminal_has_escapes(stream) && !(no_color && *no_color);
}

size_t terminal_char(const char *text) {
    const unsigned char *u = (const unsigned char *)text;
    if (u[0] < 0x80) return u[0] >= 0x20 && u[0] != 0x7f ? 1 : 0;
    size_t length = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    if (u[0] < 0xc2 || u[0] > 0xf4) return 0;
    /* A terminator is no continuation, so nothing behind it is read. */
    for (size_t i = 1; i < length; i++)
        if ((u[i] & 0xc0) != 0x80) return 0;
    /* Too long a form, a surrogate, above U+10FFFF; and the controls from U+0080. */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f)) return 0;
    if ((u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f)) return 0;
    return u[0] == 0xc2 && u[1] < 0xa0 ? 0 : length;
}

void terminal_clean(char *text) {
    while (*text) {
        size_t length = terminal_char(text);
        if (length == 0) *text = '?';
        text += length > 0 ? length : 1;
    }
}

/* The most bytes of a message that are shown of its beginning and of its end. What is wrong stands
 * in front and what to do behind, so a word that is too long is cut between them. */
enum { HEAD_MAX = 600, TAIL_MAX = 300, LINE_SIZE = HEAD_MAX + TAIL_MAX + 6 };

/* Appends [from, to) to the line, a '?' for each byte that is no character. */
static char *append_clean(char *line, const char *from, const char *to) {
    while (from < to) {
        size_t length = terminal_char(from);
        if (length > (size_t)(to - from)) break; /* cut inside a character */
        memcpy(line, length > 0 ? from : "?", length > 0 ? length : 1);
        line += length > 0 ? length : 1;
        from += length > 0 ? length : 1;
    }
    return line;
}

/* The message as one clean line. */
static void lay_out(const char *text, char line[LINE_SIZE]) {
    size_t length = strlen(text);
    char *end = line;
    if (length <= HEAD_MAX + TAIL_MAX) {
        end = append_clean(end, text, text + length);
    } else {
        const char *tail = text + length - TAIL_MAX;
        while ((*tail & 0xc0) == 0x80) tail++;
        end = append_clean(end, text, text + HEAD_MAX);
        memcpy(end, " ... ", 5);
        end = append_clean(end + 5, tail, text + length);
    }
    *end = '\0';
}

/* The formatted text, whatever its length; NULL when memory is out. The caller frees it. */
static char *format_text(const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

/* Blanks, so that it works on any terminal. */
void terminal_progress_clear(void) {
    if (progress_width == 0) return;
    fprintf(stderr, "\r%*s\r", progress_width, "");
    progress_width = 0;
}

/* The one way to standard error: whatever the text holds, one line comes of it. */
static void print_line(const char *label_style, const char *text_style, const char *label,
                       const char *format, va_list args) {
    char line[LINE_SIZE];
    char *text = format_text(format, args);
    terminal_progress_clear();
    bool colours = terminal_has_colours(stderr);
    lay_out(text ? text : "out of memory for a message", line);
    free(text);
    fprintf(stderr, "%s%s%s%s%s%s\n", colours ? label_style : "", label, colours ? "\033[0m" : "",
            colours ? text_style : "", line, colours ? "\033[0m" : "");
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

void terminal_progress(const char *format, ...) {
    char line[80];
    va_list args;
    if (!isatty(STDERR_FILENO)) return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    terminal_progress_clear();
    progress_width = fprintf(stderr, "%s", line);
    if (progress_width < 0) progress_width = 0;
}

bool terminal_write(const char *text, size_t length) {
    if (fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0) return true;
    if (write_error == 0) write_error = errno;
    return false;
}

bool terminal_output_failed(void) {
    return write_error != 0;
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
    /* SA_RESETHAND puts the default action back, which is what makes the second interrupt final.
     * SA_RESTART: a write that waits for its reader goes on, and the answer ends in order. */
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool terminal_interrupted(void) {
    return interrupted != 0;
}

void terminal_catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool terminal_take_interrupt(void) {
    bool was_interrupted = interrupted != 0;
    interrupted = 0;
    return was_interrupted;
}

/* The signal is let in by pselect alone: one that came before is seen here, a later one there. */
bool terminal_wait_for_key(void) {
    sigset_t interrupt, before;
    fd_set readable;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &before);
    for (int n_ready = 0; n_ready == 0 && !interrupted;) {
        FD_ZERO(&readable);
        FD_SET(STDIN_FILENO, &readable);
        n_ready = pselect(STDIN_FILENO + 1, &readable, NULL, NULL, NULL, &before);
        if (n_ready < 0 && errno == EINTR) n_ready = 0;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return !interrupted;
}
