/* command.h - the commands of the program. Each takes parsed options and returns the exit status.
 */
#ifndef FATHOM_NATIVE_COMMAND_H
#define FATHOM_NATIVE_COMMAND_H

#include "options.h"

int cmd_generate(const options *o);
int cmd_chat(const options *o);
int cmd_logits(const options *o);
int cmd_tokenize(const options *o);
int cmd_template(const options *o);
int cmd_inspect(const options *o);
int cmd_plan(const options *o);
int cmd_devices(const options *o);

#endif
