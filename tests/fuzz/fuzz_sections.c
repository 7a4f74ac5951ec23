/*
 * fuzz_sections.c - any bytes as a file of sections: once as they are, and once with right
 * checksums put into them. What is accepted has one form only, so it can be built anew from what
 * was read; and it is refused as soon as one byte of it is another.
 */
#include <stdlib.h>
#include <string.h>

#include "../support/sections_repair.h"
#include "data/sections.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const sections_kind kind = {.what = "fuzzed file",
                                   .magic = "FUZZ\r\n\x1a\n",
                                   .min_version = 1,
                                   .max_version = 3,
                                   .max_size = 1 << 16,
                                   .max_count = 8};

static void require(bool condition) {
    if (!condition) abort();
}

static uint8_t *put_section(uint8_t *out, uint32_t tag, const void *payload, size_t size) {
    sections_store(out, 4, tag);
    sections_store(out + 8, 8, size);
    if (size > 0) memcpy(out + 16, payload, size);
    return out + 16 + (size + 7) / 8 * 8 + 8;
}

/** The file that holds the sections of `s`, in zeroed memory of `size` bytes. */
static void check_form(const sections *s, const uint8_t *file, size_t size) {
    uint8_t *built = calloc(1, size);
    require(built != NULL);
    memcpy(built, kind.magic, 8);
    sections_store(built + 8, 4, sections_version(s));
    uint8_t *at = built + 16;
    for (size_t i = 0; i < sections_count(s); i++) {
        const section *item = sections_at(s, i);
        require(item->data >= file && item->size <= size);
        require(sections_find(s, item->tag) == item && (i == 0 || item[-1].tag < item->tag));
        at = put_section(at, item->tag, item->data, item->size);
        require(at <= built + size);
    }
    require(size - (size_t)(at - built) == 40);
    put_section(at, 0, NULL, 0);
    sections_store(at + 8, 8, 16);
    sections_repair(built, size);
    require(memcmp(built, file, size) == 0);
    free(built);
}

static bool check_file(const uint8_t *file, size_t size) {
    sections *s;
    fm_error err = {0};
    if (sections_parse("fuzz", file, size, &kind, &s, &err) != FM_OK) {
        require(!s && err.text[0] != '\0' && !strchr(err.text, '\n'));
        return false;
    }
    check_form(s, file, size);
    sections_close(s);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_file(data, size);
    uint8_t *file = malloc(size + 1);
    require(file != NULL);
    if (size > 0) memcpy(file, data, size);
    sections_repair(file, size);
    if (check_file(file, size)) {
        size_t at = (size_t)(XXH3_64bits(data, size) % size); /* any place, the same each time */
        file[at] ^= (uint8_t)(1 + data[at] % 255);
        require(!check_file(file, size));
    }
    free(file);
    return 0;
}
