/* alloc.c - owns the wrappers and their counters. */
#include "alloc.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The linker's names for what was wrapped, and for what stands in its place. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static _Thread_local uint64_t n_allocations;
static _Thread_local uint64_t fail_at; /* the allocation, counted from the first; 0: none */
static _Thread_local bool has_failed;
static atomic_bool guarded;
static atomic_uint_fast64_t n_guarded;

/** Counts one allocation; false when it is to fail. */
static bool allowed(void) {
    n_allocations++;
    if (atomic_load(&guarded)) atomic_fetch_add(&n_guarded, 1);
    if (n_allocations != fail_at) return true;
    has_failed = true;
    errno = ENOMEM;
    return false;
}

/* ---- In place of the C library --------------------------------------------------------------- */

void *__wrap_malloc(size_t size) {
    return allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size) {
    return allowed() ? __real_calloc(count, size) : NULL;
}

/* A failed realloc leaves the old memory as it was. */
void *__wrap_realloc(void *old, size_t size) {
    return allowed() ? __real_realloc(old, size) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return allowed() ? __real_aligned_alloc(alignment, size) : NULL;
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t size) {
    return allowed() ? __real_posix_memalign(out, alignment, size) : ENOMEM;
}

char *__wrap_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- For the suites -------------------------------------------------------------------------- */

void alloc_watch_json(void) {
    cJSON_Hooks hooks = {__wrap_malloc, free};
    cJSON_InitHooks(&hooks);
}

uint64_t alloc_count(void) {
    return n_allocations;
}

void alloc_fail(uint64_t nth) {
    fail_at = nth > 0 ? n_allocations + nth : 0;
    has_failed = false;
}

bool alloc_has_failed(void) {
    return has_failed;
}

void alloc_guard_begin(void) {
    atomic_store(&n_guarded, 0);
    atomic_store(&guarded, true);
}

uint64_t alloc_guard_end(void) {
    atomic_store(&guarded, false);
    return atomic_load(&n_guarded);
}
