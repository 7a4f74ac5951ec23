#!/bin/sh
# run.sh - runs the suites that ./dev test has built, one line a suite, and ends with the totals.
#
#   sh tests/run.sh [all|fuzz]
#
# A suite is tests/*/test_NAME.c (a cmocka program in <build>/tests), tests/*/test_NAME.sh (called
# with the program's path) or a check, whose exit status alone is its verdict. The environment has:
#   FAILED_BUILDS   presets that did not build: each counts as one failure
#   TSAN_SUITES     the suites that run under the thread sanitizer
#   FUZZ_COMPILER   empty: the fuzz targets are skipped;  FUZZ_SECONDS  for each target
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0
failed=0
skipped=0
limit=600 # seconds for one suite: one that hangs is a failure
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The sum of the counts in lines like "[  PASSED  ] 3 test(s)" and "[  SKIPPED ] group: 1 test(s)":
# one for each group of tests.
count() {
    cat "$work/out" "$work/err" |
        sed -n "s/^\[ *$1 *\] \(.*: \)\{0,1\}\([0-9][0-9]*\) test(s).*/\2/p" |
        awk '{ n += $1 } END { print n + 0 }'
}

show_end() {
    cat "$work/out" "$work/err" | tail -n 30 | sed 's/^/    | /'
}

# tally LABEL PASSED FAILED SKIPPED - prints a suite's line and adds it to the totals.
tally() {
    printf '%-34s %5d passed %4d failed %4d skipped\n' "$@"
    passed=$((passed + $2))
    failed=$((failed + $3))
    skipped=$((skipped + $4))
}

# suite LABEL COMMAND... - counts what the suite says about its cases. A crash, a time limit, a
# failure outside any case, or a suite that ran nothing adds one failed case.
suite() {
    label=$1
    shift
    timeout "$limit" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
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
    tally "$label" "$n_passed" "$n_failed" "$n_skipped"
    cat "$work/out" "$work/err" | sed -n 's/^.*\(skip: .*\)/    \1/p' | sort -u
    [ "$n_failed" -eq 0 ] || show_end
}

# check LABEL COMMAND... - one case, whose verdict is the exit status.
check() {
    label=$1
    shift
    if timeout "$limit" "$@" >"$work/out" 2>"$work/err" </dev/null; then
        tally "$label" 1 0 0
    else
        tally "$label" 0 1 0
        show_end
    fi
}

# suites MARK BUILD WRAPPER... - all suites against one build directory.
suites() {
    mark=$1
    build=$2
    shift 2
    for source in tests/*/test_*.c; do
        name=$(basename "$source" .c)
        [ -f "$source" ] && suite "$name$mark" "$@" "$build/tests/$name"
    done
    for script in tests/*/test_*.sh; do
        [ -f "$script" ] && suite "$(basename "$script" .sh)$mark" "$@" sh "$script" "$build/fathom"
    done
}

built() {
    case " ${FAILED_BUILDS:-} " in
    *" $1 "*) return 1 ;;
    esac
}

run_release() {
    if built release; then
        suites '' build
    else
        tally 'the release build' 0 1 0
    fi
    [ -f tests/check_floors.sh ] || return 0
    check floors sh tests/check_floors.sh
    check floors_self_test sh tests/check_floors.sh --self-test
}

run_asan() {
    built asan || {
        tally 'the address sanitizer build' 0 1 0
        return
    }
    suites ' (asan)' build-asan
}

run_tsan() {
    built tsan || {
        tally 'the thread sanitizer build' 0 1 0
        return
    }
    # The sanitizer's shadow memory needs addresses that newer kernels may give away at random.
    fixed='setarch -R'
    $fixed true 2>/dev/null || fixed=
    for name in ${TSAN_SUITES:-}; do
        # shellcheck disable=SC2086 # a command and its option, or nothing
        suite "$name (tsan)" $fixed "build-tsan/tests/$name"
    done
}

# fuzz_one NAME - one fuzz target for FUZZ_SECONDS, from the checked-in seeds and what former runs
# kept.
fuzz_one() {
    kept=build-fuzz/corpus/$1
    mkdir -p "$kept"
    seeds=
    [ ! -d "tests/fuzz/seeds/$1" ] || seeds=tests/fuzz/seeds/$1
    # shellcheck disable=SC2086 # a folder or nothing
    "build-fuzz/fuzz/$1" -max_total_time="${FUZZ_SECONDS:-30}" -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/$1-" "$kept" $seeds
}

run_fuzz() {
    built fuzz || {
        tally 'the fuzz build' 0 1 0
        return
    }
    limit=$((${FUZZ_SECONDS:-30} + 300))
    for source in tests/fuzz/fuzz_*.c; do
        [ -f "$source" ] || continue
        name=$(basename "$source" .c)
        if [ -n "${FUZZ_COMPILER:-}" ]; then
            check "$name (${FUZZ_SECONDS:-30} s)" sh tests/run.sh "$name"
        else
            tally "$name" 0 0 1
            echo "    skip: no compiler with libFuzzer (clang-14 and libclang-rt-14-dev)"
        fi
    done
}

case ${1:-all} in
all)
    run_release
    run_asan
    run_tsan
    run_fuzz
    ;;
fuzz) run_fuzz ;;
fuzz_*) # one target, so that the time limit can hold it
    fuzz_one "$1"
    exit
    ;;
*)
    echo "usage: sh tests/run.sh [all|fuzz]" >&2
    exit 2
    ;;
esac

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
