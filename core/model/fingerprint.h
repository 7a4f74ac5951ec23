/*
 * fingerprint.h - a number that tells models apart, so that what one has computed is not taken for
 * the work of another. Pure; any thread.
 */
#ifndef FATHOM_MODEL_FINGERPRINT_H
#define FATHOM_MODEL_FINGERPRINT_H

#include "model.h"

enum { FINGERPRINT_SIZE = 16 }; /* bytes */

/** XXH3-128 over everything that cached rows depend on: the description, the formats of weights and
 * cache, and of each tensor its name, format, shape and a sample of its bytes. Two models with the
 * same number may still differ in bytes that the sample leaves out. FM_ERR_MEMORY. */
fm_status model_fingerprint(const fm_model *m, uint8_t out[FINGERPRINT_SIZE], fm_error *err);

#endif
