#!/bin/sh
# run.sh - runs the suites that ./dev test has built, several at a time, one line a suite, and ends
# with the totals.
#
#   sh tests/run.sh [all|fuzz|vulkan|web]     vulkan: those that use a Vulkan device, one at a time
#                                             web: those that run as WebAssembly
#
# A suite is tests/*/test_NAME.c (a cmocka program in <build>/tests), tests/*/test_NAME.sh (called
# with the program's path) or a check, whose exit status alone is its verdict. The environment has:
#   FAILED_BUILDS   presets that did not build: each counts as one failure
#   TSAN_SUITES     the suites that run under the thread sanitizer
#   WEB             empty: nothing is run as WebAssembly
#   FUZZ_COMPILER   empty: the fuzz targets are skipped;  FUZZ_SECONDS  for each target
#   RUN_JOBS        suites at a time; default: the number of processors, at most 8
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${FUZZ_SECONDS:-30}

# ---- One suite: `run.sh one KIND|LABEL|COMMAND`, in a process of its own -------------------------

# The sum of the counts in lines like "[  PASSED  ] 3 test(s)" and "[  SKIPPED ] group: 1 test(s)":
# one for each group of tests.
count() {
    cat "$work/out" "$work/err" |
        sed -n "s/^\[ *$1 *\] \(.*: \)\{0,1\}\([0-9][0-9]*\) test(s).*/\2/p" |
        awk '{ n += $1 } END { print n + 0 }'
}

# tally LABEL PASSED FAILED SKIPPED - a suite's line, and its counts for the totals.
tally() {
    printf '%-34s %5d passed %4d failed %4d skipped\n' "$@"
    echo "$2 $3 $4" >>"$RUN_TALLY"
}

# Counts what a suite said about its cases. A crash, a time limit, a failure outside any case, or a
# suite that ran nothing adds one failed case.
tally_suite() {
    n_passed=$(count PASSED)
    n_failed=$(count FAILED)
    n_skipped=$(count SKIPPED)
    if [ "$status" -ne 0 ] && [ "$n_failed" -eq 0 ]; then
        n_failed=1
        echo "exit status $status" >>"$work/err"
    elif [ $((n_passed + n_failed + n_skipped)) -eq 0 ]; then
        n_failed=1
        echo "no case ran" >>"$work/err"
    fi
    tally "$1" "$n_passed" "$n_failed" "$n_skipped"
    cat "$work/out" "$work/err" | sed -n 's/^.*\(skip: .*\)/    \1/p' | sort -u
    [ "$n_failed" -eq 0 ] || show_end
}

tally_check() {
    if [ "$status" -eq 0 ]; then
        tally "$1" 1 0 0
    else
        tally "$1" 0 1 0
        show_end
    fi
}

show_end() {
    cat "$work/out" "$work/err" | tail -n 30 | sed 's/^/    | /'
}

run_one() {
    kind=${1%%|*}
    label=${1#*|}
    command=${label#*|}
    label=${label%%|*}
    work=$(mktemp -d) || exit 1
    trap 'rm -rf "$work"' EXIT
    limit=600 # seconds: a suite that hangs is a failure
    [ "$kind" != fuzz ] || limit=$((seconds + 300))
    # Suites that are given no Vulkan device see none, so that "auto" is the same on every machine.
    case "$label" in
    *vulkan* | test_vk_*) ;;
    test_cli*) ;; # they look at what there is
    *) export VK_ICD_FILENAMES=/nonexistent VK_DRIVER_FILES=/nonexistent ;;
    esac
    # shellcheck disable=SC2086 # a command and its arguments
    timeout --foreground "$limit" $command >"$work/out" 2>"$work/err" </dev/null
    status=$?
    # Printed at once, so that the lines of two suites never mix.
    if [ "$kind" = suite ]; then tally_suite "$label"; else tally_check "$label"; fi >"$work/report"
    cat "$work/report"
}

# fuzz_one NAME - one fuzz target, with its dictionary, from the checked-in seeds and what former
# runs kept.
fuzz_one() {
    kept=build-fuzz/corpus/$1
    mkdir -p "$kept"
    seeds=
    [ ! -d "tests/fuzz/seeds/$1" ] || seeds=tests/fuzz/seeds/$1
    words=
    [ ! -f "tests/fuzz/$1.dict" ] || words=-dict=tests/fuzz/$1.dict
    # shellcheck disable=SC2086 # one word or nothing, each
    "build-fuzz/fuzz/$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/$1-" $words "$kept" $seeds
}

# ---- All suites, as lines KIND|LABEL|COMMAND -----------------------------------------------------

built() {
    case " ${FAILED_BUILDS:-} " in
    *" $1 "*)
        echo "check|the $1 build|false"
        return 1
        ;;
    esac
}

