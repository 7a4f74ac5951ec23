/*
 * stop.c - the automaton of Aho and Corasick over the stop strings. A node stands for the beginning
 * of a stop string. After each byte of the answer, the stream stands at the node that is the
 * longest end of the text that is a node at all. So the bytes that must wait are exactly those of
 * the node, and only the node's number has to be kept.
 */
#include "stop.h"

#include <stdlib.h>
#include <string.h>

#include "../base/utf8.h"

enum { ROOT = 0 }; /* the empty beginning; as a link to a child or sibling: none */

typedef struct stop_node {
    uint16_t child;   /* first of the nodes that are one byte longer */
    uint16_t sibling; /* next of those with the same parent */
    uint16_t fail;    /* the longest proper end of this node's bytes that is a node */
    uint16_t depth;   /* bytes */
    uint16_t begin;   /* where these bytes lie, in stop_set.bytes */
    uint16_t match;   /* bytes of the longest stop string that this node ends with; 0: none */
    uint8_t byte;     /* the last of its bytes */
} stop_node;

struct stop_set {
    const char *bytes; /* the strings one behind the other, in the same block of memory */
    uint16_t n_nodes;
    uint16_t longest; /* bytes of the longest string */
    stop_node nodes[];
};

_Static_assert(STOP_STRINGS_MAX *STOP_SIZE_MAX < UINT16_MAX, "nodes are numbered in 16 bits");

/* ---- Making a set ---------------------------------------------------------------------------- */

/** Checks string `i` and adds its bytes to *total. */
static fm_status check_string(const char *string, size_t i, size_t *total, fm_error *err) {
    size_t length = strnlen(string, STOP_SIZE_MAX + 1);
    if (length == 0)
        return error_set(err, FM_ERR_ARG, "stop string %zu is empty: leave it out", i + 1);
    if (length > STOP_SIZE_MAX)
        return error_set(err, FM_ERR_LIMIT, "stop string %zu is longer than %d bytes: shorten it",
                         i + 1, STOP_SIZE_MAX);
    for (size_t pos = 0; pos < length;) {
        size_t step = utf8_length(string + pos, length - pos);
        if (step == 0)
            return error_set(err, FM_ERR_ARG, "stop string %zu is no UTF-8: write it in UTF-8",
                             i + 1);
        pos += step;
    }
    *total += length;
    return FM_OK;
}

static uint16_t find_child(const stop_set *set, uint16_t node, uint8_t byte) {
    uint16_t child = set->nodes[node].child;
    while (child != ROOT && set->nodes[child].byte != byte) child = set->nodes[child].sibling;
    return child;
}

/** The longest node that the bytes of `node` and one more byte end with. */
static uint16_t advance(const stop_set *set, uint16_t node, uint8_t byte) {
    for (;; node = set->nodes[node].fail) {
        uint16_t child = find_child(set, node, byte);
        if (child != ROOT || node == ROOT) return child;
    }
}

/** Makes the nodes of the string that lies at `begin`. */
static void insert(stop_set *set, size_t begin, size_t length) {
    uint16_t node = ROOT;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)set->bytes[begin + i];
        uint16_t child = find_child(set, node, byte);
        if (child == ROOT) {
            child = set->n_nodes++;
            set->nodes[child] = (stop_node){.sibling = set->nodes[node].child,
                                            .depth = (uint16_t)(i + 1),
                                            .begin = (uint16_t)begin,
                                            .byte = byte};
            set->nodes[node].child = child;
        }
        node = child;
    }
    set->nodes[node].match = (uint16_t)length;
    if (length > set->longest) set->longest = (uint16_t)length;
}

/** Links the child of `parent` and returns it. All nodes that are shorter have their links. */
static uint16_t link_child(stop_set *set, uint16_t parent, uint8_t byte) {
    uint16_t child = find_child(set, parent, byte);
    stop_node *node = &set->nodes[child];
    if (parent != ROOT) node->fail = advance(set, set->nodes[parent].fail, byte);
    if (node->match == 0) node->match = set->nodes[node->fail].match;
    return child;
}

