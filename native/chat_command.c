/* chat_command.c - the commands of a conversation as a table, and what each one does. */
#include "chat.h"
#include "file_out.h"
#include "terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct chat_command {
    const char *name;
    const char *argument; /* how /help writes it; NULL: it takes none */
    bool needs_argument;
    const char *help;
    int (*run)(chat *c, const char *argument); /* "" where there is none */
} chat_command;

void chat_note(const chat *c, const char *format, ...) {
    char text[512];
    va_list args;
    if (!c->input.editor) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    terminal_note("%s", text);
}

/* ---- Files --------------------------------------------------------------------------------------- */

/* "~/x" is x in the home directory, as in a shell. NULL when memory is out; the caller frees it. */
static char *expand_path(const char *path) {
    const char *home = getenv("HOME");
    bool is_home = strncmp(path, "~/", 2) == 0 && home;
    size_t size = strlen(path) + (is_home ? strlen(home) : 0) + 1;
    char *out = malloc(size);
    if (out) snprintf(out, size, "%s%s", is_home ? home : "", is_home ? path + 1 : path);
    return out;
}

static int save(chat *c, const char *argument) {
    bytes json = {0};
    char *path = expand_path(argument);
    int error = path && conversation_write_json(&c->conversation, &json)
                    ? file_out_write(path, json.data, json.length)
                    : ENOMEM;
    bytes_free(&json);
    free(path);
    if (error == EINVAL)
        return terminal_fail("%s: no plain file; /save takes another name", argument);
    if (error != 0) return terminal_fail("%s: cannot be written: %s", argument, strerror(error));
    chat_note(c, "%zu messages saved", c->conversation.count);
    return STATUS_DONE;
}

static int load(chat *c, const char *argument) {
    fm_error err;
    char *path = expand_path(argument);
    if (!path) return terminal_fail("out of memory for the file");
    fm_status status = conversation_read_json(&c->conversation, path, &err);
    free(path);
    if (status != FM_OK) return terminal_fail("%s", err.text);
    chat_note(c, "%zu messages; %s", c->conversation.count,
              strcmp(conversation_last_role(&c->conversation), "user") == 0
                  ? "/regen answers the last one"
                  : "the conversation goes on behind them");
    return STATUS_DONE;
}

/* ---- The conversation ---------------------------------------------------------------------------- */

static int clear(chat *c, const char *argument) {
    (void)argument;
    conversation_clear(&c->conversation);
    chat_note(c, c->conversation.count > 0 ? "a new conversation, under the same system text"
                                           : "a new conversation");
    return STATUS_DONE;
}

static int set_system(chat *c, const char *argument) {
    fm_error err;
    if (conversation_set_system(&c->conversation, argument, strlen(argument), &err) != FM_OK)
        return terminal_fail("%s", err.text);
    chat_note(c, *argument ? "the system text holds from the next answer on"
                           : "there is no system text");
    return STATUS_DONE;
}

static int answer_again(chat *c, const char *argument) {
    (void)argument;
    return chat_answer_again(c);
}

static int quit(chat *c, const char *argument) {
    (void)argument;
    c->leaves = true;
    return STATUS_DONE;
}

/* ---- The table ----------------------------------------------------------------------------------- */

static int help(chat *c, const char *argument);

static const chat_command commands[] = {
    {"help", NULL, false, "this list", help},
    {"clear", NULL, false, "forget the conversation, but not the system text", clear},
    {"save", "FILE", true, "write the conversation to a file, as JSON", save},
    {"load", "FILE", true, "go on with the conversation of such a file", load},
    {"system", "TEXT", false, "set the system text; without TEXT there is none", set_system},
    {"regen", NULL, false, "answer the last question anew", answer_again},
    {"quit", NULL, false, "leave, as Ctrl-D does", quit},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static int help(chat *c, const char *argument) {
    (void)argument;
    for (int i = 0; i < N_COMMANDS; i++) {
        char line[128], left[32];
        snprintf(left, sizeof left, "/%s %s", commands[i].name,
                 commands[i].argument ? commands[i].argument : "");
        int length = snprintf(line, sizeof line, "%-16s%s\n", left, commands[i].help);
        terminal_write(line, (size_t)length);
    }
    static const char rest[] =
        "A line that ends with \\ goes on in the next. // asks a question that begins with /.\n";
    static const char keys[] = "Ctrl-C stops an answer, or takes back what is typed.\n";
    terminal_write(rest, sizeof rest - 1);
    if (c->input.editor) terminal_write(keys, sizeof keys - 1);
    return STATUS_DONE;
}

static const chat_command *find_command(const char *name, size_t length) {
    for (int i = 0; i < N_COMMANDS; i++)
        if (strlen(commands[i].name) == length && strncmp(commands[i].name, name, length) == 0)
            return &commands[i];
    return NULL;
}

/* A copy of an argument without the blanks around it; NULL when memory is out. */
static char *copy_argument(const char *text) {
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    size_t length = strlen(text);
    while (length > 0 && strchr(blanks, text[length - 1])) length--;
    char *copy = malloc(length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

int chat_command_run(chat *c, const char *text) {
    size_t length = strcspn(text + 1, " \t\r\n");
    const chat_command *found = find_command(text + 1, length);
    if (!found)
        return terminal_fail("unknown command '%.*s'; /help lists them, // asks a question that "
                             "begins with /",
                             (int)(length + 1), text);
    char *argument = copy_argument(text + 1 + length);
    int status;
    if (!argument)
        status = terminal_fail("out of memory for the command");
    else if (*argument && !found->argument)
        status = terminal_fail("/%s takes nothing behind it", found->name);
    else if (!*argument && found->needs_argument)
        status =
            terminal_fail("/%s needs a file: /%s %s", found->name, found->name, found->argument);
    else
        status = found->run(c, argument);
    free(argument);
    return status;
}
