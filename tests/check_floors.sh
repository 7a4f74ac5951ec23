#!/bin/sh
# check_floors.sh - the rules of the house that a script can check: which floor includes which,
# names of GPU interfaces, calls that the core must not make, mutable globals, lengths and widths,
# headers that compile alone, numbered TODOs. Most are in check_floors.awk, which needs no compiler.
#
#   tests/check_floors.sh               checks the repository; one line per violation, exit status 1
#   tests/check_floors.sh --root DIR    the same for another tree
#   tests/check_floors.sh --self-test   makes a tree with one violation of each kind, one after the
#                                       other, and checks that each is found
set -u
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# ---- Checking a tree -----------------------------------------------------------------------------

# Source files that exist, relative to the root: tracked ones and those about to be.
list_files() {
    {
        { [ -e .git ] && git ls-files --cached --others --exclude-standard 2>/dev/null; } ||
            find . -type f | sed 's|^\./||'
    } | grep -E '^(core|backends|shaders|native|web|tests)/' |
        grep -E '\.(c|h|cu|cuh|comp|sh|awk|py|js|mjs)$' |
        grep -v '^tests/data/' | sort -u | while read -r file; do
        if [ -f "$file" ]; then echo "$file"; fi
    done
}

package_flags() {
    for package in libcjson libxxhash libedit cmocka libmicrohttpd sqlite3; do
        pkg-config --cflags "$package" 2>/dev/null
    done
}

# Compiles one header alone. $1: the compiler and its flags; $2: the language; $3: the header.
compile_header() {
    if ! printf '#include "%s"\n' "$3" |
        $1 -x "$2" -Wall -Wextra -Werror -fsyntax-only -DTEST_DATA='""' \
            -DBUILD_DIR='""' -I. -Icore -Itests - 2>"$work/compiler"; then
        what=$(grep -m1 error "$work/compiler")
        echo "$3:1: does not compile alone as $2: $what"
    fi
}

# Headers of CUDA and Vulkan need kits that a machine may lack; their own builds compile them.
check_headers() {
    if command -v "${CC:-cc}" >/dev/null; then
        c="${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE"
        c="$c $(package_flags | tr '\n' ' ')"
        kits='^(backends/cuda|backends/vulkan|tests/vulkan/shim)/'
        grep '\.h$' "$work/files" | grep -vE "$kits" | while read -r header; do
            compile_header "$c" c "$header"
        done
    else
        echo "skip: no C compiler, headers were not compiled" >&2
    fi
    if command -v g++ >/dev/null && [ -f core/fathom.h ]; then
        compile_header "g++ -std=c++11 -pedantic" c++ core/fathom.h
    fi
}

# $1: the root; $2: "text" to leave out what needs a compiler.
check_tree() {
    cd "$1" || exit 1
    list_files >"$work/files"
    if [ ! -s "$work/files" ]; then
        echo "$1: no source files found" >&2
        exit 1
    fi
    # No name of a source file has white space in it, so the list can be split into arguments.
    # shellcheck disable=SC2046
    {
        awk -v list="$work/files" -f "$here/check_floors.awk" $(cat "$work/files") ||
            echo "check_floors.awk:1: awk failed"
        [ "$2" = text ] || check_headers
    } >"$work/violations"
    if [ -s "$work/violations" ]; then
        cat "$work/violations"
        exit 1
    fi
    echo "floors: $(wc -l <"$work/files" | tr -d ' ') files, clean"
}

# ---- Self-test -----------------------------------------------------------------------------------

