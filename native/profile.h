/* profile.h - the table of --profile: what the calls to the device came to. */
#ifndef FATHOM_NATIVE_PROFILE_H
#define FATHOM_NATIVE_PROFILE_H

#include "fathom.h"

/** Prints one line for each kind of call on standard error, the one that took longest first. */
void profile_print(const fm_model *m);

#endif
