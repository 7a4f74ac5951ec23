/*
 * fuzz_request_line.c - any bytes as a line of a batch. What is taken must be a request within the
 * limits that the library states; what is refused must leave one clean line; either way the id must
 * be JSON that can be printed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/json_out.h"
#include "../../native/request_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_request(const fm_request *r) {
    require(r->max_new >= 0 && r->n_logprobs >= -1 && r->n_logprobs <= FM_MAX_LOGPROBS);
    require(r->n_stop <= FM_MAX_STOPS && r->sampling.n_bias <= FM_LOGIT_BIAS_MAX);
    require(r->sampling.top_k >= 0 && r->sampling.top_p >= 0 && r->sampling.top_p <= 1);
    require(isfinite(r->deadline_seconds) && r->deadline_seconds >= 0);
    for (size_t i = 0; i < r->n_stop; i++) require(strlen(r->stop[i]) < 1 << 20);
    for (size_t i = 0; i < r->n_ids; i++) require(r->ids[i] >= 0);
    for (size_t i = 0; i < r->sampling.n_bias; i++)
        require(r->sampling.bias[i].id >= 0 && isfinite(r->sampling.bias[i].bias));
}

static void check_json(const bytes *text) {
    const json_limits limits = {.max_bytes = 1 << 20, .max_depth = 1};
    json_doc *doc;
    require(text->length > 1 && text->data[text->length - 1] == '\0');
    require(json_parse("text", text->data, text->length - 1, limits, &doc, NULL) == FM_OK);
    require(json_is_string(json_root(doc)) || json_is_number(json_root(doc)));
    json_free(doc);
}

/* It becomes a string of the answer. */
static void check_fault(const char *fault) {
    bytes json = {0};
    require(strncmp(fault, "line 1: ", 8) == 0 && fault[8] && !strchr(fault, '\n'));
    require(json_out_quote(&json, fault, strlen(fault)) && bytes_append(&json, "", 1));
    check_json(&json);
    bytes_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const fm_request defaults = {.max_new = 128};
    request_line line = {0};
    tenants names = {0};
    /* Twice, the second time over what the first left behind. */
    for (int i = 0; i < 2; i++) {
        if (request_line_read(&line, &defaults, &names, (const char *)data, size, 1))
            check_request(&line.request);
        else
            check_fault(line.fault);
        check_json(&line.id);
    }
    request_line_free(&line);
    tenants_free(&names);
    return 0;
}
