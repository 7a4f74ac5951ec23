/*
 * sections.h - a file of numbered sections in which damage is found before anything of it is used.
 * A `sections` is such a file, read into memory and checked; the payloads lie there and live as
 * long as it. sections_writer.h makes one. Immutable once open: any thread.
 *
 * The layout; all numbers are little-endian, and every part begins at a multiple of 8 bytes:
 *
 *   file     8 bytes   magic, which names the kind of file
 *            u32       version of what the sections hold
 *            u32       0
 *   section  u32       tag: not 0, and higher than that of the section before
 *            u32       0
 *            u64       length of the payload in bytes
 *            …         payload, and zeros up to a multiple of 8
 *            u64       checksum: XXH3-64 over tag, zero, length and payload
 *   end      a section of tag 0, whose payload is:
 *            u64       count of the sections before it
 *            u64       seal: starts as XXH3-64 over the file's 16 bytes, and becomes, for each of
 *                      the sections before the end, XXH3-64 over its checksum with the seal so far
 *                      as the seed
 *
 * Nothing follows the end. The seal ties the sections to each other and to the version: none can be
 * lost, doubled or taken from another file. Checksums find damage, not forgery: what a payload says
 * is checked by its reader like any other input.
 */
#ifndef FATHOM_DATA_SECTIONS_H
#define FATHOM_DATA_SECTIONS_H

#include "../base/error.h"

enum {
    SECTIONS_MAGIC_SIZE = 8,      /* bytes */
    SECTIONS_HEADER_SIZE = 16,    /* of the file and of each section */
    SECTIONS_CHECKSUM_SIZE = 8,   /* bytes */
    SECTIONS_COUNT_DEFAULT = 1024 /* sections_kind.max_count */
};

/** What a reader expects, and its limits. */
typedef struct sections_kind {
    const char *what;  /* for messages: "saved sequence" */
    const char *magic; /* SECTIONS_MAGIC_SIZE bytes */
    uint32_t min_version, max_version;
    uint64_t max_size;  /* bytes of the file; 0: any */
    uint32_t max_count; /* sections; 0: SECTIONS_COUNT_DEFAULT */
} sections_kind;

typedef struct section {
    uint32_t tag;
    size_t size;         /* bytes */
    const uint8_t *data; /* aligned to 8 bytes in an opened file */
} section;

typedef struct sections sections;

/** Reads a file into memory and checks all of it, every byte included. FM_ERR_FORMAT for another
 * kind of file, or one that is damaged, cut off or too long; FM_ERR_UNSUPPORTED for a version out
 * of the range; FM_ERR_LIMIT; FM_ERR_MEMORY when it does not fit; else as os_file_read. *out is
 * NULL then. Sections of unknown tags are kept; whether they may be there is the caller's to say. A
 * file that changes while it is read is a damaged one; once it is open that has no effect. */
fm_status sections_open(const char *path, const sections_kind *kind, sections **out, fm_error *err);
/** The same for bytes in memory, which must outlive *out. `name` stands for the path in messages.
 */
fm_status sections_parse(const char *name, const uint8_t *data, size_t size,
                         const sections_kind *kind, sections **out, fm_error *err);
/** NULL is allowed. */
void sections_close(sections *s);

uint32_t sections_version(const sections *s);
size_t sections_count(const sections *s);
/** The i-th section, by ascending tag; i < sections_count. */
const section *sections_at(const sections *s, size_t i);
/** NULL when there is none of this tag. */
const section *sections_find(const sections *s, uint32_t tag);

#endif
