#!/bin/sh
# test_examples.sh PROGRAM - the examples, as they were built beside the program.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

examples=$(dirname "$program")/examples

# run_example NAME ARGUMENT...
run_example() {
    name=$1
    shift
    "$examples/$name" "$@" >"$work/out" 2>"$work/err"
    status=$?
}

examples_one_answer_is_that_of_generate() {
    make_constant "$work/constant" 64
    run generate "$work/constant" -p 'Q Q' -n 64
    cp "$work/out" "$work/first"
    run_example one_answer "$work/constant" 'Q Q'
    expect_status 0
    cmp -s "$work/out" "$work/first" || complain "another answer: $(cat "$work/out")"
    need_both || return
    run generate "$both" -p Q -n 64
    cp "$work/out" "$work/first"
    run_example one_answer "$both" Q
    cmp -s "$work/out" "$work/first" || complain "another answer: $(cat "$work/out")"
}

examples_many_answers_all() {
    need_both || return
    set --
    for letter in Q Z a b X Y z B C D E F; do
        run generate "$both" -p $letter -n 32
        cp "$work/out" "$work/single"
        { cat "$work/single" && echo ----; } >>"$work/all"
        set -- "$@" $letter
    done
    run_example many "$both" "$@"
    expect_status 0
    # They come in the order of their ends.
    tr '\n' '|' <"$work/out" | sed 's/|----|/\n/g' | LC_ALL=C sort >"$work/many"
    tr '\n' '|' <"$work/all" | sed 's/|----|/\n/g' | LC_ALL=C sort >"$work/singles"
    cmp -s "$work/many" "$work/singles" || complain "other answers"
}

# The archive of text brings no model, no device and no shared library of ours.
examples_count_tokens_needs_no_model() {
    make_constant "$work/constant" 64
    for text in '' Q 'Q Q' 'Some words, and 12 figures.'; do
        run tokenize "$work/constant" "$text"
        n=$(wc -w <"$work/out")
        printf '%s' "$text" >"$work/text"
        "$examples/count_tokens" "$work/constant" <"$work/text" >"$work/out" 2>"$work/err"
        expect_output "$((n))"
    done
    command -v nm >/dev/null || { skip "no nm" && return; }
    nm "$examples/count_tokens" >"$work/names"
    grep -q ' T fm_tokenizer_encode$' "$work/names" || complain "not the archive"
    ! grep -E ' [Tt] (fm_model_|fm_engine_|device_|buf_)' "$work/names" >"$work/out" ||
        complain "more than text: $(head -n 3 "$work/out")"
}

examples_say_what_is_wrong() {
    run_example count_tokens
    expect_status 2
    run_example count_tokens "$work/absent"
    expect_status 1
    grep -q "^count_tokens: .*absent" "$work/err" || complain "count_tokens: no message"
    for name in one_answer many; do
        run_example $name
        expect_status 2
        grep -q "^usage: $name " "$work/err" || complain "$name: no usage"
        run_example $name "$work/absent" Q
        expect_status 1
        grep -q "^$name: .*absent" "$work/err" || complain "$name: no message"
    done
    make_constant "$work/constant" 64
    long=$(head -c 20000 /dev/zero | tr '\000' Q)
    run_example many "$work/constant" Q "$long"
    expect_status 1
    grep -q '^many: the prompt has .* tokens' "$work/err" || complain "a prompt beyond the context was taken"
}

# A final norm of numbers that are none: every step fails.
examples_exit_1_when_a_request_failed() {
    make_constant "$work/nan" 64
    printf '\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377' |
        dd of="$work/nan/model.safetensors" bs=1 seek=$((8 + 2048 + 32768)) conv=notrunc 2>/dev/null
    run_example many "$work/nan" Q Z
    expect_status 1
    [ "$(grep -c '^failed: a computed value is not finite' "$work/out")" -eq 2 ] ||
        complain "both requests have to be told of, each by its last event: $(cat "$work/out")"
    grep -q '^many: .' "$work/err" || complain "many: no message"
    run_example one_answer "$work/nan" Q
    expect_status 1
    grep -q '^one_answer: .' "$work/err" || complain "one_answer: no message"
}

run_cases
