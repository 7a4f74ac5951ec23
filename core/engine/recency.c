/*
 * recency.c - a ring of links, closed by a head that is no number: an empty list is the head linked
 * to itself, and neither adding nor removing has a special case at the ends.
 */
#include "recency.h"

#include <assert.h>
#include <stdlib.h>

enum { NOT_LISTED = -1 };

fm_status recency_new(int32_t n, recency *out, fm_error *err) {
    *out = (recency){0};
    out->links = malloc(((size_t)n + 1) * sizeof *out->links);
    if (!out->links)
        return error_set(err, FM_ERR_MEMORY, "out of memory for a list of %d numbers", n);
    out->n = n;
    for (int32_t i = 0; i < n; i++) out->links[i] = (recency_link){NOT_LISTED, NOT_LISTED};
    out->links[n] = (recency_link){n, n};
    return FM_OK;
}

void recency_free(recency *r) {
    free(r->links);
    *r = (recency){0};
}

bool recency_has(const recency *r, int32_t number) {
    assert(number >= 0 && number < r->n);
    return r->links[number].older != NOT_LISTED;
}

void recency_remove(recency *r, int32_t number) {
    if (!recency_has(r, number)) return;
    recency_link *link = &r->links[number];
    r->links[link->older].newer = link->newer;
    r->links[link->newer].older = link->older;
    *link = (recency_link){NOT_LISTED, NOT_LISTED};
    r->n_listed--;
}

void recency_add(recency *r, int32_t number) {
    recency_remove(r, number);
    int32_t head = r->n, newest = r->links[head].older;
    r->links[number] = (recency_link){.older = newest, .newer = head};
    r->links[newest].newer = number;
    r->links[head].older = number;
    r->n_listed++;
}

int32_t recency_oldest(const recency *r) {
    int32_t oldest = r->links[r->n].newer;
    return oldest == r->n ? -1 : oldest;
}
