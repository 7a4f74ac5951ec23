/*
 * tpl_value.h - what an expression of a chat template is worth. A value is sixteen bytes; what it
 * points to lies in the memory of the rendering (or, for constants, of the template) and is not
 * changed once it can be seen, namespaces, loops, iterators, cyclers and joiners excepted.
 */
#ifndef FATHOM_TEXT_TPL_VALUE_H
#define FATHOM_TEXT_TPL_VALUE_H

#include "../base/error.h"
#include "tpl_memory.h"

typedef struct tpl_run tpl_run;
typedef struct tpl_node tpl_node;
typedef struct tpl_scope tpl_scope;

typedef enum tpl_kind {
    TPL_UNDEFINED,
    TPL_NONE,
    TPL_BOOL,
    TPL_INT,
    TPL_BIG, /* a whole number of the input that no int64_t holds: it is printed and compared */
    TPL_FLOAT,
    TPL_STRING,
    TPL_LIST,
    TPL_TUPLE,
    TPL_DICT,
    TPL_VIEW, /* keys, values or items of a dict */
    TPL_RANGE,
    TPL_ITERATOR, /* can be gone through once, as what filters like map give */
    TPL_NAMESPACE,
    TPL_FUNCTION,
    TPL_METHOD,
    TPL_MACRO,
    TPL_LOOP,
    TPL_CYCLER,
    TPL_JOINER,
    TPL_ABSENT, /* no value at all: an argument that was not given */
} tpl_kind;

/* ---- Strings --------------------------------------------------------------------------------- */

/* Where texts are put together. A text that ends where the buffer's used part ends can be made
 * longer in place, so that s = s + t in a loop costs what t does. */
typedef struct tpl_buffer {
    char *bytes;      /* [capacity] */
    uint8_t *marks;   /* [capacity], 1 for a byte of the template's; NULL while all are alike */
    bool is_template; /* all of them are, where marks is NULL */
    size_t used, capacity; /* bytes */
} tpl_buffer;

/** A string: bytes that are UTF-8, and for each whether it was written in the template or came in
 * from outside. */
typedef struct tpl_text {
    const char *bytes; /* [length], not terminated */
    size_t length;
    const uint8_t *marks; /* [length]; NULL where all bytes are alike */
    bool is_template;     /* all of them are the template's, where marks is NULL */
    bool is_safe;       /* went through the filter safe or escape: + escapes what it is joined to */
    tpl_buffer *buffer; /* that the bytes lie in; NULL when they are in none */
} tpl_text;

/* ---- Values ---------------------------------------------------------------------------------- */

typedef struct tpl_list tpl_list;
typedef struct tpl_dict tpl_dict;
typedef struct tpl_view tpl_view;
typedef struct tpl_range tpl_range;
typedef struct tpl_iterator tpl_iterator;
typedef struct tpl_macro tpl_macro;
typedef struct tpl_loop tpl_loop;
typedef struct tpl_cycler tpl_cycler;
typedef struct tpl_joiner tpl_joiner;
typedef struct tpl_bound tpl_bound;
typedef struct tpl_function tpl_function;

typedef struct tpl_value {
    uint8_t kind;    /* a tpl_kind */
    bool from_input; /* of a number, boolean or none: so does its text */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const char *name;     /* of what is undefined, terminated */
        const tpl_text *text; /* of TPL_STRING; of TPL_BIG, its digits with a sign */
        const tpl_list *list; /* of TPL_LIST and TPL_TUPLE */
        tpl_dict *dict;       /* of TPL_DICT and TPL_NAMESPACE */
        const tpl_view *view;
        const tpl_range *range;
        tpl_iterator *iterator;
        const tpl_function *function;
        const tpl_bound *method;
        const tpl_macro *macro;
        tpl_loop *loop;
        tpl_cycler *cycler;
        tpl_joiner *joiner;
    };
} tpl_value;

struct tpl_list {
    tpl_value *items; /* [count] */
    size_t count;
};

typedef struct tpl_entry {
    tpl_value key, value;
    uint32_t hash;
} tpl_entry;

/** Entries in the order in which their keys came; a later value takes an earlier one's place. */
struct tpl_dict {
    tpl_entry *entries; /* [count] */
    size_t count, capacity;
    uint32_t
        *slots; /* [n_slots], open addressing: entry plus one, 0 is free; NULL for few entries */
    size_t n_slots; /* a power of two */
};

typedef enum tpl_view_kind { TPL_VIEW_KEYS, TPL_VIEW_VALUES, TPL_VIEW_ITEMS } tpl_view_kind;

struct tpl_view {
    tpl_view_kind kind;
    const tpl_dict *dict;
};

struct tpl_range {
    int64_t start, stop, step;
    size_t count; /* of items from start on, in front of stop */
};

