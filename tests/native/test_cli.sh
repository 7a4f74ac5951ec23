#!/bin/sh
# test_cli.sh PROGRAM - the command line as a contract: exit statuses, messages, output byte for
# byte. Prints its cases the way cmocka does. The models are the tiny ones of tests/data: a
# checkpoint of tests/data/oracle (weights, no tokenizer) and a tokenizer of tests/data/tokenizer,
# joined in a temporary directory.
set -u
program=$1
data=$(dirname "$0")/../data
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

tab=$(printf '\t')
n_passed=0
n_failed=0
n_skipped=0

# ---- Running and checking ------------------------------------------------------------------------

# run ARGUMENT... - runs the program with $work/in as its input; leaves $status, $work/out and
# $work/err.
run() {
    "$program" "$@" <"$work/in" >"$work/out" 2>"$work/err"
    status=$?
}

complain() {
    echo "    $*"
    sed 's/^/    err: /' "$work/err"
    verdict=failed
}

expect_status() {
    [ "$status" -eq "$1" ] || complain "exit status $status, expected $1"
}

# The message is one line that begins with the program's name and holds the text.
expect_message() {
    [ "$(wc -l <"$work/err")" -eq 1 ] || complain "expected one line on standard error"
    grep -q '^fathom: ' "$work/err" || complain "the message does not begin with 'fathom: '"
    grep -qF -e "$1" "$work/err" || complain "the message does not hold: $1"
}

expect_refusal() {
    expect_status 2
    expect_message "$1"
    [ ! -s "$work/out" ] || complain "a refusal printed something on standard output"
}

expect_failure() {
    expect_status 1
    expect_message "$1"
}

# expect_keys KEY EXPRESSION ... - one line of output: a JSON object with these members, in order.
expect_keys() {
    pattern=
    while [ $# -gt 0 ]; do
        pattern="$pattern${pattern:+,}\"$1\":$2"
        shift 2
    done
    expect_output "\\{$pattern\\}"
}

# expect_output REGULAR_EXPRESSION - one line of output, the whole of which matches.
expect_output() {
    [ "$(wc -l <"$work/out")" -eq 1 ] || complain "expected one line of output"
    grep -qxE -e "$1" "$work/out" || complain "output is: $(head -c 300 "$work/out")"
}

case_of() {
    verdict=passed
    : >"$work/in"
    "$1"
    case $verdict in
    passed) n_passed=$((n_passed + 1)) && echo "[       OK ] $1" ;;
    skipped) n_skipped=$((n_skipped + 1)) && echo "[  SKIPPED ] $1" ;;
    *) n_failed=$((n_failed + 1)) && echo "[  FAILED  ] $1" ;;
    esac
}

skip() {
    echo "skip: $*"
    verdict=skipped
}

# ---- Models --------------------------------------------------------------------------------------

