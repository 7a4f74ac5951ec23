/*
 * split_rules.c - recognises the split rule of a tokenizer.json. The `pre_tokenizer` is written
 * down as one line of text in which settings without effect on the pieces do not occur, and that
 * line is compared with the lines of the known rules: what differs in any other way is another
 * rule, and a wrong rule would spoil every answer without a sign.
 */
#include <string.h>

#include "letters.h"
#include "split.h"

/* U+0001 stands for the letters of deepseek-llm, which letters.c lists. */
#define LETTERS "\1"
#define CJK     "Split([\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+)"
#define LLM                                                                                        \
    "Split([\\r\\n]) Split(\\s?[" LETTERS "]+) "                                                   \
    "Split(\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+) Split(\\s+$) " CJK
#define CODER "Split([\\r\\n]) Split(\\s?\\p{L}+) Split(\\s?\\p{P}+) " CJK
#define LLAMA3(numbers)                                                                            \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                          \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Where a pattern matches at every position, to remove what it does not match is to isolate what it
 * does: both spellings are published. */
static const struct {
    split_rule rule;
    const char *text;
} known_rules[] = {
    {SPLIT_RULE_DEEPSEEK_LLM, LLM " Digits(one by one) ByteLevel"},
    {SPLIT_RULE_DEEPSEEK_LLM_RUNS, LLM " Split(\\p{N}+) ByteLevel"},
    {SPLIT_RULE_DEEPSEEK_CODER, CODER " Digits(one by one) ByteLevel"},
    {SPLIT_RULE_DEEPSEEK_CODER_GGUF, CODER " Split(\\p{N}) ByteLevel"},
    {SPLIT_RULE_DEEPSEEK_V3,
     "Split(\\p{N}{1,3}) Split([\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+) "
     "Split([!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
     "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+"
     "|\\s+(?!\\S)|\\s+) ByteLevel"},
    {SPLIT_RULE_LLAMA3, "Split(" LLAMA3("\\p{N}{1,3}") ") ByteLevel"},
    {SPLIT_RULE_LLAMA3, "Split(" LLAMA3("\\p{N}{1,3}") ", Removed, inverted) ByteLevel"},
    {SPLIT_RULE_QWEN2, "Split(" LLAMA3("\\p{N}") ") ByteLevel"},
    {SPLIT_RULE_QWEN2, "Split(" LLAMA3("\\p{N}") ", Removed, inverted) ByteLevel"},
    {SPLIT_RULE_GPT2, "ByteLevel(gpt-2 rule)"},
    {SPLIT_RULE_SMOLLM, "Digits(one by one) ByteLevel(gpt-2 rule)"},
};

/* ---- The description ------------------------------------------------------------------------- */

/** What does not fit is cut off; no known line comes near the size. */
typedef struct description {
    char text[2048];
    size_t length;
} description;

static void add_text(description *d, const char *text) {
    /* A newline in a pattern stands for itself: it is written like its escape, which means the
     * same. */
    for (const char *c = text; *c && d->length + 2 < sizeof d->text; c++) {
        if (*c == '\r' || *c == '\n') {
            d->text[d->length++] = '\\';
            d->text[d->length++] = *c == '\r' ? 'r' : 'n';
        } else {
            d->text[d->length++] = *c;
        }
    }
    d->text[d->length] = '\0';
}

static const char *text_of(const json *node, const char *fallback) {
    const char *text = json_string(node);
    return text ? text : fallback;
}

static void describe_split(description *d, const json *node) {
    const json *pattern = json_find(node, "pattern");
    const char *regex = json_string(json_find(pattern, "Regex"));
    const char *behavior = text_of(json_find(node, "behavior"), "?");
    add_text(d, "Split(");
    if (!regex) add_text(d, "the string ");
    add_text(d, regex ? regex : text_of(json_find(pattern, "String"), "?"));
    if (strcmp(behavior, "Isolated") != 0) {
        add_text(d, ", ");
        add_text(d, behavior);
    }
    if (json_bool(json_find(node, "invert"), false)) add_text(d, ", inverted");
    add_text(d, ")");
}

/** The reference's defaults stand beside the names: a missing key means them. */
static void describe_byte_level(description *d, const json *node) {
    bool regex = json_bool(json_find(node, "use_regex"), true);
    bool prefix = json_bool(json_find(node, "add_prefix_space"), true);
    add_text(d, "ByteLevel");
    if (regex) add_text(d, "(gpt-2 rule)");
    if (prefix) add_text(d, "(adds a space in front)");
}

static void describe_digits(description *d, const json *node) {
    bool single = json_bool(json_find(node, "individual_digits"), false);
    add_text(d, single ? "Digits(one by one)" : "Digits(in runs)");
}

/** Sequences are flattened: one inside another means the same. `depth` bounds the recursion. */
static void describe(description *d, const json *node, int depth) {
    const char *type = text_of(json_find(node, "type"), "none");
    if (strcmp(type, "Sequence") == 0 && depth > 0) {
        json_for_each(child, json_find(node, "pretokenizers")) describe(d, child, depth - 1);
        return;
    }
    if (d->length > 0) add_text(d, " ");
    if (strcmp(type, "Split") == 0)
        describe_split(d, node);
    else if (strcmp(type, "ByteLevel") == 0)
        describe_byte_level(d, node);
    else if (strcmp(type, "Digits") == 0)
        describe_digits(d, node);
    else
        add_text(d, type);
}

/** True when a description is that of a known rule. */
static bool is_rule(const char *text, const char *known) {
    char letters[LETTERS_PATTERN_SIZE];
    const char *mark = strstr(known, LETTERS);
    if (!mark) return strcmp(text, known) == 0;
    size_t before = (size_t)(mark - known);
    letters_pattern(letters);
    size_t inside = strlen(letters);
    return strncmp(text, known, before) == 0 && strncmp(text + before, letters, inside) == 0 &&
           strcmp(text + before + inside, mark + strlen(LETTERS)) == 0;
}

fm_status split_recognise(const json *node, split_rule *out, fm_error *err) {
    description d = {.length = 0};
    describe(&d, node, 4);
    for (size_t i = 0; i < sizeof known_rules / sizeof known_rules[0]; i++) {
        if (is_rule(d.text, known_rules[i].text)) {
            *out = known_rules[i].rule;
            return FM_OK;
        }
    }
    return error_set(err, FM_ERR_UNSUPPORTED,
                     "tokenizer.json: this rule for splitting text is not known: %.400s", d.text);
}
