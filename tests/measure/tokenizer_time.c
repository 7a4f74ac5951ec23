/*
 * tokenizer_time.c - how long it takes to open a tokenizer and to turn a text into ids on one
 * thread. The text is cut behind the first line that ends after 8 KiB, as tokenizer_reference.py
 * cuts it.
 *
 *   tokenizer_time DIR TEXT ROUNDS: one line of results, the fastest of the rounds
 */
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "fathom.h"
#include "measure/timing.h"

enum { PART_SIZE = 8192 /* bytes */, LOADS = 3 };

/** Seconds of the processor: a busy machine takes time away, but not these. */
static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double open_fastest(const char *dir, fm_tokenizer **out) {
    double fastest = 1e9;
    fm_error err;
    *out = NULL;
    for (int i = 0; i < LOADS; i++) {
        fm_tokenizer_close(*out);
        double start = cpu_seconds();
        if (fm_tokenizer_open(dir, out, &err) != FM_OK) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        double seconds = cpu_seconds() - start;
        if (seconds < fastest) fastest = seconds;
    }
    return fastest;
}

/** The end of the part that starts at `pos`. */
static size_t part_end(const char *text, size_t length, size_t pos) {
    if (length - pos <= PART_SIZE) return length;
    const char *end = memchr(text + pos + PART_SIZE, '\n', length - pos - PART_SIZE);
    return end ? (size_t)(end - text) + 1 : length;
}

/** Encodes all parts; the ids stay in `tokens`. */
static double encode_all(const fm_tokenizer *t, const char *text, size_t length,
                         fm_tokens *tokens) {
    fm_error err;
    double start = cpu_seconds();
    tokens->count = 0;
    for (size_t pos = 0, end; pos < length; pos = end) {
        end = part_end(text, length, pos);
        if (fm_tokenizer_encode(t, text + pos, end - pos, FM_ENCODE_ADDED, tokens, &err) != FM_OK) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
    }
    return cpu_seconds() - start;
}

static uint64_t hash_ids(const fm_tokens *tokens) {
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < tokens->count; i++) h = (h ^ (uint32_t)tokens->ids[i]) * 0x100000001B3u;
    return h;
}

int main(int argc, char **argv) {
    int rounds = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
    if (rounds < 1) {
        fprintf(stderr, "usage: tokenizer_time DIR TEXT ROUNDS\n");
        return 2;
    }
    fm_tokenizer *t;
    fm_tokens tokens = {0};
    fm_error err;
    char *text;
    size_t length;
    if (os_file_read(argv[2], (size_t)1 << 30, &text, &length, &err) != FM_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double load = open_fastest(argv[1], &t);
    double fastest = 1e9;
    for (int i = 0; i < rounds; i++) {
        double seconds = encode_all(t, text, length, &tokens);
        if (seconds < fastest) fastest = seconds;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("load_ms %.1f encode_mb_per_s %.2f tokens %zu peak_mib %ld hash %016llx\n", 1e3 * load,
           1e-6 * (double)length / fastest, tokens.count, usage.ru_maxrss / 1024,
           (unsigned long long)hash_ids(&tokens));
    fm_tokens_free(&tokens);
    fm_tokenizer_close(t);
    free(text);
    return 0;
}