/** Walks all strings at once, so that nodes are linked in the order of their depth. */
static void link_nodes(stop_set *set, const char *const *strings, size_t n_strings) {
    uint16_t at[STOP_STRINGS_MAX] = {ROOT};
    for (size_t depth = 0; depth < set->longest; depth++)
        for (size_t i = 0; i < n_strings; i++)
            if (set->nodes[at[i]].depth == depth && strings[i][depth] != '\0')
                at[i] = link_child(set, at[i], (uint8_t)strings[i][depth]);
}

fm_status stop_set_new(const char *const *strings, size_t n_strings, stop_set **out,
                       fm_error *err) {
    size_t total = 0;
    *out = NULL;
    if (n_strings > STOP_STRINGS_MAX)
        return error_set(err, FM_ERR_LIMIT, "%zu stop strings: at most %d are taken", n_strings,
                         STOP_STRINGS_MAX);
    for (size_t i = 0; i < n_strings; i++) FM_TRY(check_string(strings[i], i, &total, err));
    stop_set *set = calloc(1, sizeof *set + (1 + total) * sizeof *set->nodes + total);
    if (!set) return error_set(err, FM_ERR_MEMORY, "out of memory for the stop strings");
    char *bytes = (char *)(set->nodes + 1 + total);
    set->bytes = bytes;
    set->n_nodes = 1;
    for (size_t i = 0, begin = 0; i < n_strings; i++) {
        size_t length = strlen(strings[i]);
        memcpy(bytes + begin, strings[i], length);
        insert(set, begin, length);
        begin += length;
    }
    link_nodes(set, strings, n_strings);
    *out = set;
    return FM_OK;
}

void stop_set_free(stop_set *set) {
    free(set);
}

/* ---- Reading an answer ----------------------------------------------------------------------- */

size_t stop_bound(const stop_set *set, size_t length) {
    size_t waiting = set->longest > 0 ? set->longest - 1u : 0;
    return length > SIZE_MAX - waiting ? SIZE_MAX : length + waiting;
}

/** Guards against a stream that is another set's, or came from a damaged file. No stream stands at
 * the end of a stop string. */
static bool fits(const stop_set *set, const stop_stream *stream) {
    return stream->node < set->n_nodes && set->nodes[stream->node].match == 0;
}

/** Takes in one byte and returns how many bytes of the answer it made certain. */
static size_t push_byte(const stop_set *set, stop_stream *stream, uint8_t byte, char *out) {
    const stop_node *from = &set->nodes[stream->node];
    uint16_t to = advance(set, stream->node, byte);
    size_t match = set->nodes[to].match;
    size_t kept = match > 0 ? match : set->nodes[to].depth;
    size_t known = from->depth + 1u - kept;
    memcpy(out, set->bytes + from->begin, kept > 0 ? known : from->depth);
    if (kept == 0) out[from->depth] = (char)byte;
    stream->has_stopped = match > 0;
    stream->node = match > 0 ? ROOT : to;
    return known;
}

fm_status stop_push(const stop_set *set, stop_stream *stream, const char *text, size_t length,
                    char *out, size_t out_size, size_t *out_length) {
    *out_length = 0;
    if (!fits(set, stream) || out_size < stop_bound(set, length)) return FM_ERR_ARG;
    for (size_t i = 0; i < length && !stream->has_stopped; i++)
        *out_length += push_byte(set, stream, (uint8_t)text[i], out + *out_length);
    return FM_OK;
}

size_t stop_end(const stop_set *set, stop_stream *stream, char *out) {
    if (!fits(set, stream)) return 0;
    const stop_node *node = &set->nodes[stream->node];
    memcpy(out, set->bytes + node->begin, node->depth);
    stream->node = ROOT;
    return node->depth;
}
