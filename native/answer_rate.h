/* answer_rate.h - the speeds of an answer, from its last event. In tokens per second; 0 where
 * nothing was run. */
#ifndef FATHOM_NATIVE_ANSWER_RATE_H
#define FATHOM_NATIVE_ANSWER_RATE_H

#include "fathom.h"

/** Of the prompt's tokens that were run. */
double answer_prefill_rate(const fm_event *end);

/** Of the steps that ran one new token each. */
double answer_decode_rate(const fm_event *end);

#endif
