/* vk_hazard.c - compares what commands touch. */
#include "vk_hazard.h"

#include <string.h>

static bool is_conflict(const vk_touch *a, const vk_touch *b) {
    return a->buf == b->buf && a->first < b->end && b->first < a->end &&
           ((a->access | b->access) & VK_WRITE);
}

static bool needs_barrier(const vk_hazards *h, const vk_touch *touches, int32_t n) {
    if (n > VK_HAZARDS_MAX - h->n) return true;
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < h->n; k++)
            if (is_conflict(&touches[i], &h->at[k])) return true;
    return false;
}

bool vk_hazards_add(vk_hazards *h, const vk_touch *touches, int32_t n) {
    bool needed = needs_barrier(h, touches, n);
    if (needed) h->n = 0;
    memcpy(h->at + h->n, touches, (size_t)n * sizeof *touches);
    h->n += n;
    return needed;
}

void vk_hazards_clear(vk_hazards *h) {
    h->n = 0;
}
