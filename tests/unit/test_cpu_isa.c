/* test_cpu_isa.c - the kernels that are found are those whose instructions the machine has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../backends/cpu/cpu_kernels.h"

/** The flags of the first processor as the system lists them, with a space on either side. */
static bool read_flags(char *out, size_t size) {
    FILE *f = fopen("/proc/cpuinfo", "r");
    bool found = false;
    if (!f) return false;
    while (!found && fgets(out, (int)size, f)) found = strncmp(out, "flags", 5) == 0;
    fclose(f);
    char *end = strchr(out, '\n');
    if (end) *end = ' ';
    return found && end;
}

/** True when all words of the list, each with a space on either side, are flags. */
static bool has_all(const char *flags, const char *const *words) {
    for (; *words; words++)
        if (!strstr(flags, *words)) return false;
    return true;
}

static const struct isa_case {
    const char *isa;
    const char *words[8];
} isa_cases[] = {
    {"scalar_soft", {NULL}},
    {"scalar", {" fma "}},
    {"avx2", {" fma ", " avx2 ", " f16c "}},
    {"avx512",
     {" fma ", " avx2 ", " f16c ", " avx512f ", " avx512bw ", " avx512vl ", " avx512dq "}},
};

static void cpu_isa_finds_what_the_machine_has(void **state) {
    (void)state;
    char flags[8192];
    const char *best = NULL;
    if (!read_flags(flags, sizeof flags)) {
        print_message("skip: the system does not list the processor's flags\n");
        skip();
    }
    for (size_t i = 0; i < sizeof isa_cases / sizeof *isa_cases; i++) {
        const struct isa_case *c = &isa_cases[i];
        const cpu_kernels *found = cpu_kernels_find(c->isa);
        if ((found != NULL) != has_all(flags, c->words))
            fail_msg("%s: %s", c->isa, found ? "found but not there" : "there but not found");
        if (!found) continue;
        assert_string_equal(found->isa, c->isa);
        best = c->isa;
    }
    assert_string_equal(cpu_kernels_find(NULL)->isa, best);
    assert_null(cpu_kernels_find("sse9"));
    assert_null(cpu_kernels_find(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cpu_isa_finds_what_the_machine_has)};
    return cmocka_run_group_tests_name("test_cpu_isa", tests, NULL, NULL);
}
