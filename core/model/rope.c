/* rope.c - rotary frequencies and tables. */
#include "rope.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

double rope_yarn_magnitude(double s, double m) {
    return s <= 1.0 ? 1.0 : 0.1 * m * log(s) + 1.0;
}

static double llama3_frequency(const rope_params *p, double f) {
    double wavelength = 2.0 * PI / f;
    if (wavelength < p->original_context / p->high_freq_factor) return f;
    if (wavelength > p->original_context / p->low_freq_factor) return f / p->factor;
    double u = (p->original_context / wavelength - p->low_freq_factor) /
               (p->high_freq_factor - p->low_freq_factor);
    return (1.0 - u) * f / p->factor + u * f;
}

/** The dimension (of dim) whose wave turns `rotations` times within the original context. */
static double yarn_dimension(const rope_params *p, double rotations) {
    return p->dim * log(p->original_context / (rotations * 2.0 * PI)) / (2.0 * log(p->base));
}

/** Share of stretching for pair i: 0 below the ramp, 1 above. */
static double yarn_ramp(const rope_params *p, int32_t i) {
    double low = yarn_dimension(p, p->beta_fast), high = yarn_dimension(p, p->beta_slow);
    if (p->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0.0);
    high = fmin(high, p->dim - 1.0);
    if (low == high) high += 0.001;
    return fmin(fmax((i - low) / (high - low), 0.0), 1.0);
}

void rope_frequencies(const rope_params *p, float *frequencies) {
    for (int32_t i = 0; i < p->dim / 2; i++) {
        double f = pow(p->base, -2.0 * i / p->dim);
        switch (p->scaling) {
        case ROPE_SCALING_NONE:
            break;
        case ROPE_SCALING_LINEAR:
            f /= p->factor;
            break;
        case ROPE_SCALING_LLAMA3:
            f = llama3_frequency(p, f);
            break;
        case ROPE_SCALING_YARN: {
            double ramp = yarn_ramp(p, i);
            f = f / p->factor * ramp + f * (1.0 - ramp);
            break;
        }
        }
        frequencies[i] = (float)f;
    }
}

void rope_fill_table(const rope_params *p, int32_t n_positions, float *table) {
    float frequencies[ROPE_MAX_DIM / 2];
    int32_t n_pairs = p->dim / 2;
    rope_frequencies(p, frequencies);
    for (int32_t t = 0; t < n_positions; t++)
        for (int32_t i = 0; i < n_pairs; i++) {
            float angle = (float)t * frequencies[i];
            float *pair = table + ((int64_t)t * n_pairs + i) * 2;
            pair[0] = (float)(cos((double)angle) * p->magnitude);
            pair[1] = (float)(sin((double)angle) * p->magnitude);
        }
}
