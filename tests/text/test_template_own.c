/* test_template_own.c - whole templates, written with every construct that published ones use, for
 * a table of conversations, against what the reference makes of them:
 * tests/data/template/README.md. */
#include "text/template_fixture.h"

enum { MAX_TEMPLATES = 16, MAX_CONVERSATIONS = 256 };

typedef struct conversation {
    char *name, *input;
} conversation;

typedef struct named_template {
    char name[64];
    fm_template *template;
} named_template;

typedef struct fixture {
    named_template templates[MAX_TEMPLATES];
    conversation conversations[MAX_CONVERSATIONS];
    int n_templates, n_conversations, n_refused, n_wrong;
} fixture;

static void keep_conversation(const template_line *line, void *context) {
    fixture *f = context;
    assert_true(f->n_conversations < MAX_CONVERSATIONS);
    assert_non_null(line->input);
    conversation *c = &f->conversations[f->n_conversations++];
    c->name = strdup(template_text(line, "name"));
    c->input = strndup(line->input, line->input_length);
    assert_true(c->name && c->input);
}

static const conversation *find_conversation(const fixture *f, const char *name) {
    for (int i = 0; i < f->n_conversations; i++)
        if (strcmp(f->conversations[i].name, name) == 0) return &f->conversations[i];
    fail_msg("no conversation \"%s\"", name);
    return NULL;
}

/** Parsed once, rendered many times, as models do. */
static const fm_template *open_template(fixture *f, const char *name) {
    for (int i = 0; i < f->n_templates; i++)
        if (strcmp(f->templates[i].name, name) == 0) return f->templates[i].template;
    assert_true(f->n_templates < MAX_TEMPLATES);
    named_template *t = &f->templates[f->n_templates++];
    snprintf(t->name, sizeof t->name, "%s", name);
    size_t size;
    fm_error err = {0};
    char *text = template_read(name, &size);
    if (fm_template_parse(text, size, &t->template, &err) != FM_OK)
        fail_msg("%s: %s", name, err.text);
    free(text);
    return t->template;
}

static void check_rendering(const template_line *line, void *context) {
    fixture *f = context;
    const conversation *c = find_conversation(f, template_text(line, "conversation"));
    const fm_template *template = open_template(f, template_text(line, "template"));
    fm_error err = {0};
    char *text = template_render(template, c->input, strlen(c->input), template_names,
                                 N_TEMPLATE_NAMES, &err);
    f->n_refused += !json_find(line->root, "output");
    f->n_wrong += !template_holds("expected.jsonl", line, text, &err);
    free(text);
}

static void template_conversations_render_as_in_the_reference(void **state) {
    (void)state;
    fixture f = {0};
    template_for_each_line("conversations.jsonl", keep_conversation, &f);
    int n_renderings = template_for_each_line("expected.jsonl", check_rendering, &f);
    assert_int_equal(f.n_wrong, 0);
    /* The table is whole. */
    assert_true(f.n_templates >= 6 && f.n_conversations >= 40);
    assert_int_equal(n_renderings, f.n_templates * f.n_conversations);
    assert_true(f.n_refused > 0 && f.n_refused < n_renderings / 4);
    for (int i = 0; i < f.n_conversations; i++) {
        free(f.conversations[i].name);
        free(f.conversations[i].input);
    }
    for (int i = 0; i < f.n_templates; i++) fm_template_free(f.templates[i].template);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_conversations_render_as_in_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
