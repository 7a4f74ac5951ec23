/* backend_module.c - finds the table of a backend: the CPU's is linked in, others are modules. */
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "base/os.h"

enum { PATH_MAX_BYTES = 4096 };

/** The symbol and file that a module of this name has; false for what is no name. */
static bool module_names(const char *name, char symbol[64], char file[64]) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    if (n == 0 || n > 16 || name[n] != '\0') return false;
    snprintf(symbol, 64, "fm_backend_%s", name);
    snprintf(file, 64, "libfathom_%s.so", name);
    return true;
}

fm_status backend_find(const char *name, const fm_backend **out, fm_error *err) {
    /* Beside the program or library, above it (programs in a folder of the build), where an install
     * put it, and where the system looks for libraries. */
    static const char *const places[] = {"", "/..", ("/../" FATHOM_LIBDIR)};
    char symbol[64], file[64], dir[PATH_MAX_BYTES], path[PATH_MAX_BYTES + 128], why[256];
    *out = NULL;
    if (strcmp(name, "cpu") == 0) {
        *out = &fm_backend_cpu;
        return FM_OK;
    }
    if (!module_names(name, symbol, file))
        return error_set(err, FM_ERR_ARG, "\"%s\" names no backend: use cpu or vulkan", name);
    FM_TRY(os_code_dir(dir, sizeof dir, err));
    for (size_t i = 0; !*out && i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, sizeof path, "%s%s/%s", dir, places[i], file);
        if (os_path_exists(path)) *out = os_library_symbol(path, symbol, why, sizeof why);
    }
    if (!*out) *out = os_library_symbol(file, symbol, why, sizeof why);
    if (*out) return FM_OK;
    return error_set(err, FM_ERR_UNSUPPORTED, "the %s backend cannot be opened: %s", name, why);
}