# A small tree that keeps every rule, and comes close to breaking some.
make_clean_tree() {
    rm -rf "$work/tree"
    for folder in core/base core/data core/text core/model core/engine backends/cpu \
        backends/vulkan backends/cuda native tests/vulkan/shim; do
        mkdir -p "$work/tree/$folder"
    done
    cd "$work/tree" || exit 1
    cat >core/fathom.h <<'END'
#ifndef FATHOM_H
#define FATHOM_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
int fm_one(void);
#ifdef __cplusplus
}
#endif
#endif
END
    echo '#include "base/a.h"' >core/backend.h
    printf '#include "../fathom.h"\ntypedef struct a a;\n' >core/base/a.h
    echo '#include "a.h"' >core/base/json.h
    echo '#include "../base/a.h"' >core/data/d.h
    echo '#include "../base/a.h"' >core/text/t.h
    printf '#include "../%s"\n' backend.h text/t.h data/d.h >core/model/m.h
    echo '#include "../model/m.h"' >core/engine/e.c
    printf '#include "%s"\n' ../../core/backend.h c.h >backends/cpu/c.c
    echo '#include "../../core/data/d.h"' >backends/cpu/c.h
    echo 'int f(void) { return vkCreateDevice(0); }' >backends/vulkan/v.c
    echo '#include <vulkan/vulkan_core.h>' >tests/vulkan/shim/v.c
    echo 'int g(void) { return cudaMalloc(0) + cuInit(0); }' >backends/cuda/u.c
    printf '#include "fathom.h"\n#include "base/json.h"\n#include "n.h"\nint main(void) { printf("x"); }\n' >native/n.c
    echo 'int n;' >native/n.h
    cat >core/base/a.c <<'END'
/* exit(1) abort() static int x; cudaMalloc vkCreate in a comment; TODO(#7): numbered */
#include "a.h"
#ifdef __linux__
#endif
static const char *const names[] = {"exit(1)", "static int x;"};
static const struct { int a; } rows[2] = {{1}, {2}};
const int table[] = {1, 2};
enum { LIMIT = 3 };
struct a { int b; };
typedef struct b { int c; } b;
FM_PRINTF(1, 2)
static const char *name_of(int i, int (*fn)(void)) { return names[i + fn()]; }
static inline int twice(int i) { static const int two = 2; return two * i; }
static int (*const call)(void) = 0;
static char *later(
    int i);
int fm_one(void) {
    char out[9];
    int x = 1, y;
    snprintf(out, sizeof out, "%d", x);
    for (y = 0; y < 3; y++) { x = y; }
    return pthread_exit_code(x);
}
END
    cd "$root" || exit 1
}

# Keeps the outcome of a case in files: cases at the end of a pipe run in a shell of their own.
report() {
    echo "$1" >>"$work/$1"
    [ "$1" = passed ] || { echo "self-test: $2; the output was:" && sed 's/^/    /' "$work/out"; }
}

# expect FILE LINE PART [all]: writes stdin to FILE of a clean tree, and wants the violation
# "FILE:LINE: …PART…". Without "all", headers are not compiled.
expect() {
    make_clean_tree
    mkdir -p "$(dirname "$work/tree/$1")"
    cat >"$work/tree/$1"
    if ! sh "$here/check_floors.sh" --root "$work/tree" "${4:-text}" >"$work/out" 2>&1 &&
        grep -F "$1:$2: " "$work/out" | grep -qF "$3"; then
        report passed
    else
        report failed "\"$3\" was not found at $1:$2"
    fi
}

# The same with the contents as the last argument.
plant() {
    printf '%s\n' "$4" | expect "$1" "$2" "$3"
}

# repeat COUNT LINE
repeat() {
    awk -v n="$1" -v line="$2" 'BEGIN { for (i = 0; i < n; i++) print line }'
}

test_clean_tree() {
    make_clean_tree
    if sh "$here/check_floors.sh" --root "$work/tree" >"$work/out" 2>&1 &&
        grep -q '^floors: 16 files, clean$' "$work/out"; then
        report passed
    else
        report failed "the clean tree is not clean"
    fi
}

