/*
 * request_line.h - one line of a batch: a JSON object that says what to generate. A request_line is
 * used for one line after the other; fm_engine_submit copies what it takes. Start from a zeroed
 * struct.
 */
#ifndef FATHOM_NATIVE_REQUEST_LINE_H
#define FATHOM_NATIVE_REQUEST_LINE_H

#include "base/json.h"
#include "bytes.h"
#include "fathom.h"
#include "tenants.h"

typedef struct request_line {
    fm_request request; /* what the line asks for; points into the rest */
    bytes id;           /* as JSON, terminated; the line's number where it names none */
    bool has_seed;      /* the line names one */
    bool wants_parts;   /* of the answer */
    char fault[560];    /* "line 7: what is wrong"; longer than any message, so that none is cut */
    size_t number;      /* of the line */
    json_doc *doc;      /* the line's tree, which owns the strings */
    fm_tokens ids;
    const char *stop[FM_MAX_STOPS];
    fm_logit_bias *bias; /* [FM_LOGIT_BIAS_MAX]; NULL where the line has none */
} request_line;

/** Reads a line of at most LINES_MAX_LENGTH bytes; what was read before is freed. What it does not
 * name is as in `defaults`, whose tokenizer (NULL: ids only) encodes the prompt. Unknown keys, keys
 * given twice, strings with U+0000 and values out of range are refused. False after a fault; the id
 * is set then, too: the line's own wherever it stands, when the line is JSON. */
bool request_line_read(request_line *r, const fm_request *defaults, tenants *names,
                       const char *line, size_t length, size_t number);

/** Frees what the line took, and zeroes the struct. The tree of a long line is large: free it as
 * soon as the request is submitted. */
void request_line_free(request_line *r);

#endif