# The first directory below $1 that holds the file $2.
first_with() {
    for candidate in "$1"/*/"$2"; do
        [ -f "$candidate" ] && dirname "$candidate" && return 0
    done
}

tokenizer=$(first_with "$data/tokenizer" tokenizer.json)
checkpoint=$(first_with "$data/oracle" config.json)
both=$work/both
mkdir "$both"
[ -z "$checkpoint" ] || cp "$checkpoint"/*.json "$checkpoint"/*.safetensors "$both"
[ -z "$tokenizer" ] || cp "$tokenizer/tokenizer.json" "$both"
# The special tokens of the tokenizer lie behind the checkpoint's small vocabulary.
echo '{"add_bos_token": false}' >"$both/tokenizer_config.json"

need_tokenizer() {
    [ -n "$tokenizer" ] && return 0
    skip "no tokenizer in tests/data/tokenizer"
    return 1
}

need_checkpoint() {
    [ -n "$checkpoint" ] && return 0
    skip "no checkpoint in tests/data/oracle"
    return 1
}

need_both() {
    need_tokenizer && need_checkpoint
}

# ---- Usage ---------------------------------------------------------------------------------------

cli_no_command_is_refused() {
    run
    expect_refusal "fathom --help"
}

cli_unknown_command_is_refused() {
    run frobnicate
    expect_refusal "unknown command 'frobnicate'"
}

cli_version_is_one_line() {
    run --version
    expect_status 0
    expect_output 'fathom [0-9]+\.[0-9]+\.[0-9]+'
}

cli_help_names_every_command() {
    run --help
    expect_status 0
    for command in generate chat logits tokenize inspect; do
        grep -q "fathom $command " "$work/out" || complain "--help does not name $command"
        "$program" "$command" --help | grep -q "^usage: fathom $command " ||
            complain "$command --help has no usage line"
    done
}

cli_missing_model_names_the_next_step() {
    for command in generate chat logits tokenize inspect; do
        run "$command"
        expect_refusal "./dev model smollm2"
    done
}

cli_absent_directory_fails() {
    run generate "$work/absent" -p x
    expect_failure "No such file or directory"
    run inspect "$work/absent"
    expect_failure "No such file or directory"
}

cli_file_as_model_fails() {
    echo weights >"$work/model.gguf"
    run generate "$work/model.gguf" -p x
    expect_failure "no directory"
}

cli_directory_without_weights_fails() {
    mkdir -p "$work/empty"
    run generate "$work/empty" --ids 1
    expect_failure ""
    run inspect "$work/empty"
    expect_failure ""
    run tokenize "$work/empty" text
    expect_failure "tokenizer.json"
}

cli_wrong_options_are_refused() {
    while IFS=$tab read -r words message; do
        # shellcheck disable=SC2086 # a list of words
        run generate "$both" $words
        expect_refusal "$message"
    done <<END
--bogus${tab}unknown option '--bogus'
-y${tab}unknown option '-y'
-p${tab}-p needs a value
-p x --seed${tab}--seed needs a value
--json=1${tab}--json takes no value
-p x y${tab}one argument too many: 'y'
-p x --ids 1${tab}one prompt
-n 5${tab}one prompt
--out f -p x${tab}generate takes no --out
-p x -n -1${tab}-n takes a whole number from 0
-p x -n 1.5${tab}-n takes a whole number
-p x -n 99999999999999999999${tab}-n takes a whole number
-p x --ctx 0${tab}--ctx takes a whole number from 1
-p x --threads 0${tab}--threads takes a whole number from 1
-p x --chunk x${tab}--chunk takes a whole number
-p x --temperature -0.1${tab}--temperature takes a number from 0
-p x --temperature nan${tab}--temperature takes a number
-p x --temperature 1e999${tab}--temperature takes a number
-p x --top-p 1.1${tab}--top-p takes a number from 0 to 1
-p x --min-p -1${tab}--min-p takes a number from 0 to 1
-p x --top-k -1${tab}--top-k takes a whole number from 0
-p x --seed -1${tab}--seed takes a whole number from 0
-p x --seed 18446744073709551616${tab}--seed takes a whole number
-p x --device tpu${tab}--device takes auto|cpu
-p x --dtype f8${tab}--dtype takes auto|f32|bf16|f16
-p x --cache-dtype au${tab}--cache-dtype takes auto|f32|bf16
--ids 1,x${tab}number 2 of the list is none
--ids 1,-2${tab}number 2 of the list is none
--ids 1,2147483648${tab}number 2 of the list is none
END
}

cli_common_options_are_accepted_everywhere() {
    run tokenize "$work/absent" --device cpu --dtype f32 --ctx 8 --threads 1 --seed 1 --stats text
    expect_failure "No such file or directory"
}

cli_chat_without_a_question_shows_the_form() {
    run chat "$both"
    expect_refusal "fathom chat MODEL -p"
}

cli_logits_without_out_is_refused() {
    run logits "$both" --ids 1
    expect_refusal "--out F.npy"
}

# ---- Tokenizer -----------------------------------------------------------------------------------

tokenize_gives_ids_with_one_space_between() {
    need_tokenizer || return
    run tokenize "$tokenizer" "some words, and 12345."
    expect_status 0
    expect_output '[0-9]+( [0-9]+)*'
}

tokenize_empty_text_gives_an_empty_line() {
    need_tokenizer || return
    run tokenize "$tokenizer" ""
    expect_status 0
    expect_output ''
}

tokenize_json_has_the_same_ids() {
    need_tokenizer || return
    run tokenize "$tokenizer" "two words"
    ids=$(tr ' ' ',' <"$work/out")
    run tokenize "$tokenizer" --json "two words"
    expect_status 0
    expect_output "\\{\"ids\":\\[$ids\\]\\}"
}

tokenize_input_comes_back_byte_for_byte() {
    need_tokenizer || return
    printf 'a\000b \377\376 \303\n\n  \360\237\230\200 @x -' >"$work/bytes"
    cp "$work/bytes" "$work/in"
    run tokenize "$tokenizer" -
    expect_status 0
    cp "$work/out" "$work/in"
    run tokenize "$tokenizer" --decode -
    expect_status 0
    cmp -s "$work/out" "$work/bytes" || complain "decoded bytes differ"
}

tokenize_argument_and_input_agree() {
    need_tokenizer || return
    run tokenize "$tokenizer" "@not a file"
    cp "$work/out" "$work/argument"
    printf '@not a file' >"$work/in"
    run tokenize "$tokenizer" -
    cmp -s "$work/out" "$work/argument" || complain "ids differ"
}

tokenize_words_behind_two_dashes_are_text() {
    need_tokenizer || return
    run tokenize "$tokenizer" -- "--json"
    expect_status 0
    expect_output '[0-9 ]+'
}

tokenize_broken_text_is_valid_json() {
    need_tokenizer || return
    printf '"\\\000\377' >"$work/in"
    run tokenize "$tokenizer" -
    cp "$work/out" "$work/in"
    run tokenize "$tokenizer" --decode --json -
    expect_status 0
    replacement=$(printf '\357\277\275')
    grep -qF "\"text\":\"\\\"\\\\\\u0000$replacement\"}" "$work/out" ||
        complain "output is: $(cat "$work/out")"
}

# Sets $mark to the text of an added token, or to nothing.
find_mark() {
    mark=$(tr -d '\n' <"$tokenizer/tokenizer.json" |
        sed -n 's/.*"added_tokens": *\[[^]]*"content": *"\([^"\\]*\)"[^]]*\].*/\1/p')
}

