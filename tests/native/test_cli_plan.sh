#!/bin/sh
# test_cli_plan.sh PROGRAM - what a model would take: the numbers, and the verdict on them.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# number KEY - of the JSON object in the output.
number() {
    sed "s/.*\"$1\":\\([0-9]*\\)[,}].*/\\1/" "$work/out"
}

# number_of KEY [ARGUMENT...] - of a plan.
number_of() {
    key=$1
    shift
    run plan "$checkpoint" --json "$@"
    number "$key"
}

plan_json_has_its_keys() {
    need_checkpoint || return
    run plan "$checkpoint" --json --ctx 200 --batch 3 --chunk 32 --cache-tokens 640
    expect_status 0
    n='[0-9]+'
    expect_keys weights_in_place_bytes $n weights_copied_bytes $n cache_bytes $n \
        cache_bytes_per_token $n workspace_bytes $n needed_bytes $n memory_free_bytes $n \
        max_context_tokens 200 max_chunk_tokens 32 max_sequences 3 cache_tokens 640 \
        cache_tokens_that_fit 640 fits true advice '""' devices '\[\{"name":"[^]]*\]'
}

plan_numbers_add_up() {
    need_checkpoint || return
    run plan "$checkpoint" --json --ctx 128 --cache-tokens 640
    [ "$(number cache_bytes)" -eq $((640 * $(number cache_bytes_per_token))) ] ||
        complain "the cache is not its tokens: $(cat "$work/out")"
    [ "$(number needed_bytes)" -eq $(($(number weights_copied_bytes) + $(number cache_bytes) + \
        $(number workspace_bytes))) ] || complain "no sum: $(cat "$work/out")"
    [ "$(number weights_in_place_bytes)" -gt 10000 ] || complain "no weights"
    [ "$(number memory_free_bytes)" -gt 10000000 ] || complain "no memory"
}

plan_options_change_what_they_are_for() {
    need_checkpoint || return
    [ "$(number_of max_sequences)" -eq 16 ] || complain "not 16 sequences by default"
    [ "$(number_of cache_tokens --ctx 256 --batch 8)" -eq 512 ] || complain "not a quarter"
    [ "$(number_of workspace_bytes --chunk 512)" -gt "$(number_of workspace_bytes --chunk 16)" ] ||
        complain "--chunk has no effect"
    [ "$(number_of workspace_bytes --batch 64)" -gt "$(number_of workspace_bytes --batch 1)" ] ||
        complain "--batch has no effect"
    [ "$(number_of cache_bytes_per_token --cache-dtype f32)" -eq \
        $((2 * $(number_of cache_bytes_per_token --cache-dtype bf16))) ] ||
        complain "--cache-dtype has no effect"
    [ "$(number_of weights_in_place_bytes --dtype f32)" -eq 0 ] || complain "--dtype has no effect"
    [ "$(number_of weights_copied_bytes --dtype f32)" -gt \
        "$(number_of weights_in_place_bytes)" ] || complain "--dtype copies nothing"
}

plan_table_tells_bytes_and_verdict() {
    need_checkpoint || return
    run plan "$checkpoint" --ctx 128
    expect_status 0
    for row in 'weights in the files' 'weights copied' cache workspace needed 'free now'; do
        grep -qE "^$row +[0-9]+ bytes +[0-9.]+ MB" "$work/out" || complain "no row: $row"
    done
    [ "$(tail -n 1 "$work/out")" = 'it fits' ] || complain "no verdict: $(tail -n 1 "$work/out")"
    [ ! -s "$work/err" ] || complain "something on standard error"
}

# More tokens than any machine holds; the number in the advice does fit.
plan_of_too_much_says_what_would_fit() {
    need_checkpoint || return
    run plan "$checkpoint" --cache-tokens 1000000000 --cache-dtype f32
    expect_status 1
    advice=$(sed -n 's/^it does not fit: it would fit with --cache-tokens \([0-9]*\)$/\1/p' "$work/out")
    [ "${advice:-0}" -gt 0 ] || complain "no advice: $(tail -n 1 "$work/out")"
    run plan "$checkpoint" --cache-tokens $((${advice:-2} / 2)) --cache-dtype f32
    expect_status 0
    run plan "$checkpoint" --json --cache-tokens 1000000000 --cache-dtype f32
    expect_status 1
    expect_member fits false
    [ "$(number cache_tokens_that_fit)" -gt 0 ] || complain "nothing fits: $(cat "$work/out")"
    run generate "$checkpoint" --ids 5 --cache-tokens 1000000000 --cache-dtype f32
    expect_failure "would fit"
}

plan_wrong_options_are_refused() {
    need_checkpoint || return
    run plan "$checkpoint" --batch x
    expect_refusal "--batch takes a whole number from 1"
    run plan "$checkpoint" -p x
    expect_refusal "plan takes no -p"
    run plan "$checkpoint" --parallel 2
    expect_refusal "plan takes no --parallel"
    run logits "$checkpoint" --batch 2
    expect_refusal "logits takes no --batch"
    run plan "$checkpoint" --ctx 128 --cache-tokens 64
    expect_failure "caches of 64 tokens"
}

plan_needs_no_tokenizer_and_a_model() {
    run plan
    expect_refusal "plan needs a model directory"
    run plan "$work/absent"
    expect_failure "No such file"
}

run_cases
