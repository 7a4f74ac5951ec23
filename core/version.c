/* version.c - the version, as the build file states it. */
#include "fathom.h"

const char *fm_version(void) {
    return FATHOM_VERSION;
}