tokenize_plain_keeps_added_tokens_as_text() {
    need_tokenizer || return
    find_mark
    [ -n "$mark" ] || { skip "the tokenizer has no added token" && return; }
    run tokenize "$tokenizer" "$mark"
    expect_output '[0-9]+'
    run tokenize "$tokenizer" --plain "$mark"
    expect_output '[0-9]+( [0-9]+)+'
}

tokenize_decode_refuses_what_is_no_id() {
    need_tokenizer || return
    run tokenize "$tokenizer" --decode "1 two"
    expect_refusal "number 2 of the list is none"
    run tokenize "$tokenizer" --decode 2000000000
    expect_failure "outside the vocabulary"
}

# ---- Answers -------------------------------------------------------------------------------------

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

generate_full_disk_fails() {
    need_checkpoint || return
    [ -c /dev/full ] || { skip "no /dev/full" && return; }
    "$program" generate "$checkpoint" --ids 5 -n 4 >/dev/full 2>"$work/err"
    status=$?
    expect_failure "standard output could not be written"
}

# A pipe whose reader is certainly gone: it has closed its end before the program starts.
generate_closed_pipe_fails() {
    need_checkpoint || return
    mkfifo "$work/pipe"
    : <"$work/pipe" &
    exec 3>"$work/pipe"
    wait $!
    "$program" generate "$checkpoint" --ids 5 -n 4 >&3 2>"$work/err"
    status=$?
    exec 3>&-
    expect_failure "standard output could not be written"
}

# The first interrupt ends the answer in order. The program must still be running when it comes.
generate_interrupt_ends_the_answer() {
    need_checkpoint || return
    "$program" generate "$checkpoint" --ids 5 -n 0 --stats >"$work/out" 2>"$work/err" &
    child=$!
    tries=0
    while [ ! -s "$work/out" ] && [ $tries -lt 1000 ] && kill -0 $child 2>/dev/null; do
        tries=$((tries + 1))
        sleep 0.01
    done
    if ! kill -INT $child 2>/dev/null; then
        wait $child
        skip "the answer ended before it could be interrupted"
        return
    fi
    wait $child
    status=$?
    expect_status 0
    [ "$(tail -c 1 "$work/out" | wc -l)" -eq 1 ] || complain "the answer has no final newline"
    grep -q '^prompt 1 tokens' "$work/err" || complain "no line of speeds"
}

# The second interrupt would kill the program, so the only one is sent when it is being waited for:
# bit 1 of the signals caught.
wait_for_handler() {
    tries=0
    until grep -q '^SigCgt:.*[2367abef]$' "/proc/$1/status" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 3000 ] && kill -0 "$1" 2>/dev/null || return 1
        sleep 0.01
    done
}

