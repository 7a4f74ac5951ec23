/*
 * tenants.h - numbers for the tenants that a batch names. What is computed is shared within a
 * tenant, so two names must never meet in one number: names are kept, not hashed. Start from a
 * zeroed struct.
 */
#ifndef FATHOM_NATIVE_TENANTS_H
#define FATHOM_NATIVE_TENANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TENANTS_MAX = 65536,
    TENANTS_MAX_LENGTH = 256, /* bytes of a name */
};

typedef struct tenant {
    char *name; /* [length], not terminated */
    size_t length;
    uint64_t number;
} tenant;

typedef struct tenants {
    tenant *sorted; /* [count] by name */
    size_t count;
    size_t capacity;
} tenants;

/** The number of a name, from 1; the same name has the same one. False when there are too many, or
 * memory is out. */
bool tenants_number(tenants *t, const char *name, size_t length, uint64_t *out);

void tenants_free(tenants *t);

#endif
