/* tpl_parse.c - statements, and what both halves of the parser stand on. */
#include "tpl_parse.h"

#include <stdarg.h>
#include <string.h>

#include "../base/line.h"
#include "tpl_run.h"

static fm_status parse_body(tpl_parser *p, const char *const *ends, tpl_node **out);

/* ---- Tokens ---------------------------------------------------------------------------------- */

fm_status tpl_parse_fail(const tpl_parser *p, const char *format, ...) {
    char what[sizeof p->err->text];
    va_list args;
    va_start(args, format);
    line_format(what, sizeof what, format, args);
    va_end(args);
    return tpl_lex_fail(&p->lexer, p->token.at, "%s", what);
}

fm_status tpl_parse_unexpected(const tpl_parser *p, const char *wanted) {
    int length = p->token.length < 40 ? (int)p->token.length : 40;
    if (p->token.kind == TPL_TOKEN_END)
        return tpl_parse_fail(p, "the template ends where %s is needed", wanted);
    return tpl_parse_fail(p, "'%.*s' stands where %s is needed", length, p->token.text, wanted);
}

fm_status tpl_next(tpl_parser *p) {
    if (p->has_ahead) {
        p->token = p->ahead;
        p->has_ahead = false;
        return FM_OK;
    }
    return tpl_lex(&p->lexer, &p->token);
}

fm_status tpl_look(tpl_parser *p) {
    if (p->has_ahead) return FM_OK;
    FM_TRY(tpl_lex(&p->lexer, &p->ahead));
    p->has_ahead = true;
    return FM_OK;
}

static bool is_token(const tpl_parser *p, tpl_token_kind kind, const char *text) {
    return p->token.kind == kind && p->token.length == strlen(text) &&
           memcmp(p->token.text, text, p->token.length) == 0;
}

bool tpl_is_name(const tpl_parser *p, const char *name) {
    return is_token(p, TPL_TOKEN_NAME, name);
}

bool tpl_is_operator(const tpl_parser *p, const char *text) {
    return is_token(p, TPL_TOKEN_OPERATOR, text);
}

fm_status tpl_skip_name(tpl_parser *p, const char *name, bool *found) {
    *found = tpl_is_name(p, name);
    return *found ? tpl_next(p) : FM_OK;
}

fm_status tpl_skip_operator(tpl_parser *p, const char *text, bool *found) {
    *found = tpl_is_operator(p, text);
    return *found ? tpl_next(p) : FM_OK;
}

fm_status tpl_expect_operator(tpl_parser *p, const char *text) {
    char wanted[8] = {'\'', text[0], '\'', '\0'};
    return tpl_is_operator(p, text) ? tpl_next(p) : tpl_parse_unexpected(p, wanted);
}

static fm_status expect_word(tpl_parser *p, const char *word) {
    return tpl_is_name(p, word) ? tpl_next(p) : tpl_parse_unexpected(p, word);
}

static fm_status expect_tag_end(tpl_parser *p) {
    if (p->token.kind != TPL_TOKEN_TAG_END) return tpl_parse_unexpected(p, "the end of the tag");
    return tpl_next(p);
}

/* ---- Nodes and names ------------------------------------------------------------------------- */

void *tpl_parse_new(tpl_parser *p, size_t count, size_t size) {
    void *memory = tpl_alloc(p->memory, count, size);
    if (memory) return memory;
    if (tpl_memory_is_full(p->memory, count * size))
        error_set(p->err, FM_ERR_LIMIT,
                  "the template passes the limit of 64 MiB when it is parsed");
    else
        error_set(p->err, FM_ERR_MEMORY, "out of memory for a template");
    return NULL;
}

fm_status tpl_node_new(tpl_parser *p, tpl_node_kind kind, tpl_node **out) {
    *out = tpl_parse_new(p, 1, sizeof **out);
    if (!*out) return p->err->status;
    (*out)->kind = (uint8_t)kind;
    (*out)->at = (uint32_t)p->token.at;
    return FM_OK;
}

