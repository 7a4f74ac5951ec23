/* options.c - the table of options, the parser and the help text made from it. */
#include "options.h"

#include "terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_LIST,   /* option_list, one item each time */
    OPTION_CHOICE, /* const char *, one of the words in `value` */
    OPTION_COUNT,  /* int32_t in [min, max] */
    OPTION_REAL,   /* float in [min, max] */
    OPTION_SEED,   /* uint64_t, and has_seed */
} option_kind;

typedef struct option_row {
    const char *name; /* "--name", or NULL */
    char letter;      /* "-l", or 0 */
    option_kind kind;
    size_t offset; /* of the field in options */
    double min;
    double max;
    unsigned commands;
    const char *value; /* how --help writes the value; the choices of OPTION_CHOICE */
    const char *help;
} option_row;

enum {
    ANSWERING = COMMAND_GENERATE | COMMAND_CHAT,
    RUNNING = ANSWERING | COMMAND_LOGITS,
    OPENING = RUNNING | COMMAND_PLAN,
    MAX_CONTEXT = 1 << 24, /* tokens */
    MAX_CACHE_TOKENS = 1 << 30,
    MAX_SEQUENCES = 256,
    DEFAULT_SEQUENCES = 16,
    DEFAULT_MAX_NEW = 128, /* tokens */
};

#define FIELD(name) offsetof(options, name)

