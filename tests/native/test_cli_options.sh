#!/bin/sh
# test_cli_options.sh PROGRAM - answers: their forms, and that each option changes what it is for.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# ---- Forms of prompts and answers ----------------------------------------------------------------

generate_without_tokenizer_prints_ids() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 4
    expect_status 0
    expect_output '[0-9]+( [0-9]+){0,3}'
}

generate_json_has_its_keys() {
    need_checkpoint || return
    rate='[0-9]+(\.[0-9]+)?'
    run generate "$checkpoint" --ids 5,6,7 -n 4 --json
    expect_status 0
    expect_keys ids '\[[0-9,]*\]' text null finish_reason '"(length|stop)"' prompt_tokens 3 \
        generated_tokens '[0-4]' prefill_tokens_per_s "$rate" decode_tokens_per_s "$rate"
}

generate_ids_are_the_same_in_both_forms() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 8
    ids=$(tr ' ' ',' <"$work/out")
    run generate "$checkpoint" --ids 5,6,7 -n 8 --json
    grep -qF "{\"ids\":[$ids]," "$work/out" || complain "ids differ: $ids"
}

generate_seed_repeats_and_is_told() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 8 --temperature 1.5 --seed 7
    cp "$work/out" "$work/first"
    run generate "$checkpoint" --ids 5,6,7 -n 8 --temperature 1.5 --seed 7 --stats
    cmp -s "$work/out" "$work/first" || complain "the same seed gave other tokens"
    grep -q 'seed 7' "$work/err" || complain "--stats does not tell the seed"
    run generate "$checkpoint" --ids 5,6,7 -n 8 --temperature 1.5 --json
    grep -qE '"seed":[0-9]+}' "$work/out" || complain "--json does not tell a chosen seed"
}

generate_stats_is_one_line() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 4 --stats
    expect_status 0
    [ "$(wc -l <"$work/err")" -eq 1 ] || complain "expected one line on standard error"
    grep -q '^prompt 3 tokens at .* tokens/s, generated [0-4] at .* tokens/s' "$work/err" ||
        complain "the line of speeds looks different"
}

