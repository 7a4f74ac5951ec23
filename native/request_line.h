/*
 * request_line.h - one line of a batch: a JSON object that says what to generate. A request_line is
 * used for one line after the other; fm_engine_submit copies what it takes. Start from a zeroed struct.
 */
#ifndef FATHOM_NATIVE_REQUEST_LINE_H
#define FATHOM_NATIVE_REQUEST_LINE_H

#include "bytes.h"
#include "fathom.h"
#include "json_in.h"
#include "tenants.h"

typedef struct request_line {
    fm_request request; /* what the line asks for; points into the rest */
    bytes id;           /* as JSON, terminated; the line's number where it names none */
    bool has_seed;      /* the line names one */
    json_in in;         /* `fault` says what is wrong with the line */
    uint32_t seen;      /* keys, as bits */
    fm_tokens ids;
    bytes prompt;
    bytes text;  /* of the string that was read last */
    bytes stops; /* each terminated */
    const char *stop[FM_MAX_STOPS];
    fm_logit_bias *bias; /* [FM_LOGIT_BIAS_MAX]; NULL before the first */
} request_line;

/** Reads a line. What it does not name is as in `defaults`, whose tokenizer (NULL: ids only) encodes
 * the prompt. Unknown keys, keys given twice and values out of range are refused. False after a fault;
 * the id is set then, too. */
bool request_line_read(request_line *r, const fm_request *defaults, tenants *names,
                       const char *line, size_t length, size_t number);

void request_line_free(request_line *r);

#endif
