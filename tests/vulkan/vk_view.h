/*
 * vk_view.h - tensors for the suites of this folder: views with room around all their rows, in
 * which nothing may be written; and numbers to fill them. A view owns its buffer.
 */
#ifndef TESTS_VULKAN_VK_VIEW_H
#define TESTS_VULKAN_VK_VIEW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend.h"

/** Whether a call worked; the test fails where it did not. */
static inline void vk_view_demand(fm_device *dev, fm_status status, const char *what) {
    if (status != FM_OK) fail_msg("%s: status %d %s", what, (int)status, device_fault(dev));
}

enum { VK_VIEW_PAD = 3 }; /* elements before a view, and between its rows */

/** A view [n0, n1] of 4-byte elements, or [n0] where n1 is 0, in a buffer of its own with room
 * around all rows, which is filled with the byte 0x5a. */
static inline fm_tensor vk_view_new(fm_device *dev, fm_dtype dtype, int64_t n0, int64_t n1) {
    fm_tensor t = n1 > 0 ? tensor_2d(NULL, dtype, n0, n1) : tensor_1d(NULL, dtype, n0);
    if (n1 > 0) t.stride[0] = n1 + VK_VIEW_PAD;
    t.offset = VK_VIEW_PAD;
    size_t n = (size_t)tensor_extent(&t) + VK_VIEW_PAD;
    vk_view_demand(dev, buf_new(dev, 4 * n, &t.buf, NULL), "buf_new");
    void *fill = malloc(4 * n);
    assert_non_null(fill);
    memset(fill, 0x5a, 4 * n);
    vk_view_demand(dev, device_write(dev, tensor_1d(t.buf, dtype, (int64_t)n), fill), "fill");
    free(fill);
    return t;
}

/** Copies dense values to the device, or from it: then all around them has to be as it was filled.
 * */
static inline void vk_view_copy(fm_device *dev, const fm_tensor *t, void *values, bool write) {
    int64_t width = t->n_dims > 1 ? t->size[1] : t->size[0];
    int64_t n_rows = t->n_dims > 1 ? t->size[0] : 1, stride = t->n_dims > 1 ? t->stride[0] : width;
    fm_tensor whole = tensor_1d(t->buf, t->dtype, tensor_extent(t) + VK_VIEW_PAD);
    uint32_t *words = malloc((size_t)whole.size[0] * sizeof *words);
    assert_non_null(words);
    memset(words, 0x5a, (size_t)whole.size[0] * sizeof *words);
    if (!write) vk_view_demand(dev, device_read(dev, whole, words), "read");
    for (int64_t row = 0; row < n_rows; row++) {
        uint32_t *at = words + t->offset + row * stride, *dense = (uint32_t *)values + row * width;
        if (write)
            memcpy(at, dense, (size_t)width * sizeof *at);
        else
            memcpy(dense, at, (size_t)width * sizeof *at);
        if (!write) memset(at, 0x5a, (size_t)width * sizeof *at);
    }
    if (write) vk_view_demand(dev, device_write(dev, whole, words), "write");
    for (int64_t i = 0; i < whole.size[0] && !write; i++)
        if (words[i] != 0x5a5a5a5au) fail_msg("element %d beside a view was written", (int)i);
    free(words);
}

/** Numbers that are the same in each run (SplitMix64). */
static inline uint64_t vk_view_random(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/** In [0, 1). */
static inline double vk_view_uniform(uint64_t *state) {
    return (double)(vk_view_random(state) >> 11) * 0x1p-53;
}

#endif