generate_warns_of_an_end_token_that_cannot_come() {
    need_checkpoint || return
    mkdir -p "$work/odd"
    cp "$checkpoint"/*.json "$checkpoint"/*.safetensors "$work/odd"
    echo '{"eos_token_id": 1000000}' >"$work/odd/generation_config.json"
    run generate "$work/odd" --ids 5 -n 2
    expect_status 0
    [ "$(wc -l <"$work/err")" -eq 1 ] || complain "expected one line on standard error"
    grep -q '^warning: end token 1000000 ' "$work/err" || complain "no warning"
}

generate_prompt_forms_agree() {
    need_both || return
    printf 'Q' >"$work/prompt"
    run generate "$both" -p Q -n 6
    expect_status 0
    cp "$work/out" "$work/first"
    run generate "$both" -p "@$work/prompt" -n 6
    cmp -s "$work/out" "$work/first" || complain "@FILE gave another answer"
    printf 'Q' >"$work/in"
    run generate "$both" -p - -n 6
    cmp -s "$work/out" "$work/first" || complain "standard input gave another answer"
}

# The letter Z stands in for a BOS token: its id is within the checkpoint's vocabulary.
generate_adds_exactly_one_bos() {
    need_both || return
    mkdir -p "$work/bos"
    cp "$both"/* "$work/bos"
    echo '{"add_bos_token": true, "bos_token": "Z"}' >"$work/bos/tokenizer_config.json"
    for text in Q ZQ; do
        run generate "$work/bos" -p $text -n 1 --json
        expect_status 0
        grep -q '"prompt_tokens":2,' "$work/out" || complain "$text: $(cat "$work/out")"
    done
    run generate "$both" -p Q -n 1 --json
    grep -q '"prompt_tokens":1,' "$work/out" || complain "a BOS that nobody asked for"
}

generate_without_tokenizer_takes_no_text() {
    need_checkpoint || return
    run generate "$checkpoint" -p text
    expect_failure "tokenizer.json"
}

generate_unreadable_prompts_fail() {
    need_tokenizer || return
    run generate "$tokenizer" -p "@$work/absent"
    expect_failure "cannot be opened"
    run generate "$tokenizer" -p "@$work"
    expect_failure "cannot be read"
}

generate_foreign_id_fails() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 1,2000000000
    expect_failure ""
}

generate_words_may_stand_before_options_everywhere() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 4
    cp "$work/out" "$work/first"
    POSIXLY_CORRECT=1 "$program" generate "$checkpoint" --ids=5,6,7 -n4 >"$work/out" 2>"$work/err"
    status=$?
    expect_status 0
    cmp -s "$work/out" "$work/first" || complain "other words: $(cat "$work/out" "$work/err")"
}

# Special tokens are no text; other added tokens are.
generate_special_tokens_give_no_text() {
    for row in '2002 ' '2004 <｜Assistant｜><｜Assistant｜>' '64 aa'; do
        make_constant "$work/constant" "${row%% *}"
        run generate "$work/constant" -p Q -n 2
        expect_status 0
        [ "$(cat "$work/out")" = "${row#* }" ] || complain "text is: $(cat "$work/out")"
        run generate "$work/constant" -p Q -n 2 --json
        expect_member ids "\\[${row%% *},${row%% *}\\]"
        expect_member text "\"${row#* }\""
    done
}

# ---- Options -------------------------------------------------------------------------------------

# With a temperature the seed draws other tokens than the best; each of the three limits, drawn
# tight, leaves the best one only.
generate_sampling_options_limit_the_choice() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 12
    cp "$work/out" "$work/best"
    run generate "$checkpoint" --ids 5,6,7 -n 12 --temperature 1.5 --seed 7
    cp "$work/out" "$work/free"
    cmp -s "$work/free" "$work/best" && complain "the temperature changed nothing"
    run generate "$checkpoint" --ids 5,6,7 -n 12 --temperature 1.5 --seed 8
    cmp -s "$work/out" "$work/free" && complain "the seed changed nothing"
    for limit in '--top-k 1' '--top-p 0.0001' '--min-p 1'; do
        # shellcheck disable=SC2086 # an option and its value
        run generate "$checkpoint" --ids 5,6,7 -n 12 --temperature 1.5 --seed 7 $limit
        expect_status 0
        cmp -s "$work/out" "$work/best" || complain "$limit: $(cat "$work/out")"
    done
    for limit in '--top-k 0' '--top-p 0' '--top-p 1' '--min-p 0'; do
        # shellcheck disable=SC2086 # an option and its value
        run generate "$checkpoint" --ids 5,6,7 -n 12 --temperature 1.5 --seed 7 $limit
        cmp -s "$work/out" "$work/free" || complain "$limit limits: $(cat "$work/out")"
    done
}

# The line of --stats names what runs; the checkpoint's own format is BF16.
generate_stats_name_what_was_asked_for() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 1 --stats
    for part in ', 3 threads' 'weights F32' 'weights F16' 'cache F32' 'scalar'; do
        grep -qF "$part" "$work/err" && complain "without an option: $part"
    done
    while IFS=$tab read -r words part; do
        # shellcheck disable=SC2086 # a list of words
        run generate "$checkpoint" --ids 5,6,7 -n 1 --stats $words
        expect_status 0
        grep -qF "$part" "$work/err" || complain "$words: no $part"
    done <<END
--threads 3${tab}, 3 threads
--dtype f32${tab}weights F32
--dtype f16${tab}weights F16
--cache-dtype f32${tab}cache F32
--isa scalar${tab}scalar
END
}

generate_ctx_is_the_limit() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 0 --ctx 8 --json
    expect_member generated_tokens 5
    expect_member finish_reason '"length"'
    run generate "$checkpoint" --ids 5,6,7 --ctx 2
    expect_failure "3"
}

generate_n_is_the_number_of_tokens() {
    make_constant "$work/constant" 64
    run generate "$work/constant" -p Q -n 3 --json
    expect_member generated_tokens 3
    run generate "$work/constant" -p Q --json
    expect_member generated_tokens 128
}

# ---- Chat ----------------------------------------------------------------------------------------

# The prompt is BOS, user mark, Q, assistant mark; a system text and <think> with its newline more.
chat_answers_in_the_layout_asked_for() {
    make_constant "$work/constant" 64
    run chat "$work/constant" -p Q -n 3
    expect_status 0
    expect_output aaa
    while IFS=$tab read -r words count; do
        # shellcheck disable=SC2086 # a list of words
        run chat "$work/constant" -p Q -n 1 --json $words
        expect_status 0
        expect_member prompt_tokens "$count"
    done <<END
-n 2${tab}4
--system S${tab}5
--template deepseek-v3${tab}4
--template deepseek-r1${tab}6
--template deepseek-r1 --system S${tab}7
END
    run chat "$work/constant" -p Q --template chatml
    expect_failure "<|im_start|>"
}

chat_question_comes_from_a_file_or_the_input() {
    make_constant "$work/constant" 64
    printf 'QQQ' >"$work/question"
    run chat "$work/constant" -p QQQ -n 1 --json
    count=$(sed 's/.*"prompt_tokens":\([0-9]*\).*/\1/' "$work/out")
    run chat "$work/constant" -p "@$work/question" -n 1 --json
    expect_member prompt_tokens "$count"
    cp "$work/question" "$work/in"
    run chat "$work/constant" -p - -n 1 --json
    expect_member prompt_tokens "$count"
    printf 'a\000b' >"$work/in"
    run chat "$work/constant" -p -
    expect_failure "NUL byte"
}

run_cases
