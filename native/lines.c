/* lines.c - a buffer over a file descriptor. */
#include "lines.h"

#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536 }; /* bytes read at a time */

int lines_open(lines *l, const char *path) {
    bool is_input = strcmp(path, "-") == 0;
    *l = (lines){.name = is_input ? "standard input" : path};
    l->file = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (l->file >= 0) return STATUS_DONE;
    return terminal_fail("%s: cannot be opened: %s", path, strerror(errno));
}

void lines_close(lines *l) {
    if (l->file > STDIN_FILENO) close(l->file);
    bytes_free(&l->data);
    *l = (lines){.file = -1};
}

/* Moves what is left to the front, so that the buffer holds one line and one piece at most. */
static void make_room(lines *l) {
    if (l->at == 0) return;
    memmove(l->data.data, l->data.data + l->at, l->data.length - l->at);
    l->data.length -= l->at;
    l->searched -= l->at;
    l->at = 0;
}

static lines_got failed(const lines *l, int error) {
    terminal_fail("%s: cannot be read: %s", l->name, strerror(error));
    return LINES_FAILED;
}

/* Reads a piece more. LINES_LINE: something came, or the end. */
static lines_got read_piece(lines *l, int wait_ms) {
    char piece[PIECE];
    struct pollfd ready = {.fd = l->file, .events = POLLIN};
    int n_ready = poll(&ready, 1, wait_ms);
    if (n_ready == 0 || (n_ready < 0 && errno == EINTR)) return LINES_NONE;
    ssize_t got = n_ready < 0 ? -1 : read(l->file, piece, sizeof piece);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return LINES_NONE;
    if (got < 0) return failed(l, errno);
    make_room(l);
    l->at_end = got == 0;
    return bytes_append(&l->data, piece, (size_t)got) ? LINES_LINE : failed(l, ENOMEM);
}

/* Hands out [at, end) and goes on behind `next`. */
static lines_got hand_out(lines *l, size_t end, size_t next, const char **line, size_t *length) {
    bool is_long = l->is_long || end - l->at > LINES_MAX_LENGTH;
    *line = l->data.data + l->at;
    *length = end - l->at;
    l->at = l->searched = next;
    l->is_long = false;
    l->count++;
    return is_long ? LINES_LONG : LINES_LINE;
}

lines_got lines_next(lines *l, int wait_ms, const char **line, size_t *length) {
    for (;;) {
        bytes *data = &l->data;
        size_t left = data->length - l->searched;
        const char *newline = left ? memchr(data->data + l->searched, '\n', left) : NULL;
        if (newline) {
            size_t end = (size_t)(newline - data->data);
            return hand_out(l, end, end + 1, line, length);
        }
        l->searched = data->length;
        if (l->at_end && l->at == data->length && !l->is_long) return LINES_END;
        if (l->at_end) return hand_out(l, data->length, data->length, line, length);
        if (data->length - l->at > LINES_MAX_LENGTH) {
            l->at = data->length;
            l->is_long = true;
        }
        lines_got got = read_piece(l, wait_ms);
        if (got != LINES_LINE) return got;
    }
}
