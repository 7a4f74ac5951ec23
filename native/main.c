/* main.c - the program's entry: the table of commands, --help and --version. */
#include "command.h"
#include "terminal.h"

#include <string.h>

static const command commands[] = {
    {"generate", COMMAND_GENERATE, 1,
     "generate MODEL (-p TEXT|@FILE|- | --ids 1,2,3 | --batch F.jsonl) [-n N]",
     "Continues a text, without a chat layout. Only the new text is printed.\n"
     "--batch runs many requests together. A line of its file is an object with \"prompt\" or "
     "\"ids\",\n"
     "and where wanted id, n, seed, temperature, top_p, top_k, min_p, repetition_penalty,\n"
     "frequency_penalty, presence_penalty, logit_bias {\"ID\": x}, stop (a string or a list), "
     "logprobs,\n"
     "tenant and deadline_s. Options hold for lines that say nothing else. Answers are JSON lines, "
     "in the\n"
     "order in which they end. A line has 4 MB at most; a seed from 2^53 on is given as a string.",
     "  fathom generate models/smollm2 -p 'The capital of France is' -n 20\n"
     "  fathom generate models/smollm2 -p @story.txt --temperature 0.8 --top-p 0.95 --seed 7\n"
     "  fathom generate models/smollm2 --batch questions.jsonl -n 64 --parallel 8\n",
     cmd_generate},
    {"chat", COMMAND_CHAT, 1, "chat MODEL [-p TEXT|@FILE|-] [--system TEXT] [--template NAME]",
     "Asks one question with -p; else a conversation, typed on a terminal or read from the input.\n"
     "A line is a question, and one that ends with \\ goes on in the next; /help lists the "
     "commands.\n"
     "What is typed is kept in ~/.local/state/fathom/history (or under $XDG_STATE_HOME).\n"
     "The layout is a built-in one, by default the one that fits the vocabulary; a template that "
     "the\n"
     "checkpoint brings is evaluated by fathom template.",
     "  fathom chat models/smollm2\n"
     "  fathom chat models/smollm2 -p 'Why is the sky blue?'\n"
     "  fathom chat models/smollm2 -p @question.txt --system 'Answer in one sentence.'\n",
     cmd_chat},
    {"logits", COMMAND_LOGITS, 1, "logits MODEL (-p TEXT|@FILE|- | --ids 1,2,3) --out F.npy",
     "Writes the logits of every token of a prompt.",
     "  fathom logits models/smollm2 -p 'The capital of France is' --out logits.npy\n", cmd_logits},
    {"tokenize", COMMAND_TOKENIZE, 2, "tokenize MODEL [--decode] [--plain] TEXT|-",
     "Prints the token ids of a text. Needs no weights.",
     "  fathom tokenize models/smollm2 'The capital of France is'\n"
     "  fathom tokenize models/smollm2 --decode '504 3575 282 4649 314'\n",
     cmd_tokenize},
    {"template", COMMAND_TEMPLATE, 2,
     "template [MODEL] [FILE|-] [--template NAME|FILE] [--tools FILE] [--template-arg NAME=VALUE]",
     "Prints the prompt that a chat template makes of messages, byte for byte. Needs no weights.\n"
     "FILE is JSON: a list of messages, or an object of the template's variables with it under "
     "messages;\n"
     "add_generation_prompt is true unless it says otherwise. Without MODEL, --template names what "
     "to use.",
     "  fathom template models/smollm2 chat.json --ids\n"
     "  fathom template --template deepseek-v3 chat.json --template-arg "
     "add_generation_prompt=false\n",
     cmd_template},
    {"inspect", COMMAND_INSPECT, 1, "inspect MODEL",
     "Describes a checkpoint: architecture, parameters, bytes, tensors.",
     "  fathom inspect models/smollm2\n", cmd_inspect},
    {"plan", COMMAND_PLAN, 1, "plan MODEL [--ctx N] [--batch N] [--chunk N] [--cache-tokens N]",
     "Says what memory a model, its caches and its workspace would take, and whether that fits.\n"
     "Nothing is loaded. The exit status is 1 when it does not fit.",
     "  fathom plan models/smollm2 --ctx 8192 --batch 32\n", cmd_plan},
    {"devices", COMMAND_DEVICES, 0, "devices",
     "Lists what a model can run on here: what --device calls it, its name, memory and abilities.\n"
     "A kind of device that cannot be used says why.",
     "  fathom devices\n", cmd_devices},
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int print_help(void) {
    printf("fathom %s - runs DeepSeek-family language models\n\n", fm_version());
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  fathom %s\n      %.*s\n", commands[i].usage,
               (int)strcspn(commands[i].summary, "\n"), commands[i].summary);
    printf("\nMODEL is a directory with config.json, tokenizer.json and *.safetensors.\n"
           "fathom COMMAND --help lists the options of a command; fathom --version the version.\n"
           "\nfor example:\n%s%s",
           commands[0].examples, commands[1].examples);
    return STATUS_DONE;
}

static const command *find_command(const char *name) {
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int run_command(const command *c, int argc, char **argv) {
    options o;
    int status = options_parse(c, argc, argv, &o);
    if (status != STATUS_DONE) return status;
    if (!o.help) return c->run(&o);
    options_print_help(c);
    return STATUS_DONE;
}

int main(int argc, char **argv) {
    terminal_prepare();
    if (argc < 2) return terminal_refuse("no command given; fathom --help lists them");
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return terminal_finish(print_help());
    if (strcmp(word, "--version") == 0) {
        printf("fathom %s\n", fm_version());
        return terminal_finish(STATUS_DONE);
    }
    const command *c = find_command(word);
    if (!c) return terminal_refuse("unknown command '%s'; fathom --help lists them", word);
    return terminal_finish(run_command(c, argc - 1, argv + 1));
}