fm_status tpl_enter(tpl_parser *p) {
    if (p->depth++ < TPL_MAX_NESTING) return FM_OK;
    tpl_parse_fail(p, "the limit of nesting, %d levels, is passed", TPL_MAX_NESTING);
    if (p->err) p->err->status = FM_ERR_LIMIT;
    return FM_ERR_LIMIT;
}

/** The one pointer for a name. */
static fm_status find_name(tpl_parser *p, const char *text, size_t length, const char **out) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    tpl_name_cell **cell = &p->names[hash % TPL_NAME_BUCKETS];
    for (; *cell; cell = &(*cell)->next) {
        if ((*cell)->length != length || memcmp((*cell)->text, text, length) != 0) continue;
        *out = (*cell)->text;
        return FM_OK;
    }
    *cell = tpl_parse_new(p, 1, sizeof **cell + length + 1);
    if (!*cell) return p->err->status;
    (*cell)->length = length;
    memcpy((*cell)->text, text, length);
    *out = (*cell)->text;
    return FM_OK;
}

fm_status tpl_expect_name(tpl_parser *p, const char **out) {
    if (p->token.kind != TPL_TOKEN_NAME) return tpl_parse_unexpected(p, "a name");
    FM_TRY(find_name(p, p->token.text, p->token.length, out));
    return tpl_next(p);
}

/* ---- Targets --------------------------------------------------------------------------------- */

static fm_status parse_targets(tpl_parser *p, bool fields, tpl_node **out);

static fm_status check_target_name(const tpl_parser *p, const char *name) {
    static const char *const constants[] = {"true", "True", "false", "False", "none", "None"};
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        if (strcmp(name, constants[i]) == 0)
            return tpl_parse_fail(p, "nothing can be assigned to %s", name);
    return FM_OK;
}

static fm_status parse_target(tpl_parser *p, bool fields, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_skip_operator(p, "(", &found));
    if (found) {
        FM_TRY(tpl_enter(p));
        FM_TRY(parse_targets(p, false, out));
        p->depth--;
        return tpl_expect_operator(p, ")");
    }
    FM_TRY(tpl_node_new(p, TPL_NODE_NAME, out));
    FM_TRY(tpl_expect_name(p, &(*out)->name));
    FM_TRY(check_target_name(p, (*out)->name));
    if (!fields) return FM_OK;
    FM_TRY(tpl_skip_operator(p, ".", &found));
    if (!found) return FM_OK;
    (*out)->kind = TPL_NODE_FIELD;
    return tpl_expect_name(p, &(*out)->attribute);
}

/** A target, or a tuple of them where a comma follows. */
static fm_status parse_targets(tpl_parser *p, bool fields, tpl_node **out) {
    tpl_node *first, *item;
    bool found = false;
    FM_TRY(parse_target(p, fields, &first));
    *out = first;
    if (!tpl_is_operator(p, ",")) return FM_OK;
    FM_TRY(tpl_node_new(p, TPL_NODE_TUPLE, out));
    (*out)->a = first;
    for (tpl_node **last = &first->next;;) {
        FM_TRY(tpl_skip_operator(p, ",", &found));
        if (!found || tpl_is_operator(p, "=") || tpl_is_operator(p, ")")) return FM_OK;
        FM_TRY(parse_target(p, fields, &item));
        tpl_append(&last, item);
    }
}

/** In a loop, its own variable cannot be assigned to. */
static fm_status check_loop_target(const tpl_parser *p, const tpl_node *target) {
    if (target->kind == TPL_NODE_NAME && strcmp(target->name, "loop") == 0)
        return tpl_parse_fail(p, "nothing can be assigned to loop in a loop");
    for (const tpl_node *part = target->kind == TPL_NODE_TUPLE ? target->a : NULL; part;
         part = part->next)
        FM_TRY(check_loop_target(p, part));
    return FM_OK;
}

/* ---- Statements ------------------------------------------------------------------------------ */

