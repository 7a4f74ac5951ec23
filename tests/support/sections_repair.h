/*
 * sections_repair.h - puts right checksums into a file of sections that may be wrong in any other
 * way, so that what lies behind the checksums is tested, too. Written from the layout in
 * core/data/sections.h, not from the code.
 */
#ifndef FATHOM_TESTS_SECTIONS_REPAIR_H
#define FATHOM_TESTS_SECTIONS_REPAIR_H

#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

static inline uint64_t sections_load(const uint8_t *bytes, size_t n) {
    return n == 0 ? 0 : bytes[0] | sections_load(bytes + 1, n - 1) << 8;
}

static inline void sections_store(uint8_t *bytes, size_t n, uint64_t value) {
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

/** Walks the sections as far as they lie in the file, and writes their checksums; of an end of the
 * right length also the count and the seal. */
static inline void sections_repair(uint8_t *data, size_t size) {
    if (size < 16) return;
    uint64_t seal = XXH3_64bits(data, 16), count = 0;
    for (size_t pos = 16; size - pos >= 24;) {
        uint64_t tag = sections_load(data + pos, 4), length = sections_load(data + pos + 8, 8);
        if (length > size - pos - 24) return;
        size_t padded = (size_t)(length + 7) / 8 * 8;
        if (padded > size - pos - 24) return;
        uint8_t *payload = data + pos + 16, *checksum = payload + padded;
        if (tag == 0 && length == 16) {
            sections_store(payload, 8, count);
            sections_store(payload + 8, 8, seal);
        }
        sections_store(checksum, 8, XXH3_64bits(data + pos, 16 + (size_t)length));
        if (tag == 0) return;
        seal = XXH3_64bits_withSeed(checksum, 8, seal);
        count++;
        pos += 16 + padded + 8;
    }
}

#endif
