/* display.c - tells the parts of an answer apart by colour. */
#include "display.h"

#include "terminal.h"

#include <string.h>

static void show(display *d, bool is_dim, const char *text, size_t length) {
    static const char dim[] = "\033[2m", normal[] = "\033[0m";
    bool ok = true;
    if (is_dim != d->is_dim) ok = terminal_write(is_dim ? dim : normal, strlen(dim));
    if (length > 0) ok = terminal_write(text, length) && ok;
    d->is_dim = is_dim;
    d->has_failed = d->has_failed || !ok;
}

/* Not every model writes a line's end between its reasoning and what follows. */
static void show_answer(display *d, const fm_part *part) {
    if (part->length > 0 && d->has_reasoned && part->text[0] != '\n') show(d, false, "\n\n", 2);
    if (part->length > 0) d->has_reasoned = false;
    show(d, false, part->text, part->length);
}

static void show_call(display *d, const fm_part *part) {
    show(d, true, "\n", 1);
    show(d, true, part->name, part->name_length);
    show(d, true, " ", 1);
    show(d, true, part->text, part->length);
    show(d, false, "\n", 1);
    d->has_reasoned = false;
}

static void on_part(void *user, const fm_part *part) {
    display *d = user;
    switch (part->kind) {
    case FM_PART_ANSWER:
        show_answer(d, part);
        break;
    case FM_PART_REASONING:
        show(d, true, part->text, part->length);
        break;
    case FM_PART_REASONING_END:
        show(d, false, "", 0);
        d->has_reasoned = true;
        break;
    case FM_PART_CALL:
        show_call(d, part);
        break;
    case FM_PART_CALLS_END:
        break;
    }
}

bool display_open(display *d, const fm_tokenizer *t, const fm_tokens *prompt) {
    if (!t || !terminal_has_colours(stdout)) return true;
    fm_parts_format format = fm_parts_format_get(t, prompt->ids, prompt->count);
    return fm_parts_new(format, on_part, d, &d->parts, NULL) == FM_OK;
}

bool display_write(display *d, const char *text, size_t length) {
    if (!d->parts) return length == 0 || terminal_write(text, length);
    return fm_parts_push(d->parts, text, length) == FM_OK && !d->has_failed;
}

bool display_end(display *d) {
    if (!d->parts) return true;
    bool ok = fm_parts_end(d->parts) == FM_OK;
    show(d, false, "", 0);
    return ok && !d->has_failed;
}

void display_close(display *d) {
    show(d, false, "", 0);
    fm_parts_free(d->parts);
    *d = (display){0};
}