static const char *const end_set[] = {"endset", NULL};
static const char *const end_for[] = {"endfor", NULL};
static const char *const end_for_else[] = {"endfor", "else", NULL};
static const char *const end_if[] = {"endif", NULL};
static const char *const end_branch[] = {"endif", "elif", "else", NULL};
static const char *const end_macro[] = {"endmacro", NULL};
static const char *const end_call[] = {"endcall", NULL};
static const char *const end_filter[] = {"endfilter", NULL};
static const char *const end_with[] = {"endwith", NULL};
static const char *const end_generation[] = {"endgeneration", NULL};

/** A body that is a scope of its own, to its end word, which is taken. An unknown filter in it is
 * an error at once. */
static fm_status parse_scope(tpl_parser *p, const char *const *ends, tpl_node **out) {
    bool was_conditional = p->is_conditional;
    p->is_conditional = false;
    FM_TRY(parse_body(p, ends, out));
    p->is_conditional = was_conditional;
    return ends[1] ? FM_OK : tpl_next(p);
}

static fm_status parse_set(tpl_parser *p, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_SET, out));
    FM_TRY(tpl_next(p));
    FM_TRY(parse_targets(p, true, &(*out)->a));
    if (p->n_loops > 0) FM_TRY(check_loop_target(p, (*out)->a));
    FM_TRY(tpl_skip_operator(p, "=", &found));
    if (found) return tpl_parse_tuple(p, true, &(*out)->b);
    (*out)->kind = TPL_NODE_SET_BLOCK;
    FM_TRY(tpl_parse_filters(p, false, &(*out)->b));
    return parse_scope(p, end_set, &(*out)->body);
}

static fm_status parse_for(tpl_parser *p, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_FOR, out));
    FM_TRY(tpl_next(p));
    FM_TRY(parse_targets(p, false, &(*out)->a));
    FM_TRY(check_loop_target(p, (*out)->a));
    FM_TRY(expect_word(p, "in"));
    FM_TRY(tpl_parse_tuple(p, false, &(*out)->b));
    FM_TRY(tpl_skip_name(p, "if", &found));
    if (found) FM_TRY(tpl_parse_expression(p, true, &(*out)->c));
    FM_TRY(tpl_skip_name(p, "recursive", &(*out)->is_recursive));
    p->n_loops++;
    FM_TRY(parse_scope(p, end_for_else, &(*out)->body));
    p->n_loops--;
    FM_TRY(tpl_skip_name(p, "else", &found));
    if (!found) return tpl_next(p);
    return parse_scope(p, end_for, &(*out)->other);
}

static fm_status parse_branches(tpl_parser *p, tpl_node **out) {
    tpl_node **last = &(*out)->a, *branch;
    for (;;) {
        bool is_else = tpl_is_name(p, "else");
        FM_TRY(tpl_node_new(p, TPL_NODE_BRANCH, &branch));
        FM_TRY(tpl_next(p));
        if (!is_else) FM_TRY(tpl_parse_tuple(p, false, &branch->a));
        FM_TRY(parse_body(p, is_else ? end_if : end_branch, &branch->body));
        tpl_append(&last, branch);
        if (tpl_is_name(p, "endif")) return tpl_next(p);
    }
}

static fm_status parse_if(tpl_parser *p, tpl_node **out) {
    bool was_conditional = p->is_conditional;
    p->is_conditional = true;
    FM_TRY(tpl_node_new(p, TPL_NODE_IF, out));
    FM_TRY(parse_branches(p, out));
    p->is_conditional = was_conditional;
    return FM_OK;
}

