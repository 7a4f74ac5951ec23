/* cpu_isa.c - chooses the kernel table that this machine can run. */
#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "cpu_kernels.h"

#if defined(__x86_64__)
/* Conversion of half floats. A hypervisor may hide it from a guest that has AVX2, and not every
 * compiler's __builtin_cpu_supports knows its name. It needs no more of the system than AVX2 does,
 * which the builtin checks. */
static bool has_f16c(void) {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C) != 0;
}
#endif

const cpu_kernels *cpu_kernels_find(const char *isa) {
    const cpu_kernels *found[4];
    int n = 0;
#if defined(__x86_64__)
    bool fma = __builtin_cpu_supports("fma");
    /* A compiler that may use AVX-512 may use all of AVX2 and F16C beside it. */
    bool avx2 = fma && __builtin_cpu_supports("avx2") && has_f16c();
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        found[n++] = &cpu_kernels_avx512;
    if (avx2) found[n++] = &cpu_kernels_avx2;
    if (fma) found[n++] = &cpu_kernels_scalar;
#endif
    found[n++] = &cpu_kernels_scalar_soft;
    for (int i = 0; i < n; i++)
        if (!isa || strcmp(isa, found[i]->isa) == 0) return found[i];
    return NULL;
}
