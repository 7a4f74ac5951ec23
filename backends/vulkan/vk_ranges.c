/* vk_ranges.c - best fit over a sorted list; neighbours that become free are joined. */
#include "vk_ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

fm_status vk_ranges_init(vk_ranges *r, uint64_t size) {
    enum { ROOM = 16 };
    *r = (vk_ranges){.size = size, .room = ROOM, .n_free = 1};
    r->free = malloc(ROOM * sizeof *r->free);
    if (!r->free) return FM_ERR_MEMORY;
    r->free[0] = (vk_span){0, size};
    return FM_OK;
}

void vk_ranges_release(vk_ranges *r) {
    free(r->free);
    *r = (vk_ranges){0};
}

/* Between n parts that are taken lie n + 1 free ones at most: with room for those, giving back
 * never has to allocate. */
static fm_status make_room(vk_ranges *r) {
    if (r->n_taken + 2 <= r->room) return FM_OK;
    vk_span *grown = realloc(r->free, (size_t)r->room * 2 * sizeof *grown);
    if (!grown) return FM_ERR_MEMORY;
    r->free = grown;
    r->room *= 2;
    return FM_OK;
}

static uint64_t align_up(uint64_t offset, uint64_t alignment) {
    return (offset + alignment - 1) & ~(alignment - 1);
}

static bool has_room(const vk_span *span, uint64_t size, uint64_t alignment) {
    uint64_t lost = align_up(span->offset, alignment) - span->offset;
    return lost <= span->size && size <= span->size - lost;
}

static void insert(vk_ranges *r, int32_t at, vk_span span) {
    memmove(r->free + at + 1, r->free + at, (size_t)(r->n_free - at) * sizeof *r->free);
    r->free[at] = span;
    r->n_free++;
}

static void erase(vk_ranges *r, int32_t at) {
    r->n_free--;
    memmove(r->free + at, r->free + at + 1, (size_t)(r->n_free - at) * sizeof *r->free);
}

fm_status vk_ranges_take(vk_ranges *r, uint64_t size, uint64_t alignment, uint64_t *offset) {
    int32_t best = -1;
    for (int32_t i = 0; i < r->n_free; i++)
        if (has_room(&r->free[i], size, alignment) &&
            (best < 0 || r->free[i].size < r->free[best].size))
            best = i;
    if (best < 0) return FM_ERR_LIMIT;
    FM_TRY(make_room(r));
    const vk_span from = r->free[best];
    uint64_t begin = align_up(from.offset, alignment), end = begin + size;
    uint64_t before = begin - from.offset, after = from.offset + from.size - end;
    erase(r, best);
    if (after > 0) insert(r, best, (vk_span){end, after});
    if (before > 0) insert(r, best, (vk_span){from.offset, before});
    r->n_taken++;
    *offset = begin;
    return FM_OK;
}

void vk_ranges_give(vk_ranges *r, uint64_t offset, uint64_t size) {
    int32_t at = 0;
    while (at < r->n_free && r->free[at].offset < offset) at++;
    assert(at == r->n_free || offset + size <= r->free[at].offset);
    insert(r, at, (vk_span){offset, size});
    r->n_taken--;
    vk_span *here = &r->free[at];
    if (at + 1 < r->n_free && here->offset + here->size == here[1].offset) {
        here->size += here[1].size;
        erase(r, at + 1);
    }
    if (at > 0 && here[-1].offset + here[-1].size == here->offset) {
        here[-1].size += here->size;
        erase(r, at);
    }
}
