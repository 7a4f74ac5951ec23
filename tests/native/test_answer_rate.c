/* test_answer_rate.c - the speeds that an answer reports. */
#include "answer_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static fm_event ended(fm_finish finish, int32_t n_generated, double decode_seconds) {
    return (fm_event){.finish = finish,
                      .n_prompt = 10,
                      .n_prefilled = 6,
                      .n_generated = n_generated,
                      .prefill_seconds = 2,
                      .decode_seconds = decode_seconds};
}

/* The first token is the prompt's: nine of ten took a step. */
static void answer_rate_leaves_out_the_first_token(void **state) {
    (void)state;
    fm_event end = ended(FM_FINISH_LENGTH, 10, 3);
    assert_true(answer_decode_rate(&end) == 3);
    end.finish = FM_FINISH_CANCELLED;
    assert_true(answer_decode_rate(&end) == 3);
}

static void answer_rate_counts_the_step_of_an_end_token(void **state) {
    (void)state;
    fm_event end = ended(FM_FINISH_STOP, 9, 3);
    assert_true(answer_decode_rate(&end) == 3);
}

static void answer_rate_of_nothing_is_zero(void **state) {
    (void)state;
    fm_event none = ended(FM_FINISH_CANCELLED, 0, 3), one = ended(FM_FINISH_LENGTH, 1, 3);
    fm_event no_time = ended(FM_FINISH_LENGTH, 10, 0);
    assert_true(answer_decode_rate(&none) == 0);
    assert_true(answer_decode_rate(&one) == 0);
    assert_true(answer_decode_rate(&no_time) == 0);
}

static void answer_rate_of_the_prompt_is_of_what_was_run(void **state) {
    (void)state;
    fm_event end = ended(FM_FINISH_CANCELLED, 0, 0);
    assert_true(answer_prefill_rate(&end) == 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_rate_leaves_out_the_first_token),
        cmocka_unit_test(answer_rate_counts_the_step_of_an_end_token),
        cmocka_unit_test(answer_rate_of_nothing_is_zero),
        cmocka_unit_test(answer_rate_of_the_prompt_is_of_what_was_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