# interrupt_in_prompt OPTION... - interrupts a prompt of 60000 tokens that are run one by one, which
# takes far longer than the interrupt needs; leaves what `run` leaves.
interrupt_in_prompt() {
    mkdir -p "$work/long"
    cp "$checkpoint"/*.safetensors "$work/long"
    sed 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 60100/' \
        "$checkpoint/config.json" >"$work/long/config.json"
    ids=$(yes 5, | head -n 60000 | tr -d '\n')
    "$program" generate "$work/long" --ids "${ids%,}" --ctx 60100 --chunk 1 "$@" \
        >"$work/out" 2>"$work/err" &
    child=$!
    if wait_for_handler $child; then
        kill -INT $child
    else
        kill -KILL $child 2>/dev/null
        complain "the program never waited for an interrupt"
    fi
    wait $child
    status=$?
}

generate_interrupt_in_the_prompt_tells_what_was_done() {
    need_checkpoint || return
    [ -r /proc/self/status ] || { skip "no /proc to see when a signal is waited for" && return; }
    rate='[0-9]+(\.[0-9]+)?'
    interrupt_in_prompt --json
    expect_status 0
    expect_keys ids '\[\]' text null finish_reason '"cancelled"' prompt_tokens 60000 \
        generated_tokens 0 prefill_tokens_per_s "$rate" decode_tokens_per_s 0
    grep -q '"prefill_tokens_per_s":0[,.]' "$work/out" && complain "no speed of what was run"
    interrupt_in_prompt --stats
    expect_status 0
    grep -qE "^prompt [1-9][0-9]{0,4} of 60000 tokens at $rate tokens/s, generated 0 at" \
        "$work/err" || complain "the line of speeds looks different"
}

logits_writes_a_numpy_file() {
    need_checkpoint || return
    run logits "$checkpoint" --ids 5,6,7 --out "$work/logits.npy"
    expect_status 0
    [ ! -s "$work/out" ] || complain "logits printed something"
    head -c 128 "$work/logits.npy" | tr -d '\223' | grep -qaE "^NUMPY.*'<f4'.*\(3, [0-9]+\)" ||
        complain "no NumPy header of three rows"
}

logits_unwritable_path_fails() {
    need_checkpoint || return
    run logits "$checkpoint" --ids 5 --out "$work/absent/logits.npy"
    expect_failure ""
}

inspect_describes_the_checkpoint() {
    need_checkpoint || return
    run inspect "$checkpoint"
    expect_status 0
    for word in architecture layers parameters 'weight files' tensor; do
        grep -q "^$word" "$work/out" || complain "no line of: $word"
    done
    grep -qE '^model\.embed_tokens\.weight +(F32|BF16|F16) +\[[0-9]+, [0-9]+\] +[0-9.]+ [kMG]B' \
        "$work/out" || complain "the embedding is not in the table"
}

inspect_json_has_its_keys() {
    need_checkpoint || return
    run inspect "$checkpoint" --json
    expect_status 0
    n='[0-9]+'
    expect_keys architecture '"[a-z0-9_]+"' layers "$n" hidden_size "$n" vocab_size "$n" \
        max_context_tokens "$n" routed_experts "$n" experts_per_token "$n" \
        total_parameters "$n" active_parameters "$n" weight_files_bytes "$n" \
        dtypes '\{.*\}' tensors '\[\{.*\}\]'
    tr '{' '\n' <"$work/out" >"$work/tensors"
    grep '"name":"model.norm.weight"' "$work/tensors" |
        grep -qE '"dtype":"[A-Z0-9_]+","shape":\[[0-9]+\],"size_bytes":[0-9]+,"used":true}' ||
        complain "a tensor looks different"
}

# ---- All of them ---------------------------------------------------------------------------------

cases=$(sed -n 's/^\([a-z_]*\)() {$/\1/p' "$0" | grep -E '^(cli|tokenize|generate|logits|inspect)_')
for name in $cases; do
    case_of "$name"
done
echo "[==========] $((n_passed + n_failed + n_skipped)) test(s) run."
echo "[  PASSED  ] $n_passed test(s)."
[ $n_skipped -eq 0 ] || echo "[  SKIPPED ] $n_skipped test(s)."
[ $n_failed -eq 0 ] || echo "[  FAILED  ] $n_failed test(s)."
[ $n_failed -eq 0 ]
