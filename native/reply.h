/*
 * reply.h - what a request's events came to: ids, text and log-probabilities, and how it ended; and
 * the members of a JSON answer made from it. Start from a zeroed struct with the flags set.
 */
#ifndef FATHOM_NATIVE_REPLY_H
#define FATHOM_NATIVE_REPLY_H

#include "bytes.h"
#include "fathom.h"

#include <cjson/cJSON.h>

typedef struct reply {
    bool has_text; /* the request has a tokenizer */
    bool has_logprobs;
    bool has_parts;         /* JSON has reasoning, answer and tool calls; needs keeps_text */
    fm_parts_format format; /* of these */
    bool keeps_text;        /* false: text goes elsewhere as it comes */
    bool no_memory;
    fm_tokens ids; /* the new ones */
    bytes text;
    bytes logprobs; /* JSON objects, one a token, a comma between */
    fm_event end;   /* the last event, without its pointers */
} reply;

/** Takes an event in. False when memory is out: the answer ends then. */
bool reply_take(reply *r, const fm_event *event);

/** Adds ids, text, finish_reason and, where the request asked for them, logprobs and parts; false
 * when memory is out. */
bool reply_add_json(const reply *r, cJSON *object);

/** "stop", "length", "cancelled", "deadline", "error". */
const char *reply_finish_text(fm_finish finish);

void reply_free(reply *r);

/** The seed of a request that names none: 32 bits, so that it is short to type again. */
uint64_t reply_random_seed(void);

#endif
