/* chat_editor.c - libedit, with keys of our own for interrupts and pasted text. */
#include "chat_editor.h"

#include "chat_history.h"
#include "terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum {
    PASTE_MAX = 1000 * 1000, /* characters of one paste; the rest of it is read over */
    PROMPT_SIZE = 64,
    LITERAL = 1, /* stands around what of the prompt has no width */
};

/* The terminal is asked to put marks around what is pasted, so that its newlines are no return
 * keys. */
static const char marks_on[] = "\033[?2004h";
static const char marks_off[] = "\033[?2004l";
static const char paste_begin[] = "\033[200~";
static const wchar_t paste_end[] = L"\033[201~";

struct chat_editor {
    EditLine *line;
    chat_history history;
    char prompt[PROMPT_SIZE];
    bool was_interrupted;
    bool was_empty; /* when the interrupt came */
    bool has_marks; /* the terminal knows escape sequences */
};

static chat_editor *editor_of(EditLine *line) {
    void *data = NULL;
    el_get(line, EL_CLIENTDATA, &data);
    return data;
}

static char *prompt_of(EditLine *line) {
    return editor_of(line)->prompt;
}

/* ---- Characters ---------------------------------------------------------------------------------- */

static bool read_byte(unsigned char *out) {
    return read(STDIN_FILENO, out, 1) == 1;
}

/* Reads the rest of a character of UTF-8; what is none becomes U+FFFD. */
static bool read_rest(unsigned char first, wchar_t *out) {
    static const wchar_t replacement = 0xfffd;
    char text[5] = {(char)first};
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    *out = replacement;
    if (first < 0xc2 || first > 0xf4) return true;
    long code = first & (0xff >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        unsigned char next;
        if (!read_byte(&next)) return false;
        text[i] = (char)next;
        code = code << 6 | (next & 0x3f);
        if ((next & 0xc0) != 0x80) return true;
    }
    if (terminal_char(text) == length) *out = (wchar_t)code;
    return true;
}

/* Where libedit gets every character from: 1, or 0 at the end. An interrupt is an end, too, which
 * makes it give the line up; chat_editor_read tells them apart. */
static int read_char(EditLine *line, wchar_t *out) {
    chat_editor *e = editor_of(line);
    unsigned char first;
    if (!terminal_wait_for_key()) {
        const LineInfoW *info = el_wline(line);
        e->was_interrupted = terminal_take_interrupt();
        e->was_empty = info->lastchar == info->buffer;
        return 0;
    }
    el_resize(line); /* the window may have another size by now */
    if (!read_byte(&first)) return 0;
    *out = first;
    return first < 0x80 || read_rest(first, out) ? 1 : 0;
}

/* ---- Pasted text --------------------------------------------------------------------------------- */

static bool is_newline(wchar_t c) {
    return c == L'\r' || c == L'\n';
}

/* What a character of a paste puts into the line; 0: nothing. No control character has a meaning in
 * a question but newline and tab. The two of a newline come in either order: the editor's terminal
 * mode exchanges them. *last is the character before. */
static wchar_t pasted_char(wchar_t c, wchar_t *last) {
    bool is_second = is_newline(c) && is_newline(*last) && c != *last;
    *last = is_second ? 0 : c;
    if (is_newline(c)) return is_second ? 0 : L'\n';
    return (c < 0x20 && c != L'\t') || c == 0x7f ? 0 : c;
}

static void flush_paste(EditLine *line, wchar_t *text, size_t *length) {
    text[*length] = 0;
    el_winsertstr(line, text);
    *length = 0;
}

/* Bound to the mark in front of a paste: puts everything up to the mark behind it into the line. */
static unsigned char paste(EditLine *line, int key) {
    wchar_t text[256], c, last = 0;
    size_t length = 0, n_matched = 0, n_taken = 0;
    (void)key;
    while (n_matched < wcslen(paste_end)) {
        if (el_wgetc(line, &c) != 1) return CC_EOF;
        n_matched = c == paste_end[n_matched] ? n_matched + 1 : c == paste_end[0] ? 1 : 0;
        if (n_matched > 0) continue;
        wchar_t taken = pasted_char(c, &last);
        if (taken == 0 || n_taken == PASTE_MAX) continue;
        text[length++] = taken;
        n_taken++;
        if (length + 1 == sizeof text / sizeof text[0]) flush_paste(line, text, &length);
    }
    flush_paste(line, text, &length);
    return CC_REFRESH;
}

