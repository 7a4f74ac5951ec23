/* cmd_template.c - the prompt that a chat template makes of messages. Needs no weights. */
#include "command.h"
#include "json_out.h"
#include "prompt.h"
#include "session.h"
#include "template_source.h"
#include "terminal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static bool is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/** The words are [MODEL] [FILE|-]: one alone is MODEL when it is a directory. */
static void take_words(const options *o, const char **dir, const char **file) {
    bool is_model = o->words[1] || (o->words[0] && is_dir(o->words[0]));
    *dir = is_model ? o->words[0] : NULL;
    *file = is_model ? o->words[1] : o->words[0];
    if (!*file) *file = "-";
}

/** A file's bytes, or those of standard input. */
static int read_messages(const char *file, bytes *out) {
    bytes word = {0};
    int status = STATUS_DONE;
    if (strcmp(file, "-") == 0) return prompt_read("-", out);
    if (!bytes_append(&word, "@", 1) || !bytes_append(&word, file, strlen(file) + 1))
        status = terminal_fail("out of memory for the messages");
    if (status == STATUS_DONE) status = prompt_read(word.data, out);
    bytes_free(&word);
    return status;
}

/* ---- Output ---------------------------------------------------------------------------------- */

static int encode(const char *dir, const fm_span *spans, size_t n, fm_tokens *out) {
    fm_error err;
    fm_tokenizer *t = NULL;
    int status = STATUS_DONE;
    if (fm_tokenizer_open(dir, &t, &err) != FM_OK ||
        fm_tokenizer_encode_spans(t, spans, n, out, &err) != FM_OK)
        status = terminal_fail("%s", err.text);
    fm_tokenizer_close(t);
    return status;
}

static int print_ids(const char *dir, const fm_span *spans, size_t n) {
    fm_tokens ids = {0};
    int status = encode(dir, spans, n, &ids);
    for (size_t i = 0; status == STATUS_DONE && i < ids.count; i++)
        printf("%s%" PRId32, i > 0 ? " " : "", ids.ids[i]);
    if (status == STATUS_DONE) putchar('\n');
    fm_tokens_free(&ids);
    return status;
}

/** One line for each span: where it is from, and its text. */
static int print_spans(const fm_span *spans, size_t n) {
    int status = STATUS_DONE;
    for (size_t i = 0; status == STATUS_DONE && i < n; i++) {
        cJSON *object = cJSON_CreateObject();
        const char *from = spans[i].is_template ? "template" : "input";
        bool ok = object && cJSON_AddStringToObject(object, "from", from) &&
                  json_out_text(object, "text", spans[i].text, spans[i].length);
        status = json_out_print(object, ok);
    }
    return status;
}

static int print_json(const char *dir, const fm_span *spans, size_t n) {
    fm_tokens ids = {0};
    bytes text = {0};
    bool ok = true;
    int status = dir ? encode(dir, spans, n, &ids) : STATUS_DONE;
    for (size_t i = 0; i < n; i++) ok = ok && bytes_append(&text, spans[i].text, spans[i].length);
    if (status == STATUS_DONE) {
        cJSON *object = cJSON_CreateObject();
        ok = ok && object && json_out_text(object, "text", text.data ? text.data : "", text.length);
        if (dir) ok = ok && json_out_ids(object, "ids", ids.ids, ids.count);
        status = json_out_print(object, ok);
    }
    bytes_free(&text);
    fm_tokens_free(&ids);
    return status;
}

static int print(const options *o, const char *dir, const fm_rendering *rendering) {
    size_t n;
    const fm_span *spans = fm_rendering_spans(rendering, &n);
    if (o->show_ids) return print_ids(dir, spans, n);
    if (o->show_spans) return print_spans(spans, n);
    if (o->json) return print_json(dir, spans, n);
    for (size_t i = 0; i < n; i++) terminal_write(spans[i].text, spans[i].length);
    return STATUS_DONE;
}

int cmd_template(const options *o) {
    const char *dir, *file;
    template_source source = {0};
    bytes messages = {0}, input = {0};
    fm_rendering *rendering = NULL;
    take_words(o, &dir, &file);
    if (o->show_ids && !dir)
        return terminal_refuse("--ids needs a model directory with a tokenizer.json");
    int status = dir ? session_check_model(o) : STATUS_DONE;
    if (status == STATUS_DONE) status = template_open(&source, o, dir);
    if (status == STATUS_DONE) status = read_messages(file, &messages);
    if (status == STATUS_DONE) {
        const char *name = strcmp(file, "-") == 0 ? "standard input" : file;
        status = template_make_input(o, name, &messages, &input);
    }
    if (status == STATUS_DONE) status = template_render(&source, &input, &rendering);
    if (status == STATUS_DONE) status = print(o, dir, rendering);
    fm_rendering_free(rendering);
    bytes_free(&input);
    bytes_free(&messages);
    template_close(&source);
    return status;
}
