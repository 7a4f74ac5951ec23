#!/bin/sh
# test_library.sh PROGRAM - the library as users get it: what it exports, that it installs, and that the
# examples build and run with it. The build directory is that of the program.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

root=$(dirname "$0")/../..
build=$(dirname "$program")
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
sanitize=$(sed -n 's/^FATHOM_SANITIZE:[A-Z]*=//p' "$build/CMakeCache.txt")

# The functions that fathom.h declares: names in front of a bracket, outside comments and macros.
declared() {
    echo '#include "fathom.h"' | "$cc" -I"$root/core" -E -P - | tr '\n' ' ' | tr ';' '\n' |
        grep -v typedef | grep -o 'fm_[a-z0-9_]*(' | tr -d '(' | sort -u
}

# The sanitizers add names of their own, which begin with underscores.
exported() {
    nm -D --defined-only "$1" | awk '{ print $NF }' | sed 's/@.*//' | grep -v '^_' | sort -u
}

library_exports_what_the_header_declares() {
    command -v nm >/dev/null || { skip "no nm" && return; }
    declared >"$work/declared"
    exported "$build/libfathom.so" >"$work/exported"
    [ "$(wc -l <"$work/declared")" -gt 40 ] || complain "few functions in the header"
    grep -qx fm_engine_step "$work/declared" || complain "the header was not understood"
    diff "$work/declared" "$work/exported" >"$work/out" ||
        complain "declared (<) and exported (>) differ: $(tr '\n' ' ' <"$work/out")"
}

library_carries_its_version() {
    command -v readelf >/dev/null || { skip "no readelf" && return; }
    version=$("$program" --version | sed 's/fathom //')
    [ -f "$build/libfathom.so.$version" ] || complain "no file of version $version"
    readelf -d "$build/libfathom.so" | grep -q "SONAME.*\\[libfathom\\.so\\.${version%.*}\\]" ||
        complain "another name: $(readelf -d "$build/libfathom.so" | grep SONAME)"
}

# Installs once; $work/installed.
need_installed() {
    command -v cmake >/dev/null || { skip "no cmake" && return 1; }
    [ -d "$work/installed" ] || cmake --install "$build" --prefix "$work/installed" \
        >"$work/out" 2>"$work/err" || { complain "cmake --install failed" && return 1; }
}

# compile_example NAME - with nothing but what was installed.
compile_example() {
    pc=$(dirname "$(find "$work/installed" -name fathom.pc)")
    # shellcheck disable=SC2046 # a list of flags
    "$cc" -std=c11 ${sanitize:+-fsanitize=$sanitize} "$root/examples/$1.c" -o "$work/$1" \
        $(PKG_CONFIG_PATH="$pc" pkg-config --cflags --libs fathom) \
        -Wl,-rpath,"$(dirname "$pc")" 2>"$work/err" || complain "$1.c does not build"
}

library_installs_header_library_and_program() {
    need_installed || return
    # The module is there when the build had what it needs.
    (cd "$work/installed" && find . -type f ! -name 'libfathom_vulkan.so' | sort) >"$work/files"
    for file in bin/fathom include/fathom.h; do
        grep -qx "./$file" "$work/files" || complain "not installed: $file"
    done
    [ "$(wc -l <"$work/files")" -eq 5 ] || complain "not 5 files: $(cat "$work/files")"
    make_constant "$work/constant" 64
    program_before=$program
    program=$work/installed/bin/fathom
    run generate "$work/constant" -p Q -n 3
    program=$program_before
    expect_status 0
    expect_output aaa
}

library_is_enough_for_the_examples() {
    need_installed || return
    command -v pkg-config >/dev/null || { skip "no pkg-config" && return; }
    make_constant "$work/constant" 64
    compile_example one_answer
    compile_example many
    "$work/one_answer" "$work/constant" Q >"$work/out" 2>"$work/err" || complain "one_answer failed"
    expect_output 'a{64}'
}

run_cases
