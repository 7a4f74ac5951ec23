/*
 * test_queue.c - the queue by itself: a request is found by its id until it ends, however many
 * there are, and a queue that was not made has no lock that could be taken.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/queue.h"

enum { N_QUEUED = 5, N_REQUESTS = 100 };

static bool go_on(void *user, const fm_event *event) {
    (void)user, (void)event;
    return true;
}

static request *make_request(void) {
    const int32_t ids[] = {1, 2, 3};
    paging p;
    const paging_params pages = {.n_classes = 1, .n_pages = {4}};
    assert_int_equal(paging_new(&pages, &p, NULL), FM_OK);
    const request_rules rules = {.p = &p, .vocab_size = 10, .max_context = 64};
    request *r;
    assert_int_equal(
        request_new(&rules, &(fm_request){.ids = ids, .n_ids = 3, .on_event = go_on}, 0, &r, NULL),
        FM_OK);
    paging_free(&p);
    return r;
}

static void queue_finds_a_request_until_it_ends(void **state) {
    (void)state;
    queue q;
    uint64_t ids[N_REQUESTS];
    request *requests[N_REQUESTS];
    assert_int_equal(queue_new(N_QUEUED, &q, NULL), FM_OK);
    for (int32_t i = 0; i < N_REQUESTS; i++) { /* many more than it was made for */
        requests[i] = make_request();
        assert_int_equal(queue_submit(&q, requests[i], &ids[i], NULL), FM_OK);
        queue_start(&q, requests[i]);
    }
    assert_int_equal(queue_count(&q), N_REQUESTS);
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        int32_t k = (i * 37 + 11) % N_REQUESTS; /* each once */
        assert_ptr_equal(queue_find(&q, ids[k]), requests[k]);
        assert_true(queue_cancel(&q, ids[k]));
        assert_true(request_is_cancelled(requests[k]));
        if (k % 3 == 0) continue; /* queue_free takes it */
        queue_end(&q, requests[k]);
        request_free(requests[k]);
        assert_null(queue_find(&q, ids[k]));
        assert_false(queue_cancel(&q, ids[k]));
    }
    assert_int_equal(queue_count(&q), (N_REQUESTS + 2) / 3);
    assert_null(queue_find(&q, 0));
    assert_null(queue_find(&q, N_REQUESTS + 1));
    queue_free(&q);
}

/** A lock of its owner's that is taken twice says so, and is free when it was given back for that.
 */
static void queue_that_was_not_made_is_empty_without_a_lock(void **state) {
    (void)state;
    queue q = {0};
    pthread_mutexattr_t checked;
    assert_int_equal(pthread_mutexattr_init(&checked), 0);
    assert_int_equal(pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK), 0);
    assert_int_equal(pthread_mutex_init(&q.mutex, &checked), 0);
    assert_int_equal(pthread_mutex_lock(&q.mutex), 0);
    assert_null(queue_take(&q));
    assert_int_equal(pthread_mutex_trylock(&q.mutex), EBUSY);
    queue_free(&q);
    assert_int_equal(pthread_mutex_unlock(&q.mutex), 0);
    pthread_mutex_destroy(&q.mutex);
    pthread_mutexattr_destroy(&checked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_finds_a_request_until_it_ends),
        cmocka_unit_test(queue_that_was_not_made_is_empty_without_a_lock),
    };
    return cmocka_run_group_tests_name("test_queue", tests, NULL, NULL);
}
