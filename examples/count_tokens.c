/*
 * count_tokens.c - how many tokens a text is, without a model: text alone is linked.
 *
 *   count_tokens MODEL-DIRECTORY <TEXT
 *   cc count_tokens.c -o count_tokens -lfathom_text -lcjson
 */
#include "fathom.h"

#include <stdio.h>
#include <stdlib.h>

/* All of standard input; NULL when there is no memory for it. */
static char *read_all(size_t *length) {
    size_t room = 1 << 16;
    char *text = malloc(room);
    *length = 0;
    while (text) {
        size_t n = fread(text + *length, 1, room - *length, stdin);
        if (n == 0) return text;
        *length += n;
        if (*length < room) continue;
        char *larger = room <= SIZE_MAX / 2 ? realloc(text, room *= 2) : NULL;
        if (!larger) free(text);
        text = larger;
    }
    return NULL;
}

int main(int argc, char **argv) {
    fm_error err = {0};
    fm_tokenizer *t = NULL;
    fm_tokens ids = {0};
    size_t length;
    if (argc != 2) return fputs("usage: count_tokens DIRECTORY <TEXT\n", stderr), 2;

    char *text = read_all(&length);
    if (!text) return fputs("count_tokens: out of memory\n", stderr), 1;
    fm_status status = fm_tokenizer_open(argv[1], &t, &err);
    if (status == FM_OK) status = fm_tokenizer_encode(t, text, length, FM_ENCODE_ADDED, &ids, &err);
    if (status == FM_OK)
        printf("%zu\n", ids.count);
    else
        fprintf(stderr, "count_tokens: %s\n", err.text);

    fm_tokens_free(&ids);
    fm_tokenizer_close(t);
    free(text);
    return status == FM_OK ? 0 : 1;
}