static const option_row option_rows[] = {
    {NULL, 'p', OPTION_TEXT, FIELD(prompt), 0, 0, RUNNING, "TEXT|@FILE|-",
     "the prompt: text, a file's contents, or standard input"},
    {"ids", 0, OPTION_TEXT, FIELD(ids), 0, 0, COMMAND_GENERATE | COMMAND_LOGITS, "1,2,3",
     "token ids instead of -p; nothing is added to them"},
    {"batch", 0, OPTION_TEXT, FIELD(batch), 0, 0, COMMAND_GENERATE, "F.jsonl|-",
     "one request a line, run together; answers as JSON lines"},
    {"batch", 0, OPTION_COUNT, FIELD(sequences), 1, MAX_SEQUENCES, COMMAND_PLAN, "N",
     "sequences at a time (16)"},
    {"parallel", 0, OPTION_COUNT, FIELD(sequences), 1, MAX_SEQUENCES, COMMAND_GENERATE, "N",
     "sequences of a batch at a time (16)"},
    {NULL, 'n', OPTION_COUNT, FIELD(max_new), 0, MAX_CONTEXT, ANSWERING, "N",
     "new tokens at most (128, in a conversation 0; 0: until the context is full)"},
    {"system", 0, OPTION_TEXT, FIELD(system), 0, 0, COMMAND_CHAT, "TEXT",
     "a system message before the question"},
    {"template", 0, OPTION_CHOICE, FIELD(layout), 0, 0, COMMAND_CHAT,
     "deepseek-v3|deepseek-r1|deepseek-v3.1|deepseek-llm|deepseek-coder|chatml",
     "the chat layout (the one that fits the vocabulary)"},
    {"template", 0, OPTION_TEXT, FIELD(template), 0, 0, COMMAND_TEMPLATE, "NAME|FILE",
     "a built-in layout, one of the directory's templates, or a file (the directory's own)"},
    {"tools", 0, OPTION_TEXT, FIELD(tools), 0, 0, COMMAND_TEMPLATE, "FILE",
     "a JSON list of tools for the template"},
    {"template-arg", 0, OPTION_LIST, FIELD(template_args), 0, 0, COMMAND_TEMPLATE, "NAME=VALUE",
     "a variable of the template, JSON or else text; may be given 16 times"},
    {"ids", 0, OPTION_FLAG, FIELD(show_ids), 0, 0, COMMAND_TEMPLATE, NULL,
     "print token ids instead of the text"},
    {"spans", 0, OPTION_FLAG, FIELD(show_spans), 0, 0, COMMAND_TEMPLATE, NULL,
     "print JSON lines that tell the template's text from that of the messages"},
    {"out", 0, OPTION_TEXT, FIELD(out), 0, 0, COMMAND_LOGITS, "F.npy",
     "the file to write: float32 [tokens, vocabulary]"},
    {"decode", 0, OPTION_FLAG, FIELD(decode), 0, 0, COMMAND_TOKENIZE, NULL,
     "TEXT holds ids; print their bytes, nothing added"},
    {"plain", 0, OPTION_FLAG, FIELD(plain), 0, 0, COMMAND_TOKENIZE, NULL,
     "added tokens in the text stay text"},
    {"device", 0, OPTION_TEXT, FIELD(device), 0, 0, OPENING, "auto|cpu|vulkan:N|A*LAYERS+B",
     "where to run, fathom devices lists what there is; vulkan:0*20+cpu: 20 layers there, the rest "
     "on the CPU (auto: a GPU with room, else the CPU)"},
    {"deterministic", 0, OPTION_FLAG, FIELD(deterministic), 0, 0, OPENING, NULL,
     "results on a GPU do not depend on what runs beside, as they never do on a CPU"},
    {"dtype", 0, OPTION_CHOICE, FIELD(dtype), 0, 0, OPENING, "auto|f32|bf16|f16",
     "number format of the weights (auto: as in the files)"},
    {"cache-dtype", 0, OPTION_CHOICE, FIELD(cache_dtype), 0, 0, OPENING, "auto|f32|bf16",
     "number format of cached keys and values (auto: f32 with f32 weights, else bf16)"},
    {"ctx", 0, OPTION_COUNT, FIELD(ctx), 1, MAX_CONTEXT, OPENING, "N",
     "context in tokens (the model's, at most 4096)"},
    {"threads", 0, OPTION_COUNT, FIELD(threads), 1, 256, RUNNING, "N",
     "threads (the physical cores that may be used)"},
    {"isa", 0, OPTION_CHOICE, FIELD(isa), 0, 0, RUNNING, "scalar|avx2|avx512",
     "instruction set, for comparing; all give the same bits (the best there is)"},
    {"chunk", 0, OPTION_COUNT, FIELD(chunk), 1, 8192, OPENING, "N", "prompt tokens per step (256)"},
    {"cache-tokens", 0, OPTION_COUNT, FIELD(cache_tokens), 1, MAX_CACHE_TOKENS,
     COMMAND_GENERATE | COMMAND_PLAN, "N",
     "tokens that the caches of all sequences hold (a quarter of their contexts)"},
    {"temperature", 0, OPTION_REAL, FIELD(temperature), 0, 100, ANSWERING, "X",
     "0 takes the best token each time, the values below then have no effect (0)"},
    {"top-k", 0, OPTION_COUNT, FIELD(top_k), 0, INT32_MAX, ANSWERING, "N",
     "draw among the N best tokens (0: all)"},
    {"top-p", 0, OPTION_REAL, FIELD(top_p), 0, 1, ANSWERING, "X",
     "draw among the best tokens that have probability X together (0 or 1: all)"},
    {"min-p", 0, OPTION_REAL, FIELD(min_p), 0, 1, ANSWERING, "X",
     "drop tokens below X times the best one's probability (0: none)"},
    {"seed", 0, OPTION_SEED, 0, 0, 0, ANSWERING, "S",
     "the same seed draws the same tokens (a new one each time)"},
    {"repetition-penalty", 0, OPTION_REAL, FIELD(repetition_penalty), 0.01, 100, ANSWERING, "X",
     "make tokens of prompt and answer less likely: divide their logits (1: off)"},
    {"frequency-penalty", 0, OPTION_REAL, FIELD(frequency_penalty), -2, 2, ANSWERING, "X",
     "take X off a logit for each time its token stands in the answer (0: off)"},
    {"presence-penalty", 0, OPTION_REAL, FIELD(presence_penalty), -2, 2, ANSWERING, "X",
     "take X off the logits of tokens that stand in the answer (0: off)"},
    {"stop", 0, OPTION_LIST, FIELD(stop), 0, 0, ANSWERING, "TEXT",
     "end the answer before this text; may be given 16 times"},
    {"logprobs", 0, OPTION_COUNT, FIELD(logprobs), 0, FM_MAX_LOGPROBS, ANSWERING, "K",
     "with --json: log-probabilities of the tokens and of K alternatives"},
    {"parts", 0, OPTION_FLAG, FIELD(parts), 0, 0, ANSWERING, NULL,
     "with --json or --batch: reasoning, answer and tool calls apart as well"},
    {"json", 0, OPTION_FLAG, FIELD(json), 0, 0,
     ANSWERING | COMMAND_TOKENIZE | COMMAND_TEMPLATE | COMMAND_INSPECT | COMMAND_PLAN |
         COMMAND_DEVICES,
     NULL, "print one JSON object"},
    {"stats", 0, OPTION_FLAG, FIELD(stats), 0, 0, ANSWERING, NULL,
     "a line with speeds on standard error after the answer"},
    {"profile", 0, OPTION_FLAG, FIELD(profile), 0, 0, RUNNING, NULL,
     "a table of time and bytes of each operation on standard error at the end"},
    {"help", 'h', OPTION_FLAG, FIELD(help), 0, 0, ~0u, NULL, "this text"},
};

