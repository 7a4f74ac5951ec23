/*
 * split_rules.c recognises the split rule of a tokenizer.json. The `pre_tokenizer` is written down
 * as one line of text in which settings without effect on the pieces do not occur, and that line is
 * compared with the lines of the known rules: what differs in any other way is another rule, and a
 * wrong rule would spoil every answer without a sign.
 */
#include <string.h>

#include "split.h"

typedef struct known_rule {
    const char *name;
    const char *line;
} known_rule;

static const known_rule known_rules[SPLIT_RULE_COUNT] = {
    [SPLIT_RULE_DEEPSEEK_V3] =
        {
            "deepseek-v3",
            "Split(\\p{N}{1,3}) Split([\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+) "
            "Split([!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
            "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+"
            "|\\s+(?!\\S)|\\s+) ByteLevel",
        },
    [SPLIT_RULE_SMOLLM] = {"smollm", "Digits(one by one) ByteLevel(gpt-2 rule)"},
};

const char *split_rule_name(split_rule rule) {
    return known_rules[rule].name;
}

/* ---- The line -------------------------------------------------------------------------------- */

/* What does not fit is cut off; no known line comes near the size. */
typedef struct line {
    char text[2048];
    size_t length;
} line;

static void line_add(line *l, const char *text) {
    /* A newline in a pattern stands for itself: it is written like its escape, which means the
     * same. */
    for (const char *c = text; *c && l->length + 2 < sizeof(l->text); c++) {
        if (*c == '\r' || *c == '\n') {
            l->text[l->length++] = '\\';
            l->text[l->length++] = *c == '\r' ? 'r' : 'n';
        } else {
            l->text[l->length++] = *c;
        }
    }
    l->text[l->length] = '\0';
}

static const char *text_of(const json *node, const char *fallback) {
    const char *text = json_string(node);
    return text ? text : fallback;
}

static void describe_split(line *l, const json *node) {
    const json *pattern = json_find(node, "pattern");
    const char *regex = json_string(json_find(pattern, "Regex"));
    const char *behavior = text_of(json_find(node, "behavior"), "?");
    line_add(l, "Split(");
    if (!regex) line_add(l, "the string ");
    line_add(l, regex ? regex : text_of(json_find(pattern, "String"), "?"));
    if (strcmp(behavior, "Isolated") != 0) {
        line_add(l, ", ");
        line_add(l, behavior);
    }
    if (json_bool(json_find(node, "invert"), false)) line_add(l, ", inverted");
    line_add(l, ")");
}

/* The reference's defaults stand beside the names: a missing key means them. */
static void describe_byte_level(line *l, const json *node) {
    const bool regex = json_bool(json_find(node, "use_regex"), true);
    const bool prefix = json_bool(json_find(node, "add_prefix_space"), true);
    line_add(l, "ByteLevel");
    if (regex) line_add(l, "(gpt-2 rule)");
    if (prefix) line_add(l, "(adds a space in front)");
}

static void describe_digits(line *l, const json *node) {
    const bool single = json_bool(json_find(node, "individual_digits"), false);
    line_add(l, single ? "Digits(one by one)" : "Digits(in runs)");
}

/* Sequences are flattened: one inside another means the same. `depth` bounds the recursion. */
static void describe(line *l, const json *node, int depth) {
    const char *type = text_of(json_find(node, "type"), "none");
    if (strcmp(type, "Sequence") == 0 && depth > 0) {
        json_for_each(child, json_find(node, "pretokenizers")) describe(l, child, depth - 1);
        return;
    }
    if (l->length > 0) line_add(l, " ");
    if (strcmp(type, "Split") == 0) {
        describe_split(l, node);
    } else if (strcmp(type, "ByteLevel") == 0) {
        describe_byte_level(l, node);
    } else if (strcmp(type, "Digits") == 0) {
        describe_digits(l, node);
    } else {
        line_add(l, type);
    }
}

fm_status split_recognise(const json *node, split_rule *out, fm_error *err) {
    line l = {.length = 0};
    describe(&l, node, 4);
    for (int rule = 0; rule < SPLIT_RULE_COUNT; rule++) {
        if (strcmp(l.text, known_rules[rule].line) == 0) {
            *out = (split_rule)rule;
            return FM_OK;
        }
    }
    return error_set(err, FM_ERR_UNSUPPORTED,
                     "tokenizer.json: this rule for splitting text is not known: %.400s", l.text);
}
