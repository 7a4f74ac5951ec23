/* os_library.c - shared libraries opened at run time, and where our own code lies. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os.h"

/* RTLD_NODELETE: tables found in the library are used for as long as the program runs, and drivers
 * leave threads and thread-local data behind. */
void *os_library_symbol(const char *path, const char *symbol, char *why, size_t why_size) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *found = library ? dlsym(library, symbol) : NULL;
    if (!found && why) {
        const char *reason = dlerror();
        snprintf(why, why_size, "%s", reason ? reason : "the symbol is NULL");
    }
    if (library) dlclose(library);
    return found;
}

/** Cuts a path behind its last directory; false when it names none. */
static bool cut_file_name(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash || slash == path) return false;
    *slash = '\0';
    return true;
}

/* A program started by a bare name is known to the dynamic linker by that name alone; the kernel
 * knows where it is. */
fm_status os_code_dir(char *out, size_t out_size, fm_error *err) {
    static const char anchor = 0;
    Dl_info info;
    int n = -1;
    if (dladdr(&anchor, &info) != 0 && info.dli_fname && info.dli_fname[0] == '/')
        n = snprintf(out, out_size, "%s", info.dli_fname);
    else if ((n = (int)readlink("/proc/self/exe", out, out_size - 1)) >= 0)
        out[n] = '\0';
    if (n < 0 || (size_t)n >= out_size || !cut_file_name(out))
        return error_set(err, FM_ERR_IO, "the directory of the program cannot be found");
    return FM_OK;
}