# list_suites MARK BUILD - everything that runs against one build directory.
list_suites() {
    for source in tests/*/test_*.c; do
        name=$(basename "$source" .c)
        [ -f "$source" ] || continue
        # Models on an emulated device whose calls fail one by one: hundreds of runs.
        [ "$name$1" != 'test_vk_model (asan)' ] || continue
        echo "suite|$name$1|$2/tests/$name"
        # Those with a device for an argument run once more on each of the others; but whole models on
        # an emulated device are slow enough without a sanitizer, under which the suites of the
        # operations, and those of tests/vulkan, run all the same.
        case "$name$1" in
        'test_oracle (asan)' | 'test_matrix (asan)') continue ;;
        esac
        ! grep -q '^int main.int argc' "$source" ||
            echo "suite|$name vulkan$1|$2/tests/$name vulkan"
    done
    # Those that are built again in another setting: fathom_suites_again in CMakeLists.txt.
    for header in tests/engine/*_suite.h; do
        for program in "$2/tests/test_$(basename "$header" _suite.h)_"*; do
            [ ! -x "$program" ] || echo "suite|$(basename "$program")$1|$program"
        done
    done
    for script in tests/*/test_*.sh; do
        name=$(basename "$script" .sh)
        [ "$name$1" != 'test_valgrind (asan)' ] || continue # one looks at memory, or the other
        [ ! -f "$script" ] || echo "suite|$name$1|sh $script $2/fathom"
    done
}

# What uses a Vulkan device.
list_vulkan() {
    list_suites '' build | grep -E '^suite[|](test_vk_[a-z]*|[a-z_]* vulkan)[|]'
}

list_release() {
    ! built release || list_suites '' build
    [ -f tests/check_floors.sh ] || return 0
    echo "check|floors|sh tests/check_floors.sh"
    echo "check|floors_self_test|sh tests/check_floors.sh --self-test"
}

list_asan() {
    ! built asan || list_suites ' (asan)' 'build-asan'
}

list_tsan() {
    built tsan || return 0
    # The sanitizer's shadow memory needs addresses that newer kernels may give away at random.
    fixed='setarch -R'
    $fixed true 2>/dev/null || fixed=
    for name in ${TSAN_SUITES:-}; do
        echo "suite|$name (tsan)|$fixed build-tsan/tests/$name"
    done
}

# Floors 0 and 1 as WebAssembly, under node, whose version 18 and later would fetch the module.
list_web() {
    [ -n "${WEB:-}" ] || return 0
    built web || return 0
    quiet=--no-experimental-fetch
    node $quiet -e 0 2>/dev/null || quiet=
    for program in build-web/test_*.js; do
        echo "suite|$(basename "$program" .js) (wasm)|node $quiet $program"
    done
}

skip_web() {
    [ -z "${WEB:-}" ] || return 0
    tally 'WebAssembly' 0 0 1
    echo "    skip: no Emscripten: ./dev web installs it"
}

list_fuzz() {
    [ -n "${FUZZ_COMPILER:-}" ] || return 0
    built fuzz || return 0
    for source in tests/fuzz/fuzz_*.c; do
        name=$(basename "$source" .c)
        [ ! -f "$source" ] || echo "fuzz|$name ($seconds s)|sh tests/run.sh fuzz_one $name"
    done
}

skip_fuzz() {
    for source in tests/fuzz/fuzz_*.c; do
        [ -f "$source" ] && [ -z "${FUZZ_COMPILER:-}" ] || continue
        tally "$(basename "$source" .c)" 0 0 1
        echo "    skip: no compiler with libFuzzer (clang-14 and libclang-rt-14-dev)"
    done
}

# Runs the suites whose lines come in, then prints the totals; false when anything failed.
run_all() {
    jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    [ "$jobs" -le 8 ] || jobs=8
    work=$(mktemp -d) || exit 1
    trap 'rm -rf "$work"' EXIT
    export RUN_TALLY="$work/tally"
    : >"$RUN_TALLY"
    cat >"$work/list"
    xargs -P "${RUN_JOBS:-$jobs}" -I '{}' sh tests/run.sh one '{}' <"$work/list"
    lost=$(($(wc -l <"$work/list") - $(wc -l <"$RUN_TALLY")))
    [ "$lost" -eq 0 ] || tally 'suites that were killed' 0 "$lost" 0
    [ "$what" != all ] || { skip_web && skip_fuzz; }
    awk '{ passed += $1; failed += $2; skipped += $3 }
         END {
             printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
             exit failed > 0
         }' "$RUN_TALLY"
}

what=${1:-all}
case $what in
# The long ones first, so that none of them is left alone at the end.
all) { list_asan; list_release; list_web; list_tsan; list_fuzz; } | run_all ;;
fuzz) list_fuzz | run_all ;;
vulkan) list_vulkan | RUN_JOBS=1 run_all ;;
web) list_web | run_all ;;
one) run_one "$2" ;;
fuzz_one) fuzz_one "$2" ;;
*)
    echo "usage: sh tests/run.sh [all|fuzz|vulkan|web]" >&2
    exit 2
    ;;
esac