/** "(name, name=default, …)" */
static fm_status parse_parameters(tpl_parser *p, tpl_node **out) {
    tpl_node **last = out, *parameter;
    bool found = false, has_default = false;
    int n_parameters = 0;
    FM_TRY(tpl_expect_operator(p, "("));
    while (!tpl_is_operator(p, ")")) {
        FM_TRY(tpl_node_new(p, TPL_NODE_ARGUMENT, &parameter));
        FM_TRY(tpl_expect_name(p, &parameter->name));
        FM_TRY(check_target_name(p, parameter->name));
        for (const tpl_node *n = *out; n; n = n->next)
            if (n->name == parameter->name)
                return tpl_parse_fail(p, "the parameter '%.80s' stands twice", n->name);
        if (++n_parameters > 256) return tpl_parse_fail(p, "a macro has more than 256 parameters");
        FM_TRY(tpl_skip_operator(p, "=", &found));
        if (found) FM_TRY(tpl_parse_expression(p, true, &parameter->a));
        if (has_default && !found)
            return tpl_parse_fail(p, "a parameter without a default follows one that has one");
        has_default = found;
        tpl_append(&last, parameter);
        FM_TRY(tpl_skip_operator(p, ",", &found));
        if (!found) break;
    }
    return tpl_expect_operator(p, ")");
}

/** The body of a macro or caller: what it uses becomes known, and loops around it are out of
 * reach. */
static fm_status parse_macro_body(tpl_parser *p, const char *const *ends, tpl_node *macro) {
    int n_loops = p->n_loops;
    uint8_t uses = p->uses;
    p->n_loops = p->uses = 0;
    FM_TRY(parse_scope(p, ends, &macro->body));
    macro->uses = p->uses;
    p->uses |= uses;
    p->n_loops = n_loops;
    return FM_OK;
}

static fm_status parse_macro(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_MACRO, out));
    FM_TRY(tpl_next(p));
    FM_TRY(tpl_expect_name(p, &(*out)->name));
    FM_TRY(parse_parameters(p, &(*out)->a));
    return parse_macro_body(p, end_macro, *out);
}

static fm_status parse_caller(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_CALLER, out));
    FM_TRY(tpl_next(p));
    if (tpl_is_operator(p, "(")) FM_TRY(parse_parameters(p, &(*out)->a));
    FM_TRY(tpl_parse_expression(p, true, &(*out)->b));
    const tpl_node *step = (*out)->b->kind == TPL_NODE_POSTFIX ? (*out)->b->b : NULL;
    while (step && step->next) step = step->next;
    if (!step || step->kind != TPL_NODE_CALL) return tpl_parse_unexpected(p, "a call of a macro");
    return parse_macro_body(p, end_call, *out);
}

static fm_status parse_generation(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_CALLER, out));
    FM_TRY(tpl_next(p));
    return parse_macro_body(p, end_generation, *out);
}

static fm_status parse_filtered(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_FILTERED, out));
    FM_TRY(tpl_next(p));
    FM_TRY(tpl_parse_filters(p, true, &(*out)->b));
    return parse_scope(p, end_filter, &(*out)->body);
}

static fm_status parse_with(tpl_parser *p, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_node_new(p, TPL_NODE_SCOPE, out));
    FM_TRY(tpl_next(p));
    tpl_node **last = &(*out)->a, *entry;
    while (p->token.kind != TPL_TOKEN_TAG_END) {
        FM_TRY(tpl_node_new(p, TPL_NODE_ARGUMENT, &entry));
        FM_TRY(parse_targets(p, false, &entry->b));
        FM_TRY(tpl_expect_operator(p, "="));
        FM_TRY(tpl_parse_expression(p, true, &entry->a));
        tpl_append(&last, entry);
        FM_TRY(tpl_skip_operator(p, ",", &found));
        if (!found) break;
    }
    return parse_scope(p, end_with, &(*out)->body);
}

