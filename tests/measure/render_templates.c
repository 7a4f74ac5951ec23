/*
 * render_templates.c - renders chat templates for a comparison with the reference
 * (tests/oracle/templates.py), many in one process.
 *
 *   render_templates NOW [NAME=TEXT ...]    NOW in seconds since 1970; special tokens by name
 *
 * A job on standard input is a line "TEMPLATE_BYTES INPUT_BYTES" and both texts. The answer is a
 * line "ok BYTES" or "refused BYTES" and the rendered text or the reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fathom.h"

enum { MAX_NAMES = 16 };

typedef struct job {
    char *template, *input;
    size_t template_length, input_length; /* bytes */
} job;

typedef struct setting {
    fm_template_name names[MAX_NAMES];
    size_t n_names;
    int64_t now;
} setting;

static char *read_bytes(size_t length) {
    char *bytes = malloc(length + 1);
    if (!bytes || fread(bytes, 1, length, stdin) != length) exit(1);
    bytes[length] = '\0';
    return bytes;
}

static bool read_job(job *out) {
    char line[64];
    if (!fgets(line, sizeof line, stdin)) return false;
    if (sscanf(line, "%zu %zu", &out->template_length, &out->input_length) != 2) exit(1);
    out->template = read_bytes(out->template_length);
    out->input = read_bytes(out->input_length);
    return true;
}

static void answer_with_text(const fm_rendering *rendering) {
    size_t n_spans, length = 0;
    const fm_span *spans = fm_rendering_spans(rendering, &n_spans);
    for (size_t i = 0; i < n_spans; i++) length += spans[i].length;
    printf("ok %zu\n", length);
    for (size_t i = 0; i < n_spans; i++) fwrite(spans[i].text, 1, spans[i].length, stdout);
}

static void answer(const job *j, const setting *s) {
    fm_template *template = NULL;
    fm_rendering *rendering = NULL;
    fm_error err = {0};
    fm_status status = fm_template_parse(j->template, j->template_length, &template, &err);
    if (status == FM_OK)
        status = fm_template_render(template, j->input, j->input_length, s->names, s->n_names,
                                    s->now, &rendering, &err);
    if (status == FM_OK) {
        answer_with_text(rendering);
    } else {
        printf("refused %zu\n%s", strlen(err.text), err.text);
    }
    fflush(stdout);
    fm_rendering_free(rendering);
    fm_template_free(template);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc - 2 > MAX_NAMES) {
        fprintf(stderr, "usage: render_templates NOW [NAME=TEXT ...]\n");
        return 2;
    }
    setting s = {.now = strtoll(argv[1], NULL, 10)};
    for (int i = 2; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals) return 2;
        *equals = '\0';
        s.names[s.n_names++] = (fm_template_name){argv[i], equals + 1};
    }
    for (job j; read_job(&j);) {
        answer(&j, &s);
        free(j.template);
        free(j.input);
    }
    return 0;
}
