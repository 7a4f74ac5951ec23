/*
 * rope.h - rotary position embedding: frequencies with the scalings of published models, and the
 * table of cosines and sines that op_rope reads. Pure functions. Source: huggingface/transformers
 * modeling_rope_utils.py; YaRN arXiv 2309.00071.
 */
#ifndef FATHOM_MODEL_ROPE_H
#define FATHOM_MODEL_ROPE_H

#include "../backend.h"

enum { ROPE_MAX_DIM = 1024 };

typedef enum rope_scaling {
    ROPE_SCALING_NONE,
    ROPE_SCALING_LINEAR, /* positions divided by the factor */
    ROPE_SCALING_LLAMA3, /* long wavelengths stretched, short ones kept */
    ROPE_SCALING_YARN,   /* slow dimensions stretched, fast ones kept, a ramp between */
} rope_scaling;

typedef struct rope_params {
    int32_t dim; /* R: rotated values of a head, even, at most ROPE_MAX_DIM */
    double base; /* rope_theta */
    fm_rope_pairing pairing;
    rope_scaling scaling;
    double factor;
    double original_context; /* llama3, YaRN: original_max_position_embeddings */
    double low_freq_factor;  /* llama3 */
    double high_freq_factor;
    double beta_fast; /* YaRN */
    double beta_slow;
    bool truncate;    /* YaRN: ramp borders rounded to whole dimensions */
    double magnitude; /* YaRN: factor on every cosine and sine; else 1 */
} rope_params;

/** YaRN's magnitude: 1 up to s = 1, else 0.1 m ln s + 1. */
double rope_yarn_magnitude(double s, double m);

/** Angle per position of every pair, [dim/2]. */
void rope_frequencies(const rope_params *p, float *frequencies);

/** Cosine and sine of positions 0 … n_positions - 1: [n_positions, dim/2, 2]. The angle is the
 * float32 product of position and frequency, as in the reference. */
void rope_fill_table(const rope_params *p, int32_t n_positions, float *table);

#endif