enum {
    N_OPTIONS = sizeof(option_rows) / sizeof(option_rows[0]),
};

/* ---- Values ---------------------------------------------------------------------------------- */

/* The option as the user writes it: "--name" or "-l". */
static void option_label(const option_row *row, char label[32]) {
    if (row->name)
        snprintf(label, 32, "--%s", row->name);
    else
        snprintf(label, 32, "-%c", row->letter);
}

static bool is_choice(const char *choices, const char *word) {
    size_t length = strlen(word);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strcspn(p, "|") == length && strncmp(p, word, length) == 0) return true;
    return false;
}

static bool parse_count(const option_row *row, const char *text, int32_t *out) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end) return false;
    if ((double)value < row->min || (double)value > row->max) return false;
    *out = (int32_t)value;
    return true;
}

static bool parse_real(const option_row *row, const char *text, float *out) {
    char *end;
    double value = strtod(text, &end);
    /* Written so that NaN, which compares false, is refused. */
    if (end == text || *end || !(value >= row->min && value <= row->max)) return false;
    *out = (float)value;
    return true;
}

bool options_parse_digits(const char *text, uint64_t *out) {
    char *end;
    /* strtoull takes a sign and wraps it around. */
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end) return false;
    *out = value;
    return true;
}

static int add_item(option_list *list, const char *label, const char *text) {
    if (list->count == FM_MAX_STOPS)
        return terminal_refuse("%s is given more than %d times", label, FM_MAX_STOPS);
    list->items[list->count++] = text;
    return STATUS_DONE;
}

/* Stores the value of one option; STATUS_USAGE after one line when it is none. */
static int store_value(options *o, const option_row *row, const char *label, const char *text) {
    void *field = (char *)o + row->offset;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        break;
    case OPTION_CHOICE:
        if (!is_choice(row->value, text))
            return terminal_refuse("%s takes %s, not '%s'", label, row->value, text);
        *(const char **)field = text;
        break;
    case OPTION_TEXT:
        *(const char **)field = text;
        break;
    case OPTION_LIST:
        return add_item(field, label, text);
    case OPTION_COUNT:
        if (!parse_count(row, text, field))
            return terminal_refuse("%s takes a whole number from %.0f to %.0f, not '%s'", label,
                                   row->min, row->max, text);
        break;
    case OPTION_REAL:
        if (!parse_real(row, text, field))
            return terminal_refuse("%s takes a number from %g to %g, not '%s'", label, row->min,
                                   row->max, text);
        break;
    case OPTION_SEED:
        if (!options_parse_digits(text, &o->seed))
            return terminal_refuse("%s takes a whole number from 0 to 2^64 - 1, not '%s'", label,
                                   text);
        o->has_seed = true;
        break;
    }
    return STATUS_DONE;
}

/* ---- Parsing --------------------------------------------------------------------------------- */

/* The words of a command line, and the one that is read next. */
typedef struct word_list {
    int count;
    char **words;
    int at;
} word_list;

/* The row of a long name, which must be whole: an abbreviation would change its meaning with the
 * next option that is added. A name may have a meaning of its own in a command. */
static const option_row *find_name(const char *name, size_t length, unsigned command_bit) {
    const option_row *found = NULL;
    for (int i = 0; i < N_OPTIONS; i++) {
        const option_row *row = &option_rows[i];
        if (!row->name || strlen(row->name) != length || strncmp(row->name, name, length) != 0)
            continue;
        if (!found || (row->commands & command_bit)) found = row;
    }
    return found;
}

static const option_row *find_letter(char letter) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (option_rows[i].letter == letter) return &option_rows[i];
    return NULL;
}

/* Reads "--name", "--name=VALUE", "-l" or "-lVALUE" at the list's place, with the next word where a
 * value is missing, and moves on. */
