#!/bin/sh
# test_valgrind.sh PROGRAM - short runs under valgrind's memory checker, which sees reads of memory that
# was never written, too. A program that has a sanitizer in it cannot run there.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

need_valgrind() {
    command -v valgrind >/dev/null || {
        skip "valgrind is not installed"
        return 1
    }
    ! ldd "$program" | grep -qE 'lib(a|t|ub)san' || {
        skip "valgrind does not run programs with sanitizers"
        return 1
    }
}

# check ARGUMENT... - runs the program, on the CPU: drivers have leaks of their own; any fault or leak
# is exit status 99.
check() {
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
        "$program" "$@" --device cpu <"$work/in" >"$work/out" 2>"$work/err"
    status=$?
}

# Prompts that share pages, sampled and greedy, in caches that hold one context: sequences are stopped
# and begin again.
batch_of_six_is_clean_under_valgrind() {
    need_valgrind && need_checkpoint || return
    prompt=$(seq -s, 1 100)
    for i in 1 2 3 4 5 6; do
        echo "{\"ids\": [$prompt,$i], \"n\": 30, \"seed\": $i, \"temperature\": $((i % 2)),
              \"logprobs\": 2, \"repetition_penalty\": 1.2, \"tenant\": \"t$((i % 3))\"}" | tr '\n' ' '
        echo
    done >"$work/in"
    for name in llama_mha v3_groups qwen2_window; do
        check generate "$data/oracle/$name" --batch - --parallel 4 --threads 2 --ctx 256 \
            --cache-tokens 256 --chunk 50
        expect_status 0
        [ "$(grep -cE '"finish_reason":"(length|stop)"' "$work/out")" -eq 6 ] ||
            complain "$name: not six answers: $(head -c 400 "$work/out")"
    done
}

generate_is_clean_under_valgrind() {
    need_valgrind && need_both || return
    check generate "$both" -p Q -n 20 --stop zz --json --logprobs 3 --profile
    expect_status 0
    check generate "$both" -p Q -n 20 --ctx 1
    [ "$status" -ne 99 ] || complain "a fault on the way of an error"
}

chat_is_clean_under_valgrind() {
    need_valgrind || return
    make_constant "$work/constant" 64
    printf 'Q\n/system S\n/regen\nQ \\\nQ\n/save %s\n/load %s\n/nothing\n/clear\n' \
        "$work/saved.json" "$work/saved.json" >"$work/in"
    check chat "$work/constant" -n 80
    expect_status 1
    [ "$(wc -l <"$work/out")" -eq 3 ] || complain "not three answers: $(head -c 400 "$work/out")"
}

run_cases
