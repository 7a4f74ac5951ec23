/* cmd_tokenize.c - text to ids, and ids back to text. Needs no weights. */
#include "command.h"
#include "json_out.h"
#include "prompt.h"
#include "session.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One line of ids with one space between, or {"ids": [...]}. */
static int print_ids(const options *o, const fm_tokens *ids) {
    if (o->json) {
        cJSON *object = cJSON_CreateObject();
        return json_out_print(object, object && json_out_ids(object, "ids", ids->ids, ids->count));
    }
    for (size_t i = 0; i < ids->count; i++) printf("%s%" PRId32, i > 0 ? " " : "", ids->ids[i]);
    putchar('\n');
    return STATUS_DONE;
}

static int encode(const options *o, const fm_tokenizer *t, const bytes *text) {
    fm_error err;
    fm_tokens ids = {0};
    int status;
    if (fm_tokenizer_encode(t, text->data ? text->data : "", text->length,
                            o->plain ? FM_ENCODE_PLAIN : FM_ENCODE_ADDED, &ids, &err) == FM_OK)
        status = print_ids(o, &ids);
    else
        status = terminal_fail("%s", err.text);
    fm_tokens_free(&ids);
    return status;
}

/* The ids' own bytes, so that decoding gives back what was encoded, broken UTF-8 included. */
static void print_token_bytes(const fm_tokenizer *t, const fm_tokens *ids) {
    for (size_t i = 0; i < ids->count; i++) {
        size_t length;
        const char *token = fm_tokenizer_bytes(t, ids->ids[i], &length);
        if (token) fwrite(token, 1, length, stdout);
    }
    /* A person gets a line of its own; a pipe gets nothing that is not in the tokens. */
    if (isatty(STDOUT_FILENO)) putchar('\n');
}

/* JSON is UTF-8: what is none becomes U+FFFD. */
static int print_decoded_json(const fm_tokenizer *t, const fm_tokens *ids) {
    fm_decoder decoder = {0};
    size_t piece_size = fm_decoder_bound(t);
    char *piece = malloc(piece_size), rest[4];
    cJSON *object = cJSON_CreateObject();
    bytes text = {0};
    bool ok = piece && object;
    for (size_t i = 0; ok && i < ids->count; i++) {
        size_t length = 0;
        fm_decoder_push(&decoder, t, ids->ids[i], piece, piece_size, &length);
        ok = bytes_append(&text, piece, length);
    }
    ok = ok && bytes_append(&text, rest, fm_decoder_end(&decoder, rest)) &&
         json_out_ids(object, "ids", ids->ids, ids->count) &&
         json_out_text(object, "text", text.data, text.length);
    free(piece);
    bytes_free(&text);
    return json_out_print(object, ok);
}

static int decode(const options *o, const fm_tokenizer *t, const bytes *list) {
    fm_tokens ids = {0};
    int status = prompt_parse_ids(list->data, list->length, &ids);
    for (size_t i = 0; status == STATUS_DONE && i < ids.count; i++)
        if (ids.ids[i] >= fm_tokenizer_vocab_size(t))
            status = terminal_fail("token %" PRId32 " is outside the vocabulary of %" PRId32,
                                   ids.ids[i], fm_tokenizer_vocab_size(t));
    if (status == STATUS_DONE && o->json)
        status = print_decoded_json(t, &ids);
    else if (status == STATUS_DONE)
        print_token_bytes(t, &ids);
    fm_tokens_free(&ids);
    return status;
}

/* TEXT is text even when it begins with '@'; only '-' is special here. */
static int read_text(const char *word, bytes *out) {
    if (strcmp(word, "-") == 0) return prompt_read(word, out);
    if (bytes_append(out, word, strlen(word))) return STATUS_DONE;
    return terminal_fail("out of memory for the text");
}

int cmd_tokenize(const options *o) {
    int status = session_check_model(o);
    if (status != STATUS_DONE) return status;
    if (!o->words[1])
        return terminal_refuse("tokenize needs a text: fathom tokenize MODEL TEXT, or - to read "
                               "standard input");
    session s = {0};
    bytes text = {0};
    status = session_open_tokenizer(&s, o, true);
    if (status == STATUS_DONE) status = read_text(o->words[1], &text);
    if (status == STATUS_DONE)
        status = o->decode ? decode(o, s.tokenizer, &text) : encode(o, s.tokenizer, &text);
    bytes_free(&text);
    session_close(&s);
    return status;
}
