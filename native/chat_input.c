/* chat_input.c - turns out of lines. */
#include "chat_input.h"

#include "terminal.h"

#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 200 }; /* for a line; an interrupt that came in between is seen after it */

int chat_input_open(chat_input *in) {
    *in = (chat_input){.lines.file = -1};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return lines_open(&in->lines, "-");
    in->editor = chat_editor_open();
    return in->editor ? STATUS_DONE : terminal_fail("out of memory for the line editor");
}

void chat_input_close(chat_input *in) {
    chat_editor_close(in->editor);
    lines_close(&in->lines);
    *in = (chat_input){.lines.file = -1};
}

/* ---- One line ------------------------------------------------------------------------------------ */

/* What a line came to: a turn ends with it, goes on, or begins anew. */
typedef enum line_got { LINE_WHOLE, LINE_GOES_ON, LINE_ANEW, LINE_STOP } line_got;

/* Looks at the line that stands at the end of the text, from `start` on. */
static line_got look_at(bytes *text, size_t start) {
    if (text->length == start || text->data[text->length - 1] != '\\') return LINE_WHOLE;
    text->data[text->length - 1] = '\n';
    return LINE_GOES_ON;
}

/* Ctrl-C leaves only where it is pressed twice and nothing is typed in between. */
static line_got interrupted(chat_input *in, bytes *text, editor_got got, input_got *end) {
    bool is_second = got == EDITOR_NOTHING && text->length == 0 && in->was_nothing;
    in->was_nothing = got == EDITOR_NOTHING && text->length == 0;
    *end = INPUT_END;
    if (is_second) return LINE_STOP;
    if (in->was_nothing) terminal_note("Ctrl-C once more, Ctrl-D or /quit leaves");
    return LINE_ANEW;
}

static line_got type_line(chat_input *in, bytes *text, input_got *end) {
    size_t start = text->length;
    editor_got got = chat_editor_read(in->editor, start > 0 ? "." : ">", text);
    switch (got) {
    case EDITOR_LINE:
        in->was_nothing = false;
        return look_at(text, start);
    case EDITOR_CLEARED:
    case EDITOR_NOTHING:
        return interrupted(in, text, got, end);
    case EDITOR_END:
        *end = INPUT_END;
        return LINE_STOP;
    case EDITOR_FAILED:
        break;
    }
    terminal_fail("out of memory for the line");
    *end = INPUT_FAILED;
    return LINE_STOP;
}

static line_got next_line(chat_input *in, bytes *text, input_got *end) {
    const char *line;
    size_t length, start = text->length;
    lines_got got = LINES_NONE;
    while (got == LINES_NONE && !terminal_interrupted())
        got = lines_next(&in->lines, WAIT_MS, &line, &length);
    *end = got == LINES_NONE ? INPUT_INTERRUPTED : got == LINES_END ? INPUT_END : INPUT_FAILED;
    if (got == LINES_LONG)
        terminal_fail("line %zu has more than %d bytes; -p @FILE takes a longer question",
                      in->lines.count, LINES_MAX_LENGTH);
    if (got != LINES_LINE) return LINE_STOP;
    if (length > 0 && line[length - 1] == '\r') length--;
    if (bytes_append(text, line, length)) return look_at(text, start);
    terminal_fail("out of memory for the line");
    *end = INPUT_FAILED;
    return LINE_STOP;
}

/* ---- A turn -------------------------------------------------------------------------------------- */

static bool is_blank(const bytes *text) {
    for (size_t i = 0; i < text->length; i++)
        if (!strchr(" \t\r\n", text->data[i]) || !text->data[i]) return false;
    return true;
}

/* Lines until one that does not go on. */
static input_got gather(chat_input *in, bytes *text) {
    input_got end = INPUT_TEXT;
    line_got got = LINE_GOES_ON;
    text->length = 0;
    while (got == LINE_GOES_ON && text->length <= LINES_MAX_LENGTH)
        got = in->editor ? type_line(in, text, &end) : next_line(in, text, &end);
    if (got == LINE_ANEW) text->length = 0;
    /* The input may end behind a line that should go on. */
    bool is_text = got != LINE_STOP || (end == INPUT_END && text->length > 0);
    if (!is_text) return end;
    if (text->length <= LINES_MAX_LENGTH) return INPUT_TEXT;
    terminal_fail("the question has more than %d bytes; -p @FILE takes a longer one",
                  LINES_MAX_LENGTH);
    return INPUT_FAILED;
}

input_got chat_input_read(chat_input *in, bytes *text) {
    input_got got;
    do got = gather(in, text);
    while (got == INPUT_TEXT && is_blank(text));
    if (got != INPUT_TEXT) return got;
    if (!bytes_append(text, "", 1)) {
        terminal_fail("out of memory for the line");
        return INPUT_FAILED;
    }
    text->length--;
    if (in->editor) chat_editor_remember(in->editor, text->data);
    return INPUT_TEXT;
}
