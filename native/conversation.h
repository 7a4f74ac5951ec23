/*
 * conversation.h - the messages of a conversation, in order, and what is made of them: the prompt's
 * ids, and JSON in the form of OpenAI's interface. Start from a zeroed struct; it owns all its
 * texts.
 *
 * A text may hold any bytes but NUL, which ends the strings that a chat layout takes. Functions
 * that fail leave the conversation as it was, fill `err` (never NULL) with one line, and print
 * nothing.
 */
#ifndef FATHOM_NATIVE_CONVERSATION_H
#define FATHOM_NATIVE_CONVERSATION_H

#include "bytes.h"
#include "fathom.h"

enum {
    CONVERSATION_MAX_MESSAGES = 10000,
    CONVERSATION_MAX_BYTES = 64 * 1000 * 1000, /* of all texts together */
};

typedef struct conversation_message {
    const char *role; /* one of the conversation's own constants */
    char *text;       /* terminated */
    size_t length;    /* bytes */
} conversation_message;

typedef struct conversation {
    conversation_message *messages; /* [count] */
    size_t count;
    size_t capacity;
    size_t n_bytes; /* of all texts */
} conversation;

/** Appends a message. `role` is "system", "user" or "assistant". FM_ERR_ARG for another role or a
 * NUL byte in the text, FM_ERR_LIMIT, FM_ERR_MEMORY. */
fm_status conversation_add(conversation *c, const char *role, const char *text, size_t length,
                           fm_error *err);

/** Sets the system message at the head, in place of the one that stands there; an empty text takes
 * it away. */
fm_status conversation_set_system(conversation *c, const char *text, size_t length, fm_error *err);

/** The role of the last message, or "" when there is none. */
const char *conversation_last_role(const conversation *c);

/** Takes the last message off and hands its text (terminated) to the caller, who frees it; NULL
 * when there is none. */
char *conversation_take_last(conversation *c);

/** Drops all messages but a system message at the head. */
void conversation_clear(conversation *c);
void conversation_free(conversation *c); /* and zeroes the struct */

/** Appends the ids of the prompt that asks for the next answer, in a layout by name (NULL: the one
 * that fits the vocabulary). Fails as fm_chat_encode does. */
fm_status conversation_encode(const conversation *c, const fm_tokenizer *t, const char *layout,
                              fm_tokens *out, fm_error *err);

/** Appends {"messages":[{"role":…,"content":…},…]} and a newline, a message a line. Bytes that are
 * no UTF-8 become U+FFFD. False when memory is out. */
bool conversation_write_json(const conversation *c, bytes *out);

/** Reads such an object, or the list of messages alone, from `length` bytes of text; what else the
 * object holds is passed over. *out, zeroed or in use, is replaced. A message is refused when it
 * has anything but a role and a text (or a list of text parts): what it says would get lost. `name`
 * stands in messages. FM_ERR_FORMAT, FM_ERR_UNSUPPORTED, FM_ERR_LIMIT, FM_ERR_MEMORY. */
fm_status conversation_parse_json(conversation *out, const char *name, const char *text,
                                  size_t length, fm_error *err);

/** The same of a file. FM_ERR_NOT_FOUND and FM_ERR_IO besides. */
fm_status conversation_read_json(conversation *out, const char *path, fm_error *err);

#endif