static int take_option(options *o, word_list *list) {
    const char *command_name = o->command->name;
    const char *word = list->words[list->at++];
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : 1;
    const option_row *row = is_long ? find_name(name, length, o->command->bit) : find_letter(*name);
    if (!row)
        return terminal_refuse("unknown option '%s'; see: fathom %s --help", word, command_name);

    char label[32];
    option_label(row, label);
    if (!(row->commands & o->command->bit))
        return terminal_refuse("%s takes no %s; see: fathom %s --help", command_name, label,
                               command_name);
    const char *rest = name + length;
    const char *value = *rest ? rest + (is_long ? 1 : 0) : NULL;
    if (row->kind == OPTION_FLAG && value)
        return terminal_refuse("%s takes no value; see: fathom %s --help", label, command_name);
    if (row->kind != OPTION_FLAG && !value) {
        if (list->at == list->count)
            return terminal_refuse("%s needs a value; see: fathom %s --help", label, command_name);
        value = list->words[list->at++];
    }
    return store_value(o, row, label, value);
}

static int take_word(options *o, int *n_words, const char *word) {
    if (*n_words == o->command->max_words)
        return terminal_refuse("one argument too many: '%s'; quote a text of several words", word);
    o->words[(*n_words)++] = word;
    return STATUS_DONE;
}

int options_parse(const command *c, int argc, char **argv, options *out) {
    word_list list = {argc, argv, 1};
    int n_words = 0, status = STATUS_DONE;
    bool only_words = false; /* behind "--" */
    *out = (options){.command = c, .max_new = -1, .top_p = 1, .logprobs = -1};
    while (status == STATUS_DONE && list.at < argc) {
        const char *word = argv[list.at];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            list.at++;
        } else if (!only_words && word[0] == '-' && word[1]) {
            status = take_option(out, &list);
        } else {
            status = take_word(out, &n_words, word);
            list.at++;
        }
    }
    return status;
}

/* ---- Help and use ---------------------------------------------------------------------------- */

void options_print_help(const command *c) {
    printf("usage: fathom %s\n%s\n\n", c->usage, c->summary);
    for (int i = 0; i < N_OPTIONS; i++) {
        const option_row *row = &option_rows[i];
        if (!(row->commands & c->bit)) continue;
        char label[32], left[64];
        option_label(row, label);
        snprintf(left, sizeof left, "%s %s", label, row->value ? row->value : "");
        if (strlen(left) > 28)
            printf("  %s\n  %-28s %s\n", left, "", row->help);
        else
            printf("  %-28s %s\n", left, row->help);
    }
    printf("\nfor example:\n%s", c->examples);
}

fm_model_params options_model_params(const options *o) {
    return (fm_model_params){
        .device = o->device,
        .deterministic = o->deterministic,
        .dtype = o->dtype,
        .cache_dtype = o->cache_dtype,
        .isa = o->isa,
        .n_threads = o->threads,
        .max_context = o->ctx,
        .max_chunk = o->chunk,
        .max_sequences = options_sequences(o),
    };
}

fm_engine_params options_engine_params(const options *o) {
    return (fm_engine_params){.cache_tokens = o->cache_tokens};
}

int32_t options_sequences(const options *o) {
    if (!o->batch && o->command->bit != COMMAND_PLAN) return 1;
    return o->sequences > 0 ? o->sequences : DEFAULT_SEQUENCES;
}

/* Whoever reads along can end an answer that goes on and on; a program can not. */
static int32_t max_new(const options *o) {
    if (o->max_new >= 0) return o->max_new;
    return o->command->bit == COMMAND_CHAT && !o->prompt ? 0 : DEFAULT_MAX_NEW;
}

/* The library writes "the tokens' own" as -1 and "none" as 0. */
fm_request options_request(const options *o) {
    fm_sampling sampling = {
        .temperature = o->temperature,
        .top_k = o->top_k,
        .top_p = o->top_p,
        .min_p = o->min_p,
        .repetition_penalty = o->repetition_penalty,
        .frequency_penalty = o->frequency_penalty,
        .presence_penalty = o->presence_penalty,
        .seed = o->seed,
    };
    return (fm_request){
        .max_new = max_new(o),
        .sampling = sampling,
        .n_logprobs = o->logprobs < 0    ? 0
                      : o->logprobs == 0 ? -1
                                         : o->logprobs,
        .stop = o->stop.items,
        .n_stop = o->stop.count,
    };
}
