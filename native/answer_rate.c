/* answer_rate.c - tokens over seconds. */
#include "answer_rate.h"

static double rate(int32_t tokens, double seconds) {
    return seconds > 0 && tokens > 0 ? tokens / seconds : 0;
}

double answer_prefill_rate(const fm_event *end) {
    return rate(end->n_prefilled, end->prefill_seconds);
}

/* The first token comes out of the prompt's last step, so there is one decoding step less than
 * tokens; an end token took a step too, though it is not counted. */
double answer_decode_rate(const fm_event *end) {
    int32_t n_steps = end->n_generated - (end->finish == FM_FINISH_STOP ? 0 : 1);
    return rate(n_steps, end->decode_seconds);
}
