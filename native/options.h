/*
 * options.h - the command line as data. One table says name, value, range and help of every option;
 * parsing and --help are both made from it. Texts point into argv.
 */
#ifndef FATHOM_NATIVE_OPTIONS_H
#define FATHOM_NATIVE_OPTIONS_H

#include "fathom.h"

/** The commands as bits: an option names those in which it has an effect. */
enum {
    COMMAND_GENERATE = 1 << 0,
    COMMAND_CHAT = 1 << 1,
    COMMAND_LOGITS = 1 << 2,
    COMMAND_TOKENIZE = 1 << 3,
    COMMAND_INSPECT = 1 << 4,
    COMMAND_PLAN = 1 << 5,
    COMMAND_DEVICES = 1 << 6,
    COMMAND_TEMPLATE = 1 << 7,
};

typedef struct options options;

/** The values of an option that may be given several times. */
typedef struct option_list {
    const char *items[FM_MAX_STOPS]; /* [count] */
    size_t count;
} option_list;

typedef struct command {
    const char *name;
    unsigned bit;
    int max_words; /* arguments that are no options: MODEL, and TEXT or FILE */
    const char *usage;
    const char *summary;
    const char *examples;         /* one or two whole lines of --help */
    int (*run)(const options *o); /* returns the exit status */
} command;

struct options {
    const command *command;
    const char *words[2]; /* MODEL and TEXT or FILE; NULL when absent */

    const char *prompt; /* -p as written: TEXT, @FILE or - */
    const char *ids;
    const char *batch; /* the file of --batch */
    const char *system;
    const char *layout;   /* --template; NULL: the one that fits the vocabulary */
    const char *template; /* --template of the command template: a name or file */
    const char *tools;    /* a file */
    option_list template_args;
    bool show_ids, show_spans; /* of a rendered template */
    const char *out;
    int32_t max_new; /* tokens; 0: until the context is full; -1: the default */
    bool decode;
    bool plain;

    const char *device; /* as fm_model_params has it */
    bool deterministic;
    const char *dtype;
    const char *cache_dtype;
    const char *isa; /* NULL: the best there is */
    int32_t ctx;     /* tokens; 0: the library's default, as in the next two */
    int32_t threads;
    int32_t chunk;        /* tokens */
    int32_t cache_tokens; /* over all sequences */
    int32_t sequences;    /* at a time: --parallel of generate, --batch of plan */
    uint64_t seed;
    bool has_seed;
    float temperature;
    float top_p;
    int32_t top_k;
    float min_p;
    float repetition_penalty;
    float frequency_penalty;
    float presence_penalty;
    option_list stop;
    int32_t logprobs; /* alternatives; -1: none are asked for */
    bool parts;
    bool json;
    bool stats;
    bool profile;
    bool help;
};

/** Reads argv[1 ...]; argv[0] is the command's name. Returns STATUS_DONE, or STATUS_USAGE after one
 * line that says what is wrong. */
int options_parse(const command *c, int argc, char **argv, options *out);

/** Reads a whole number up to 2^64 - 1; false when the text is anything but its digits. */
bool options_parse_digits(const char *text, uint64_t *out);

/** Prints usage, summary, examples and the options that have an effect in the command. */
void options_print_help(const command *c);

/** What the library takes from the options. */
fm_model_params options_model_params(const options *o);
fm_engine_params options_engine_params(const options *o);

/** Sequences at a time. */
int32_t options_sequences(const options *o);

/** Sampling, length, stop strings and log-probabilities; the rest is zero. The stop strings are the
 * options' own. */
fm_request options_request(const options *o);

#endif
