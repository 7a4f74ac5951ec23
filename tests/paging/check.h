/*
 * check.h - recounts everything that paging keeps count of: what the lists of the sequences and the
 * nodes say must add up to the references, users, children, free and cached pages.
 */
#ifndef FATHOM_TESTS_PAGING_CHECK_H
#define FATHOM_TESTS_PAGING_CHECK_H

#include "engine/paging.h"

/** The first count that is wrong, in words; NULL when all add up. `sequences` [n] are all that hold
 * pages. */
const char *check_paging(const paging *p, const paged_sequence *const *sequences, int n);

#endif