/** The items were made in advance; where the next one could not be, that is told to whoever asks
 * for it. */
struct tpl_iterator {
    tpl_value *items; /* [count] */
    size_t count, taken;
    const fm_error *failure; /* behind the last item; NULL: there are no more */
};

struct tpl_macro {
    const tpl_node *node;
    tpl_scope *scope; /* where it was defined */
};

/** A loop while it runs. Items are taken one by one, since its condition may depend on what its
 * body did to a namespace. */
struct tpl_loop {
    const tpl_node *node; /* the statement */
    tpl_scope *scope;     /* around it */
    tpl_list items;       /* all that is gone through */
    size_t taken;         /* of them, also those that the condition left out */
    bool is_filtered;     /* the condition has still to be asked */
    bool has_next;        /* `next` was taken already */
    tpl_value next, current, previous;
    int64_t index;     /* of the current item, from 0; -1 in front of the first */
    int depth;         /* of loops that call themselves, from 0 */
    tpl_value changed; /* a tuple: what loop.changed was asked last; absent at first */
};

struct tpl_cycler {
    const tpl_list *items;
    size_t at;
};

struct tpl_joiner {
    tpl_value separator;
    bool is_used;
};

/* ---- Small ones ------------------------------------------------------------------------------ */

static inline tpl_value tpl_none(void) {
    return (tpl_value){.kind = TPL_NONE};
}
static inline tpl_value tpl_bool(bool value) {
    return (tpl_value){.kind = TPL_BOOL, .boolean = value};
}
static inline tpl_value tpl_int(int64_t value) {
    return (tpl_value){.kind = TPL_INT, .integer = value};
}
static inline tpl_value tpl_float(double value) {
    return (tpl_value){.kind = TPL_FLOAT, .real = value};
}
static inline tpl_value tpl_string(const tpl_text *text) {
    return (tpl_value){.kind = TPL_STRING, .text = text};
}
/** `name` is terminated and lives as long as the value. */
static inline tpl_value tpl_undefined(const char *name) {
    return (tpl_value){.kind = TPL_UNDEFINED, .name = name};
}
static inline bool tpl_is_number(tpl_value v) {
    return v.kind == TPL_BOOL || v.kind == TPL_INT || v.kind == TPL_BIG || v.kind == TPL_FLOAT;
}

/** A value's kind in words, with its article: "a string". */
const char *tpl_kind_name(tpl_value v);

/** What counts as true: as in Python, empty and zero do not. */
bool tpl_truth(tpl_value v);

/** Equality as Python's: numbers by value whatever their kind, lists and dicts by their
 * contents. */
fm_status tpl_equal(tpl_run *r, tpl_value a, tpl_value b, bool *out);

/** The order of two values: *out is below, equal to or above 0. Fails for kinds that have none
 * between them. A comparison with a float that is no number sets *out to 2. */
fm_status tpl_compare(tpl_run *r, tpl_value a, tpl_value b, int *out);

/** `item in container`. */
fm_status tpl_contains(tpl_run *r, tpl_value container, tpl_value item, bool *out);

/* ---- Lists and dicts ------------------------------------------------------------------------- */

/** A list or tuple of `count` items, which are copied. */
fm_status tpl_list_new(tpl_run *r, tpl_kind kind, const tpl_value *items, size_t count,
                       tpl_value *out);

/** The values that going through one gives: characters of a string, keys of a dict. An iterator is
 * used up. The array is not the caller's to change. */
fm_status tpl_iterate(tpl_run *r, tpl_value v, tpl_list *out);

/** Takes one item of an iterator; *found is false at its end. */
fm_status tpl_iterator_next(tpl_run *r, tpl_iterator *iterator, tpl_value *out, bool *found);

/** How many; false when the kind has no length. */
bool tpl_length(tpl_value v, size_t *out);

fm_status tpl_dict_new(tpl_run *r, tpl_dict **out);
/** Adds an entry or replaces its value. Fails when the key is of a kind that cannot be one. */
fm_status tpl_dict_set(tpl_run *r, tpl_dict *d, tpl_value key, tpl_value value);
/** *out is NULL when there is none. */
fm_status tpl_dict_find(tpl_run *r, const tpl_dict *d, tpl_value key, const tpl_value **out);
/** The same by text: never fails, any thread while nobody writes. */
const tpl_value *tpl_dict_get(const tpl_dict *d, const char *key, size_t length);

/** A list while it is made. Start from a zeroed struct. */
typedef struct tpl_items {
    tpl_value *items; /* [count] */
    size_t count, capacity;
} tpl_items;

fm_status tpl_items_add(tpl_run *r, tpl_items *list, tpl_value v);

#endif
