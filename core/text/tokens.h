/*
 * tokens.h - fm_tokens as core/text fills them: the append that says what went wrong.
 */
#ifndef FATHOM_TEXT_TOKENS_H
#define FATHOM_TEXT_TOKENS_H

#include "../base/error.h"

/** Appends one id. FM_ERR_MEMORY leaves the list as it was. The list's owner's thread. */
fm_status tokens_append(fm_tokens *tokens, int32_t id, fm_error *err);

#endif
