#!/bin/sh
# test_cli.sh PROGRAM - the command line as a contract: exit statuses, messages, what
# tokenize and inspect print, byte for byte.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

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
    for command in generate chat logits tokenize template inspect plan; do
        grep -q "fathom $command " "$work/out" || complain "--help does not name $command"
        "$program" "$command" --help | grep -q "^usage: fathom $command " ||
            complain "$command --help has no usage line"
        "$program" "$command" --help | sed '1,/^for example:$/d' |
            grep -q "^  fathom $command " || complain "$command --help has no example"
    done
    grep -q '^  fathom chat models' "$work/out" || complain "--help has no example"
}

cli_missing_model_names_the_next_step() {
    for command in generate chat logits tokenize inspect plan; do
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
--temp 1${tab}unknown option '--temp'
--stat${tab}unknown option '--stat'
--=1${tab}unknown option '--=1'
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
-p x --dtype f8${tab}--dtype takes auto|f32|bf16|f16
-p x --cache-dtype au${tab}--cache-dtype takes auto|f32|bf16
--ids 1,x${tab}number 2 of the list is none
--ids 1,-2${tab}number 2 of the list is none
--ids 1,2147483648${tab}number 2 of the list is none
END
}

cli_options_of_other_commands_are_refused() {
    while IFS=$tab read -r words message; do
        # shellcheck disable=SC2086 # a list of words
        run $words
        expect_refusal "$message"
    done <<END
logits $both --ids 1 --out f --json${tab}logits takes no --json
logits $both --ids 1 --out f --stats${tab}logits takes no --stats
logits $both --ids 1 --out f --seed 1${tab}logits takes no --seed
inspect $both --stats${tab}inspect takes no --stats
inspect $both --threads 1${tab}inspect takes no --threads
tokenize $both --temperature 3 x${tab}tokenize takes no --temperature
tokenize $both --dtype f32 x${tab}tokenize takes no --dtype
chat $both --ids 1${tab}chat takes no --ids
generate $both -p x --template chatml${tab}generate takes no --template
chat $both -p x --template llama${tab}--template takes deepseek-v3|deepseek-r1|deepseek-v3.1|deepseek-llm|deepseek-coder|chatml
END
}

# What a user wrote comes back in one short line that can not talk to the terminal.
cli_messages_are_one_clean_line() {
    escape=$(printf 'a\nb\033[31m\302\233\r\377z')
    shown='a?b?[31m????z'
    run "$escape"
    expect_refusal "unknown command '$shown'"
    run generate "$both" "--$escape"
    expect_refusal "unknown option '--$shown'"
    run generate "$both" -p x --device "$escape"
    expect_failure "device \"$shown\""
    run generate "$both" "--dtype=$escape"
    expect_refusal "not '$shown'"
    run generate "$both" -n "$escape"
    expect_refusal "not '$shown'"
    run generate "$both" -p "@$escape"
    expect_failure "$shown: cannot be opened"
    run inspect "$escape"
    expect_failure "$shown: No such file"
    run generate "$both" -p x --ids é
    grep -q '?' "$work/err" && complain "a character was taken for a control"
    run "é"
    expect_refusal "unknown command 'é'"
}

cli_long_words_are_cut_in_messages() {
    run "$(head -c 100000 /dev/zero | tr '\000' x)"
    expect_refusal "; fathom --help lists them"
    [ "$(wc -c <"$work/err")" -lt 1000 ] || complain "a message of $(wc -c <"$work/err") bytes"
}

cli_colours_are_for_terminals_that_want_them() {
    SHELL=/bin/sh script -qc true /dev/null </dev/null >"$work/out" 2>&1 ||
        { skip "no pseudo-terminal can be made here (the program script, /dev/pts)" && return; }
    escape=$(printf '\033')
    SHELL=/bin/sh TERM=xterm NO_COLOR='' script -qc "'$program' nothing" /dev/null </dev/null \
        >"$work/out" 2>"$work/err"
    grep -qF "$escape[1;31m" "$work/out" || complain "no colour: $(cat "$work/out")"
    SHELL=/bin/sh TERM=xterm NO_COLOR=1 script -qc "'$program' nothing" /dev/null </dev/null \
        >"$work/out" 2>"$work/err"
    grep -qF "unknown command" "$work/out" || complain "no message on the terminal"
    grep -qF "$escape" "$work/out" && complain "a colour in spite of NO_COLOR"
    SHELL=/bin/sh TERM=dumb NO_COLOR='' script -qc "'$program' nothing" /dev/null </dev/null \
        >"$work/out" 2>"$work/err"
    grep -qF "$escape" "$work/out" && complain "a colour on a terminal without"
    : >"$work/err"
}

cli_chat_without_a_question_shows_the_form() {
    run chat "$both"
    expect_refusal "fathom chat MODEL -p"
}

cli_logits_without_out_is_refused() {
    run logits "$both" --ids 1
    expect_refusal "--out F.npy"
    run logits "$both" --ids 1 --out ""
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

# ---- Checkpoints --------------------------------------------------------------------------------

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

inspect_shows_no_control_characters() {
    make_constant "$work/named" 1 'model.a\u001b[31m\u009bb\u007f.rotary_emb.inv_freq'
    run inspect "$work/named"
    expect_status 0
    grep -qF 'model.a?[31m??b?.rotary_emb.inv_freq ' "$work/out" || complain "$(cat "$work/out")"
    LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177\233]')" "$work/out" &&
        complain "a control character in the table"
}

run_cases
