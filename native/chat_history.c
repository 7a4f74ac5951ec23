/* chat_history.c - libedit's list of lines, and our file of them. */
#include "chat_history.h"

#include "bytes.h"
#include "file_out.h"
#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MAX_LINES = 1000,
    MAX_LINE_LENGTH = 8000, /* bytes */
    MAX_FILE_SIZE = 2 * MAX_LINES * (MAX_LINE_LENGTH + 1),
};

/* ---- The path ------------------------------------------------------------------------------------ */

/* "a", "b" and "c" in one; NULL when memory is out. The caller frees it. */
static char *join(const char *a, const char *b, const char *c) {
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);
    if (text) snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

/* The rule of the XDG base directories, by which a relative path in the variable counts for
 * nothing. */
static char *find_path(void) {
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (state && state[0] == '/') return join(state, "/fathom/history", "");
    if (home && home[0] == '/') return join(home, "/.local/state", "/fathom/history");
    return NULL;
}

/* Makes the directories that the file lies in, for the user alone, as that rule has it. */
static int make_directories(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int error = mkdir(path, S_IRWXU) == 0 || errno == EEXIST ? 0 : errno;
        *slash = '/';
        if (error != 0) return error;
    }
    return 0;
}

/* ---- The file ------------------------------------------------------------------------------------
 * An entry is a line of it, the oldest first, with \n for a newline in the entry and \\ for a
 * backslash. */

static void tell(chat_history *h, const char *what) {
    if (!h->was_told) terminal_note("history: %s: %s; it ends with this program", h->path, what);
    h->was_told = true;
}

/* Turns a line of the file, without its newline, into the entry, in place. */
static void unescape(char *line) {
    char *to = line;
    for (const char *from = line; *from; from++) {
        if (*from == '\\' && from[1]) from++;
        *to++ = from > line && from[-1] == '\\' && *from == 'n' ? '\n' : *from;
    }
    *to = '\0';
}

static void load_entries(chat_history *h, bytes *text) {
    HistEvent event;
    char *line = text->data;
    for (char *end; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        unescape(line);
        if (*line && strlen(line) <= MAX_LINE_LENGTH) history(h->list, &event, H_ENTER, line);
    }
}

static void load(chat_history *h) {
    bytes text = {0};
    struct stat info;
    if (stat(h->path, &info) != 0) return; /* the first time; what else is wrong, writing tells */
    FILE *file = S_ISREG(info.st_mode) ? fopen(h->path, "rb") : NULL;
    int error = file ? bytes_read(&text, file, MAX_FILE_SIZE) : errno;
    if (file) fclose(file);
    if (!S_ISREG(info.st_mode))
        tell(h, "no plain file");
    else if (error != 0)
        tell(h, strerror(error));
    else if (bytes_append(&text, "", 1))
        load_entries(h, &text);
    bytes_free(&text);
}

static bool append_entry(bytes *text, const char *entry) {
    bool ok = true;
    for (; ok && *entry; entry++)
        ok = *entry == '\n'   ? bytes_append(text, "\\n", 2)
             : *entry == '\\' ? bytes_append(text, "\\\\", 2)
                              : bytes_append(text, entry, 1);
    return ok && bytes_append(text, "\n", 1);
}

static void save(chat_history *h) {
    HistEvent event;
    bytes text = {0};
    bool ok = true;
    for (int found = history(h->list, &event, H_LAST); ok && found >= 0;
         found = history(h->list, &event, H_PREV))
        ok = append_entry(&text, event.str);
    int error = ok ? make_directories(h->path) : ENOMEM;
    if (error == 0) error = file_out_write(h->path, text.data, text.length);
    bytes_free(&text);
    if (error != 0) tell(h, strerror(error));
}

/* ---- The list ------------------------------------------------------------------------------------ */

bool chat_history_open(chat_history *h) {
    HistEvent event;
    *h = (chat_history){.list = history_init(), .path = find_path()};
    if (!h->list) {
        chat_history_close(h);
        return false;
    }
    history(h->list, &event, H_SETSIZE, MAX_LINES);
    history(h->list, &event, H_SETUNIQUE, 1);
    if (h->path) load(h);
    return true;
}

void chat_history_add(chat_history *h, const char *line) {
    HistEvent event;
    if (strlen(line) > MAX_LINE_LENGTH) return;
    history(h->list, &event, H_ENTER, line);
    /* A file that is not ours stays as it is. */
    if (h->path && !h->was_told) save(h);
}

void chat_history_close(chat_history *h) {
    if (h->list) history_end(h->list);
    free(h->path);
    *h = (chat_history){0};
}
