/* main.c - the program's entry: the table of commands, --help and --version. */
#include "command.h"
#include "terminal.h"

#include <string.h>

static const command commands[] = {
    {"generate", COMMAND_GENERATE, 1, "generate MODEL (-p TEXT|@FILE|- | --ids 1,2,3) [-n N]",
     "Continues a text, without a chat layout. Only the new text is printed.", cmd_generate},
    {"chat", COMMAND_CHAT, 1, "chat MODEL -p TEXT|@FILE|- [--system TEXT]",
     "Asks one question in the model's chat layout.", cmd_chat},
    {"logits", COMMAND_LOGITS, 1, "logits MODEL (-p TEXT|@FILE|- | --ids 1,2,3) --out F.npy",
     "Writes the logits of every token of a prompt.", cmd_logits},
    {"tokenize", COMMAND_TOKENIZE, 2, "tokenize MODEL [--decode] [--plain] TEXT|-",
     "Prints the token ids of a text. Needs no weights.", cmd_tokenize},
    {"inspect", COMMAND_INSPECT, 1, "inspect MODEL",
     "Describes a checkpoint: architecture, parameters, bytes, tensors.", cmd_inspect},
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int print_help(void) {
    printf("fathom %s - runs DeepSeek-family language models\n\n", fm_version());
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  fathom %s\n      %s\n", commands[i].usage, commands[i].summary);
    printf("\nMODEL is a directory with config.json, tokenizer.json and *.safetensors.\n"
           "fathom COMMAND --help lists the options of a command; fathom --version the version.\n");
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