test_includes() {
    plant core/base/x.c 1 'higher floor' '#include "../data/d.h"'
    plant core/data/x.h 1 'higher floor' '#include "../backend.h"'
    plant core/model/x.c 1 'is on no floor' '#include "../../backends/cpu/c.h"'
    plant core/data/x.c 1 'DATA and TEXT' '#include "../text/t.h"'
    plant core/text/x.c 1 'DATA and TEXT' '#include "../data/d.h"'
    plant core/model/x.c 1 'no tracked file' '#include "absent.h"'
    plant core/other/x.c 1 'on no floor' 'int f(void);'
    plant backends/cpu/x.c 1 'a backend sees' '#include "../../core/model/m.h"'
    plant backends/vulkan/x.c 1 'a backend sees' '#include "../cpu/c.h"'
    plant native/x.c 1 'programs see' '#include "../core/base/a.h"'
    plant native/x.c 1 'programs see' '#include "base/a.h"'
    plant native/x.c 1 'programs see' '#include "../core/base/json.h"'
    plant native/x.c 1 'programs see' '#include "data/d.h"'
    plant native/x.c 1 'programs see' '#include "backend.h"'
    plant web/x.c 1 'programs see' '#include "base/json.h"'
    plant core/fathom.h 1 'only standard headers' '#include "base/a.h"'
    plant core/fathom.h 1 'only standard headers' '#include <unistd.h>'
    plant core/model/x.c 1 'outside the folder' '#include <vulkan/vulkan.h>'
    plant tests/ops/x.c 1 'outside the folder' '#include <vulkan/vulkan.h>'
    plant native/x.c 1 'outside the folder' '#include <cuda_runtime.h>'
}

test_names() {
    plant core/model/x.c 1 'a CUDA name' 'int f(void) { return cudaFree(0); }'
    plant backends/cpu/x.c 1 'a CUDA name' 'int f(void) { return cuInit(0); }'
    plant native/x.c 1 'a Vulkan name' 'VkDevice d;'
    plant backends/cuda/x.c 1 'a Vulkan name' 'int f(void) { return vkWait(); }'
    plant core/base/x.c 1 'preprocessor' '#ifdef FATHOM_CUDA'
    plant core/base/x.c 1 'preprocessor' '#if defined(USE_VULKAN)'
    plant core/base/x.c 1 'preprocessor' '#ifndef FATHOM_VULKAN'
    for call in getenv exit abort printf fprintf puts; do
        plant core/base/x.c 2 " $call (" "int f(void) {
    return $call (0); }"
    done
}

test_globals() {
    plant core/base/x.c 1 'a mutable static' 'static int count;'
    plant core/base/x.c 1 'a mutable static' 'static const char *name = "x";'
    plant core/base/x.c 1 'a mutable static' 'static struct { int a; } state;'
    plant core/base/x.c 1 'a mutable static' 'static int (*hook)(void);'
    plant core/base/x.c 1 'a mutable static' 'static char text[sizeof(int)];'
    plant core/base/x.c 2 'a mutable static' 'int f(void) {
    static int calls = 0; return calls++; }'
    plant backends/cpu/x.c 1 'a mutable static' 'static _Thread_local int last;'
    plant core/base/x.c 1 'a mutable global' 'int count = 3;'
}

test_sizes() {
    repeat 521 '/* line */' | expect core/base/x.c 521 'a file of 521 lines'
    { echo 'int f(void) {' && repeat 99 '    g();' && echo '}'; } |
        expect core/base/x.c 1 'a function of 101 lines'
    repeat 3 "/* $(repeat 30 'wide' | tr '\n' ' ') */" | expect core/base/x.c 2 'columns'
}

test_headers_and_notes() {
    echo 'size_t f(void);' | expect core/data/x.h 1 'does not compile alone as c:' all
    echo 'int f(int class);' | expect core/fathom.h 1 'does not compile alone as c++:' all
    plant core/base/x.c 1 'a TODO without' '/* TODO: later */'
    plant tests/x.py 2 'a TODO without' '
# TODO'
}

count_of() {
    [ -f "$work/$1" ] && wc -l <"$work/$1" | tr -d ' ' || echo 0
}

self_test() {
    test_clean_tree
    test_includes
    test_names
    test_globals
    test_sizes
    test_headers_and_notes
    echo "floors self-test: $(count_of passed) cases passed, $(count_of failed) failed"
    [ "$(count_of failed)" -eq 0 ]
}

case "${1:-}" in
--self-test) self_test ;;
--root) check_tree "$2" "${3:-all}" ;;
'') check_tree "$root" all ;;
*)
    echo "usage: check_floors.sh [--self-test | --root DIR]" >&2
    exit 2
    ;;
esac
