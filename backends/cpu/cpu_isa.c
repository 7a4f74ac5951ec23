/* cpu_isa.c - chooses the kernel table that this machine can run. */
#include <string.h>

#include "cpu_kernels.h"

const cpu_kernels *cpu_kernels_find(const char *isa) {
    const cpu_kernels *found[4];
    int n = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        found[n++] = &cpu_kernels_avx512;
    /* Every processor with AVX2 converts half floats too; not every compiler can ask for that. */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[n++] = &cpu_kernels_avx2;
    if (__builtin_cpu_supports("fma")) found[n++] = &cpu_kernels_scalar;
#endif
    found[n++] = &cpu_kernels_scalar_soft;
    for (int i = 0; i < n; i++)
        if (!isa || strcmp(isa, found[i]->isa) == 0) return found[i];
    return NULL;
}
