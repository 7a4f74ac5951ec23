/*
 * chat.h - a conversation with a model: what it holds while it goes on, a turn of it, and the
 * commands that begin with a slash. Functions return an exit status and print their own message.
 */
#ifndef FATHOM_NATIVE_CHAT_H
#define FATHOM_NATIVE_CHAT_H

#include "chat_input.h"
#include "chat_prefix.h"
#include "conversation.h"
#include "session.h"

typedef struct chat {
    const options *options;
    session session;
    chat_input input;
    conversation conversation;
    chat_prefix prefix;
    bool leaves; /* /quit */
} chat;

/** Asks a question and prints the answer; both become part of the conversation. A question to which
 * nothing came is taken back, an answer that was interrupted is kept as far as it came. */
int chat_ask(chat *c, const char *question, size_t length);

/** Answers the last question anew. The former answer stays where nothing comes. */
int chat_answer_again(chat *c);

/** Runs a command, "/name argument"; terminated. */
int chat_command_run(chat *c, const char *text);

/** What was done, for a person who sees nothing else of it: a line on standard error, on a terminal
 * only. */
void chat_note(const chat *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
