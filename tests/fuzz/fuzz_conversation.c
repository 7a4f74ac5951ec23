/*
 * fuzz_conversation.c - any bytes as a saved conversation. What is taken must be within the limits
 * and come back the same when it is written and read again; what is refused must leave one clean
 * line and the conversation as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "../../native/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_same(const conversation *a, const conversation *b) {
    size_t n_bytes = 0;
    require(a->count == b->count && a->n_bytes == b->n_bytes);
    for (size_t i = 0; i < a->count; i++) {
        require(a->messages[i].role == b->messages[i].role);
        require(strcmp(a->messages[i].text, b->messages[i].text) == 0);
        require(strlen(a->messages[i].text) == a->messages[i].length);
        n_bytes += a->messages[i].length;
    }
    require(a->n_bytes == n_bytes && a->count <= CONVERSATION_MAX_MESSAGES);
}

static void check_round_trip(const conversation *c) {
    conversation again = {0};
    bytes json = {0};
    fm_error err;
    require(conversation_write_json(c, &json));
    require(conversation_parse_json(&again, "again", json.data, json.length, &err) == FM_OK);
    check_same(c, &again);
    bytes_free(&json);
    conversation_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    conversation c = {0};
    fm_error err = {0};
    require(conversation_add(&c, "system", "S", 1, &err) == FM_OK);
    if (conversation_parse_json(&c, "file", (const char *)data, size, &err) == FM_OK) {
        check_round_trip(&c);
    } else {
        require(strncmp(err.text, "file", 4) == 0 && !strpbrk(err.text, "\r\n\033"));
        require(c.count == 1 && strcmp(c.messages[0].text, "S") == 0);
    }
    conversation_free(&c);
    return 0;
}