static fm_status parse_leave(tpl_parser *p, tpl_node **out) {
    bool is_break = tpl_is_name(p, "break");
    if (p->n_loops == 0)
        return tpl_parse_fail(p, "'%s' stands outside a loop", is_break ? "break" : "continue");
    FM_TRY(tpl_node_new(p, is_break ? TPL_NODE_BREAK : TPL_NODE_CONTINUE, out));
    return tpl_next(p);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static fm_status parse_statement(tpl_parser *p, tpl_node **out) {
    static const struct {
        const char *word;
        fm_status (*parse)(tpl_parser *, tpl_node **);
    } rows[] = {
        {"set", parse_set},         {"for", parse_for},     {"if", parse_if},
        {"macro", parse_macro},     {"call", parse_caller}, {"generation", parse_generation},
        {"filter", parse_filtered}, {"with", parse_with},   {"break", parse_leave},
        {"continue", parse_leave},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (tpl_is_name(p, rows[i].word)) return rows[i].parse(p, out);
    return tpl_parse_unexpected(p, "a statement that chat templates have");
}

static fm_status parse_text(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_node_new(p, TPL_NODE_TEXT, out));
    tpl_text *text = tpl_parse_new(p, 1, sizeof *text);
    if (!text) return p->err->status;
    *text = (tpl_text){.bytes = p->token.text, .length = p->token.length, .is_template = true};
    (*out)->value = tpl_string(text);
    return tpl_next(p);
}

static fm_status parse_print(tpl_parser *p, tpl_node **out) {
    FM_TRY(tpl_next(p));
    FM_TRY(tpl_node_new(p, TPL_NODE_PRINT, out));
    FM_TRY(tpl_parse_tuple(p, true, &(*out)->a));
    if (p->token.kind != TPL_TOKEN_PRINT_END) return tpl_parse_unexpected(p, "'}}'");
    return tpl_next(p);
}

static bool is_any(const tpl_parser *p, const char *const *words) {
    for (; words && *words; words++)
        if (tpl_is_name(p, *words)) return true;
    return false;
}

/** Nodes up to one of the words of `ends` in a tag, which becomes the current token; to the end of
 * the template where `ends` is NULL. */
static fm_status parse_nodes(tpl_parser *p, const char *const *ends, tpl_node **out) {
    tpl_node **last = out, *node;
    *out = NULL;
    for (;; tpl_append(&last, node)) {
        if (p->token.kind == TPL_TOKEN_DATA) {
            FM_TRY(parse_text(p, &node));
        } else if (p->token.kind == TPL_TOKEN_PRINT_BEGIN) {
            FM_TRY(parse_print(p, &node));
        } else if (p->token.kind == TPL_TOKEN_TAG_BEGIN) {
            FM_TRY(tpl_next(p));
            if (is_any(p, ends)) return FM_OK;
            FM_TRY(parse_statement(p, &node));
            FM_TRY(expect_tag_end(p));
        } else {
            return ends ? tpl_parse_unexpected(p, ends[0]) : FM_OK;
        }
    }
}

static fm_status parse_body(tpl_parser *p, const char *const *ends, tpl_node **out) {
    bool found = false;
    FM_TRY(tpl_enter(p));
    FM_TRY(tpl_skip_operator(p, ":", &found));
    FM_TRY(expect_tag_end(p));
    FM_TRY(parse_nodes(p, ends, out));
    p->depth--;
    return FM_OK;
}

fm_status tpl_parse(fm_template *t, tpl_memory *memory, fm_error *err) {
    tpl_name_cell *names[TPL_NAME_BUCKETS] = {0};
    fm_error unused;
    tpl_parser p = {.memory = memory, .names = names, .err = err ? err : &unused};
    p.lexer = (tpl_lexer){.source = t->source,
                          .length = t->length,
                          .inside = TPL_TOKEN_DATA,
                          .starts_line = true,
                          .memory = memory,
                          .err = p.err};
    FM_TRY(find_name(&p, "loop", 4, &t->word_loop));
    FM_TRY(find_name(&p, "caller", 6, &t->word_caller));
    FM_TRY(find_name(&p, "varargs", 7, &t->word_varargs));
    FM_TRY(find_name(&p, "kwargs", 6, &t->word_kwargs));
    FM_TRY(tpl_next(&p));
    return parse_nodes(&p, NULL, &t->body);
}
