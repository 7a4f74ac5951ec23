/*
 * alloc.h - the allocator of a suite in tests/faults, between the library and the C library: it
 * counts allocations, lets a chosen one fail, and sees those that are made where none is allowed.
 *
 * The linker puts it in place (--wrap), so it sees calls of malloc, calloc, realloc, aligned_alloc,
 * posix_memalign and strdup in our own objects and in the suite's, and of cJSON once
 * alloc_watch_json was called; not what shared libraries allocate for themselves (pthread_create).
 *
 * Counting and failing concern the calling thread; the guard concerns all threads.
 */
#ifndef TESTS_FAULTS_ALLOC_H
#define TESTS_FAULTS_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/** Lets cJSON allocate through this allocator, too. */
void alloc_watch_json(void);

/** Allocations of this thread so far, failed ones included. */
uint64_t alloc_count(void);

/** Lets the nth allocation of this thread from now on (1: the next) find no memory; those after it
 * go on as always. 0: none. */
void alloc_fail(uint64_t nth);

/** Whether the failure asked for last has struck. */
bool alloc_has_failed(void);

/** From here to alloc_guard_end the allocations of all threads are counted. Guards do not nest. */
void alloc_guard_begin(void);
/** How many there were: 0 is what a guarded part has to give. */
uint64_t alloc_guard_end(void);

#endif
