/*
 * batch.h - many requests at once: lines of JSON in, lines of JSON out, in the order in which the
 * answers end.
 */
#ifndef FATHOM_NATIVE_BATCH_H
#define FATHOM_NATIVE_BATCH_H

#include "lines.h"
#include "options.h"
#include "session.h"

/** Runs the requests of the lines on the session's engine. What the options say holds for lines
 * that say nothing else. A line that is wrong is answered with its error and the others go on.
 * Lines are read as there is room for them, and without waiting for them while answers are under
 * way. The first Ctrl-C cancels what runs. Returns the exit status: failed when any line was, or
 * was cancelled. */
int batch_run(const options *o, const session *s, lines *input);

#endif
