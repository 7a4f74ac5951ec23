/* prompt.c - reads and encodes prompts. */
#include "prompt.h"

#include "terminal.h"

#include <errno.h>
#include <string.h>

enum { PROMPT_MAX_BYTES = 64 * 1000 * 1000 };

static int read_stream(const char *name, FILE *stream, bytes *out) {
    int error = bytes_read(out, stream, PROMPT_MAX_BYTES);
    if (error == 0) return STATUS_DONE;
    if (error == EFBIG)
        return terminal_fail("%s: more than %d MB of text; give a shorter prompt", name,
                             PROMPT_MAX_BYTES / 1000000);
    return terminal_fail("%s: cannot be read: %s", name, strerror(error));
}

int prompt_read(const char *argument, bytes *out) {
    if (strcmp(argument, "-") == 0) return read_stream("standard input", stdin, out);
    if (argument[0] != '@') {
        if (bytes_append(out, argument, strlen(argument))) return STATUS_DONE;
        return terminal_fail("out of memory for the prompt");
    }
    const char *path = argument + 1;
    FILE *file = fopen(path, "rb");
    if (!file) return terminal_fail("%s: cannot be opened: %s", path, strerror(errno));
    int status = read_stream(path, file, out);
    fclose(file);
    return status;
}

/* Reads one number at *at and moves behind it; -1 when there is none or it is no id. */
static int32_t read_id(const char *text, size_t length, size_t *at) {
    int64_t id = 0;
    size_t start = *at;
    while (*at < length && text[*at] >= '0' && text[*at] <= '9') {
        id = id * 10 + (text[*at] - '0');
        if (id > INT32_MAX) return -1;
        ++*at;
    }
    return *at > start ? (int32_t)id : -1;
}

int prompt_parse_ids(const char *text, size_t length, fm_tokens *out) {
    const char separators[] = ", \t\r\n";
    size_t at = 0;
    for (;;) {
        while (at < length && text[at] && strchr(separators, text[at])) at++;
        if (at == length) return STATUS_DONE;
        int32_t id = read_id(text, length, &at);
        bool ends = at == length || (text[at] && strchr(separators, text[at]));
        if (id < 0 || !ends)
            return terminal_refuse("token ids are whole numbers from 0, as in 1,2,3; number %zu "
                                   "of the list is none",
                                   out->count + 1);
        if (fm_tokens_append(out, id) != FM_OK) return terminal_fail("out of memory for the ids");
    }
}

int prompt_encode(const options *o, const fm_tokenizer *t, fm_tokens *out) {
    int status;
    if (o->ids) {
        status = prompt_parse_ids(o->ids, strlen(o->ids), out);
    } else {
        fm_error err;
        bytes text = {0};
        status = prompt_read(o->prompt, &text);
        if (status == STATUS_DONE &&
            fm_tokenizer_encode(t, text.data, text.length, FM_ENCODE_PROMPT, out, &err) != FM_OK)
            status = terminal_fail("%s", err.text);
        bytes_free(&text);
    }
    if (status == STATUS_DONE && out->count == 0)
        return terminal_fail("the prompt is empty: this model needs at least one token");
    return status;
}
