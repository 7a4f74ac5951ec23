/* test_template_conformance.c - small templates against what the reference makes of them:
 * tests/data/template/README.md. */
#include "text/template_fixture.h"

#define TABLE "conformance.jsonl"

typedef struct counts {
    int n_refused, n_beyond, n_wrong;
} counts;

static char *render_text(const char *text, const template_line *line, fm_error *err) {
    fm_template *template = NULL;
    if (fm_template_parse(text, strlen(text), &template, err) != FM_OK) {
        assert_null(template);
        return NULL;
    }
    char *out = template_render(template, line->input, line->input_length, NULL, 0, err);
    fm_template_free(template);
    return out;
}

/** A case of the table. What the reference knows and Fathom's language leaves out is refused. */
static void check_case(const template_line *line, void *context) {
    counts *n = context;
    fm_error err = {0};
    char *text = render_text(template_text(line, "template"), line, &err);
    if (json_bool(json_find(line->root, "beyond"), false)) {
        n->n_beyond++;
        if (text)
            print_error("%s:%d: is beyond the language, but gave %s\n", TABLE, line->number, text);
        n->n_wrong += text != NULL;
    } else {
        n->n_refused += !json_find(line->root, "output");
        n->n_wrong += !template_holds(TABLE, line, text, &err);
    }
    free(text);
}

static void template_small_ones_render_as_in_the_reference(void **state) {
    (void)state;
    counts n = {0};
    int n_lines = template_for_each_line(TABLE, check_case, &n);
    assert_int_equal(n.n_wrong, 0);
    /* The table is whole. */
    assert_true(n_lines >= 1300 && n.n_refused >= 300 && n.n_beyond <= 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_small_ones_render_as_in_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