/* ---- Opening and closing ------------------------------------------------------------------------- */

/* libedit writes characters through the locale; texts are UTF-8 whatever the user's says. */
static void set_locale(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

static void set_up(chat_editor *e) {
    el_set(e->line, EL_CLIENTDATA, e);
    el_set(e->line, EL_EDITOR, "emacs");
    el_set(e->line, EL_PROMPT_ESC, prompt_of, LITERAL);
    el_set(e->line, EL_HIST, history, e->history.list);
    el_set(e->line, EL_GETCFN, read_char);
    /* In wide characters: el_set would make copies of the two texts that nothing frees. */
    el_wset(e->line, EL_ADDFN, L"fathom-paste", L"Take in a pasted text", paste);
    /* With Ctrl-C a terminal drops what was written and not shown yet, and that may be the next
     * prompt: neither while a line is typed nor while an answer comes. */
    el_set(e->line, EL_SETTY, "-d", "+noflsh", NULL);
    el_set(e->line, EL_SETTY, "-x", "+noflsh", NULL);
    el_source(e->line, NULL); /* the user's ~/.editrc */
    el_set(e->line, EL_BIND, paste_begin, "fathom-paste", NULL);
}

chat_editor *chat_editor_open(void) {
    chat_editor *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    set_locale();
    e->has_marks = terminal_has_escapes(stdout);
    e->line = el_init("fathom", stdin, stdout, stderr);
    if (!e->line || !chat_history_open(&e->history)) {
        chat_editor_close(e);
        return NULL;
    }
    set_up(e);
    return e;
}

void chat_editor_close(chat_editor *e) {
    if (!e) return;
    if (e->line) el_end(e->line);
    chat_history_close(&e->history);
    free(e);
}

void chat_editor_remember(chat_editor *e, const char *text) {
    chat_history_add(&e->history, text);
}

/* ---- Reading ------------------------------------------------------------------------------------- */

static void set_prompt(chat_editor *e, const char *prompt) {
    if (terminal_has_colours(stdout))
        snprintf(e->prompt, sizeof e->prompt, "%c\033[1;32m%c%s%c\033[0m%c ", LITERAL, LITERAL,
                 prompt, LITERAL, LITERAL);
    else
        snprintf(e->prompt, sizeof e->prompt, "%s ", prompt);
}

/* Appends characters as UTF-8. */
static bool append(bytes *out, const wchar_t *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned long code = (unsigned long)text[i];
        char utf8[4] = {(char)code};
        size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        for (size_t k = n - 1; k > 0; k--, code >>= 6) utf8[k] = (char)(0x80 | (code & 0x3f));
        if (n > 1) utf8[0] = (char)((0xf00 >> n & 0xff) | code);
        if (!bytes_append(out, utf8, n)) return false;
    }
    return true;
}

static void ask_for_marks(const chat_editor *e, const char *sequence) {
    if (e->has_marks) terminal_write(sequence, strlen(sequence));
}

editor_got chat_editor_read(chat_editor *e, const char *prompt, bytes *out) {
    int count = 0;
    set_prompt(e, prompt);
    e->was_interrupted = false;
    /* Whoever sees the prompt and types at once finds the editor's mode of the terminal: by itself
     * libedit sets it where it reads the first key. */
    el_set(e->line, EL_PREP_TERM, 1);
    ask_for_marks(e, marks_on);
    const wchar_t *text = el_wgets(e->line, &count);
    ask_for_marks(e, marks_off);
    if (e->was_interrupted) {
        terminal_write("^C\n", 3);
        return e->was_empty ? EDITOR_NOTHING : EDITOR_CLEARED;
    }
    if (!text || count <= 0) {
        terminal_write("\n", 1);
        return EDITOR_END;
    }
    size_t length = (size_t)count;
    if (text[length - 1] == L'\n') length--;
    return append(out, text, length) ? EDITOR_LINE : EDITOR_FAILED;
}
