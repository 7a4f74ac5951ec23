#!/bin/sh
# test_cli_batch.sh PROGRAM - many requests at once: what --batch takes, answers and refuses.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# batch [ARGUMENT...] - runs the lines of standard input on the checkpoint.
batch() {
    cat >"$work/in"
    run generate "$checkpoint" --batch - "$@"
}

# answer ID - the line of output of one id.
answer() {
    grep -F "{\"id\":$1," "$work/out"
}

# expect_answer ID EXPRESSION - the whole of the line behind the id.
expect_answer() {
    [ "$(answer "$1" | wc -l)" -eq 1 ] || complain "not one answer to $1: $(cat "$work/out")"
    answer "$1" | grep -qxE "\\{\"id\":$1,$2\\}" || complain "answer is: $(answer "$1")"
}

# expect_error ID TEXT
expect_error() {
    answer "$1" | grep -qF -e "\"error\":\"$2" || complain "no error '$2' in: $(answer "$1")"
}

ids_of() {
    answer "$1" | sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/'
}

# ---- Answers -------------------------------------------------------------------------------------

batch_answers_have_their_keys() {
    need_checkpoint || return
    batch -n 3 <<END
{"ids": [5, 6, 7], "id": "a"}
END
    expect_status 0
    [ ! -s "$work/err" ] || complain "something on standard error"
    expect_answer '"a"' '"ids":\[[0-9,]*\],"text":null,"finish_reason":"(length|stop)","prompt_tokens":3,"generated_tokens":[0-3],"shared_tokens":0'
}

batch_text_is_that_of_generate() {
    need_both || return
    for text in Q QZ ZaQ; do
        run generate "$both" -p "$text" -n 9 --json
        sed 's/.*\("text":.*\),"finish.*/\1/' "$work/out" >>"$work/texts"
    done
    cat >"$work/in" <<END
{"prompt":"Q"}
{"prompt":"\\u0051Z"}
{"prompt":"ZaQ"}
END
    run generate "$both" --batch - -n 9
    expect_status 0
    for id in 1 2 3; do answer $id; done | sed 's/.*\("text":.*\),"finish.*/\1/' >"$work/got"
    cmp -s "$work/got" "$work/texts" || complain "texts: $(cat "$work/got" "$work/texts")"
}

# What runs beside a request changes nothing, nor does the number of those that may.
batch_answers_are_those_of_single_runs() {
    need_checkpoint || return
    : >"$work/lines"
    : >"$work/single"
    for i in 1 2 3 4 5 6 7 8 9; do
        words="--ids 5,$i,7,1$i -n 2$i --temperature 1.$i --seed $i$i"
        # shellcheck disable=SC2086 # a list of words
        run generate "$checkpoint" $words --json
        sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/' "$work/out" >>"$work/single"
        echo "{\"ids\":[5,$i,7,1$i],\"n\":2$i,\"temperature\":1.$i,\"seed\":$i$i}" >>"$work/lines"
    done
    for words in '' '--parallel 1' '--parallel 3 --chunk 2 --cache-tokens 64 --ctx 64'; do
        # shellcheck disable=SC2086 # a list of words
        batch $words <"$work/lines"
        expect_status 0
        for i in 1 2 3 4 5 6 7 8 9; do ids_of $i; done >"$work/together"
        cmp -s "$work/together" "$work/single" || complain "other ids with '$words'"
    done
}

batch_options_hold_where_lines_say_nothing() {
    need_checkpoint || return
    batch -n 6 --temperature 1.5 --seed 7 --repetition-penalty 1.5 <<END
{"ids": [5, 6, 7], "id": 1}
{"ids": [5, 6, 7], "id": 2, "n": 2}
{"ids": [5, 6, 7], "id": 3, "seed": 8}
{"ids": [5, 6, 7], "id": 4, "temperature": 0}
{"ids": [5, 6, 7], "id": 5, "repetition_penalty": 1}
{"ids": [5, 6, 7], "id": 6, "seed": "18446744073709551615"}
{"ids": [5, 6, 7], "id": 7, "repetition_penalty": 0}
END
    expect_status 0
    run_ids() {
        "$program" generate "$checkpoint" --ids 5,6,7 -n 6 "$@" | tr ' ' ,
    }
    [ "$(ids_of 1)" = "$(run_ids --temperature 1.5 --seed 7 --repetition-penalty 1.5)" ] ||
        complain "the defaults are not the options"
    [ "$(ids_of 2)" = "$(ids_of 1 | cut -d , -f 1-2)" ] || complain "n of the line has no effect"
    [ "$(ids_of 3)" = "$(run_ids --temperature 1.5 --seed 8 --repetition-penalty 1.5)" ] ||
        complain "the line's seed has no effect"
    [ "$(ids_of 4)" = "$(run_ids --repetition-penalty 1.5)" ] || complain "the line is not greedy"
    [ "$(ids_of 5)" = "$(run_ids --temperature 1.5 --seed 7)" ] || complain "a penalty stayed"
    [ "$(ids_of 7)" = "$(ids_of 5)" ] || complain "a penalty of 0 is not off"
    answer 3 | grep -q '"seed":8}$' || complain "the seed is not told"
    [ "$(ids_of 6)" = "$(run_ids --temperature 1.5 --seed 18446744073709551615 --repetition-penalty 1.5)" ] ||
        complain "a seed as a string has no effect"
    answer 6 | grep -q '"seed":18446744073709551615}$' || complain "the long seed is not told"
    answer 4 | grep -q seed && complain "a seed of what is not drawn"
}

batch_ids_come_back_as_they_were() {
    need_checkpoint || return
    batch -n 1 <<END
{"ids": [5], "id": "a \\"quoted\\" \\u00e9"}
{"ids": [5], "id": 12.50}
{"ids": [5]}
{"ids": [5], "id": "a \\"quoted\\" \\u00e9"}
END
    expect_status 0
    [ "$(grep -cF '{"id":"a \"quoted\" é",' "$work/out")" -eq 2 ] || complain "$(cat "$work/out")"
    [ -n "$(answer 12.5)" ] || complain "no 12.5"
    [ -n "$(answer 3)" ] || complain "no line number"
}

batch_answers_come_in_the_order_of_their_ends() {
    make_constant "$work/constant" 64
    cat >"$work/in" <<END
{"ids": [5], "n": 40, "id": "long"}
{"ids": [5], "n": 2, "id": "short"}
{"ids": [5], "n": 20, "id": "middle"}
END
    run generate "$work/constant" --batch -
    expect_status 0
    [ "$(sed 's/{"id":"\([a-z]*\)".*/\1/' "$work/out" | tr '\n' ' ')" = 'short middle long ' ] ||
        complain "order: $(cat "$work/out")"
}

batch_logprobs_come_when_asked_for() {
    need_checkpoint || return
    batch -n 2 <<END
{"ids": [5, 6, 7], "id": 1}
{"ids": [5, 6, 7], "id": 2, "logprobs": 0}
{"ids": [5, 6, 7], "id": 3, "logprobs": 2}
END
    expect_status 0
    p='"logprob":-?[0-9.e-]+'
    answer 1 | grep -q logprob && complain "nobody asked for them"
    answer 2 | grep -qE "\"logprobs\":\\{\"tokens\":\\[\\{\"id\":[0-9]+,$p,\"top\":\\[\\]\\},\\{\"id\":[0-9]+,$p,\"top\":\\[\\]\\}\\]\\}," ||
        complain "not the tokens' own: $(answer 2)"
    answer 3 | grep -qE "(,?\\{\"id\":[0-9]+,$p,\"top\":\\[\\{\"id\":[0-9]+,$p\\},\\{\"id\":[0-9]+,$p\\}\\]\\}){2}\\]\\}" ||
        complain "not two alternatives: $(answer 3)"
    batch -n 1 --logprobs 1 <<END
{"ids": [5, 6, 7]}
END
    answer 1 | grep -qE '"top":\[\{[^}]*\}\]' || complain "the option has no effect"
}

batch_bias_and_stop_steer_the_answer() {
    make_constant "$work/constant" 64
    cat >"$work/in" <<END
{"prompt": "Q", "n": 5, "id": 1}
{"prompt": "Q", "n": 5, "id": 2, "logit_bias": {"65": 1000}}
{"prompt": "Q", "n": 5, "id": 3, "stop": ["zz", "aa"]}
{"prompt": "Q", "n": 5, "id": 4, "stop": "aaa"}
{"prompt": "Q", "n": 5, "id": 5, "stop": []}
END
    run generate "$work/constant" --batch - --stop aaaa
    expect_status 0
    while IFS=$tab read -r id text reason n; do
        answer "$id" | grep -qF "\"text\":\"${text#-}\",\"finish_reason\":\"$reason\",\"prompt_tokens\":2,\"generated_tokens\":$n," ||
            complain "answer: $(answer "$id")"
    done <<END
1${tab}-${tab}stop${tab}4
2${tab}bbbbb${tab}length${tab}5
3${tab}-${tab}stop${tab}2
4${tab}-${tab}stop${tab}3
5${tab}aaaaa${tab}length${tab}5
END
}

# The second request finds the first one's page computed, another tenant's does not.
batch_prompts_are_shared_within_a_tenant() {
    need_checkpoint || return
    ids=$(yes 5, | head -n 70 | tr -d '\n')
    batch -n 1 --parallel 1 --ctx 128 --cache-tokens 2048 <<END
{"ids": [${ids%,}], "id": 1, "tenant": "a"}
{"ids": [${ids%,}], "id": 2, "tenant": "a"}
{"ids": [${ids%,}], "id": 3, "tenant": "b"}
{"ids": [${ids%,}], "id": 4}
{"ids": [${ids%,}], "id": 5, "tenant": 1}
{"ids": [${ids%,}], "id": 6, "tenant": "a"}
END
    expect_status 0
    for row in '1 0' '2 64' '3 0' '4 0' '5 0' '6 64'; do
        answer "${row% *}" | grep -q "\"shared_tokens\":${row#* }}" || complain "$(answer "${row% *}")"
    done
}

batch_deadline_ends_an_answer() {
    make_constant "$work/constant" 64
    echo '{"ids": [5], "n": 0, "deadline_s": 0.05}' >"$work/in"
    run generate "$work/constant" --batch - --ctx 100000 --cache-tokens 100000
    expect_status 0
    answer 1 | grep -q '"finish_reason":"deadline"' || complain "$(head -c 300 "$work/out")"
}

# ---- Input ---------------------------------------------------------------------------------------

batch_wrong_lines_fail_alone() {
    need_checkpoint || return
    batch -n 1 <<END
{"ids": [5], "id": "first"}
{"ids": [5], "id": "unknown", "max_tokens": 1}
not JSON
{"ids": [5], "id": "twice", "n": 1, "n": 2}
{"id": "foreign", "ids": [5, 2000000000]}
{"id": "text", "prompt": "x"}
{"id": "stop", "ids": [5], "stop": "x"}
{"id": "bias", "ids": [5], "logit_bias": {"1": 1, "01": 2}}
{"id": "long", "ids": [5,5,5,5,5,5,5,5,5]}
{"id": "none"}
{"ids": [5], "id": "last"}
END
    expect_status 1
    [ "$(wc -l <"$work/out")" -eq 11 ] || complain "$(wc -l <"$work/out") answers to 11 lines"
    expect_error '"unknown"' 'line 2: the key \"max_tokens\" is unknown'
    expect_error 3 "line 3: column 2: 'o' stands where null is needed"
    expect_error 4 'line 4: column 37: the key \"n\" stands twice'
    expect_error '"foreign"' 'line 5: token id 2000000000'
    expect_error '"text"' 'line 6: the model directory has no tokenizer.json'
    expect_error '"stop"' 'line 7: stop strings need'
    expect_error '"bias"' 'line 8: two values'
    expect_error '"none"' 'line 10: give either'
    for id in '"first"' '"last"'; do
        answer "$id" | grep -q '"finish_reason":"length"' || complain "no answer to $id"
    done
    batch -n 1 --ctx 8 <<END
{"id": "long", "ids": [5,5,5,5,5,5,5,5,5]}
END
    expect_error '"long"' 'line 1: the prompt has 9 tokens'
}

batch_only_a_wrong_line_makes_it_fail() {
    need_checkpoint || return
    batch </dev/null
    expect_status 0
    [ ! -s "$work/out" ] || complain "answers to nothing"
    printf '\n  \r\n{"ids": [5], "n": 1}\r\n\n{"ids": [6], "n": 1}' | batch
    expect_status 0
    [ "$(wc -l <"$work/out")" -eq 2 ] || complain "not two answers"
    [ -n "$(answer 3)" ] && [ -n "$(answer 5)" ] || complain "other lines: $(cat "$work/out")"
}

batch_unreadable_files_fail() {
    need_checkpoint || return
    run generate "$checkpoint" --batch "$work/absent"
    expect_failure "$work/absent: cannot be opened"
    run generate "$checkpoint" --batch "$work"
    expect_failure "$work: cannot be read"
}

batch_too_long_a_line_fails_alone() {
    need_checkpoint || return
    { head -c 4000001 /dev/zero | tr '\000' x && printf '\n{"ids": [5], "n": 1}\n'; } >"$work/lines"
    run generate "$checkpoint" --batch "$work/lines"
    expect_status 1
    expect_error 1 'line 1: has more than 4000000 bytes, the most that a line may have'
    [ -n "$(answer 2)" ] || complain "no answer to the line behind"
}

# A program that asks line by line gets its answers before it closes the pipe, and a silent pipe does not
# hold up the steps.
batch_answers_do_not_wait_for_more_lines() {
    make_constant "$work/constant" 64
    mkfifo "$work/asked"
    rm -f "$work/out"
    "$program" generate "$work/constant" --batch - -n 500 <"$work/asked" >"$work/out" 2>"$work/err" &
    child=$!
    exec 5>"$work/asked"
    for n in 1 2 3; do
        echo '{"ids": [5]}' >&5
        tries=0
        until [ -f "$work/out" ] && [ "$(wc -l <"$work/out")" -eq $n ]; do
            tries=$((tries + 1))
            [ $tries -lt 1000 ] || { complain "no answer $n" && break; }
            sleep 0.02
        done
    done
    exec 5>&-
    wait $child
    status=$?
    expect_status 0
}

# More lines than the engine takes at once.
batch_many_lines_are_all_answered() {
    need_checkpoint || return
    awk 'BEGIN { for (i = 0; i < 3000; i++) printf "{\"ids\":[%d,%d],\"n\":3}\n", i % 200, i / 200 }' |
        batch --parallel 4
    expect_status 0
    [ "$(sed 's/{"id":\([0-9]*\),.*/\1/' "$work/out" | sort -un | wc -l)" -eq 3000 ] ||
        complain "not every line has an answer"
}

# ---- Options -------------------------------------------------------------------------------------

batch_wrong_options_are_refused() {
    while IFS=$tab read -r words message; do
        # shellcheck disable=SC2086 # a list of words
        run generate "$both" $words
        expect_refusal "$message"
    done <<END
--batch f -p x${tab}one prompt
--batch f --ids 1${tab}one prompt
--batch${tab}--batch needs a value
-p x --parallel 2${tab}--parallel is for
--batch f --parallel 0${tab}--parallel takes a whole number from 1
--batch f --parallel 257${tab}--parallel takes a whole number from 1
-p x --logprobs 1${tab}--logprobs needs --json
-p x --json --logprobs 21${tab}--logprobs takes a whole number from 0 to 20
-p x --repetition-penalty 0${tab}--repetition-penalty takes a number from 0.01
-p x --frequency-penalty 3${tab}--frequency-penalty takes a number from -2
-p x --presence-penalty -3${tab}--presence-penalty takes a number from -2
-p x --cache-tokens 0${tab}--cache-tokens takes a whole number from 1
END
    set --
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do set -- "$@" --stop $n; done
    run generate "$both" -p x "$@"
    expect_refusal "--stop is given more than 16 times"
}

batch_stats_are_one_line() {
    need_checkpoint || return
    batch -n 4 --stats <<END
{"ids": [5, 6, 7]}
{"ids": [5, 6]}
{"ids": [5, 6], "bogus": 1}
END
    expect_status 1
    [ "$(wc -l <"$work/err")" -eq 1 ] || complain "expected one line on standard error"
    grep -qE '^3 requests, 1 failed, prompt 5 tokens, generated [0-8] at [0-9.]+ tokens/s, shared 0 tokens, preempted 0 times; ' \
        "$work/err" || complain "the line looks different"
}

batch_progress_is_for_terminals() {
    SHELL=/bin/sh script -qc true /dev/null </dev/null >"$work/out" 2>&1 ||
        { skip "no pseudo-terminal can be made here (the program script, /dev/pts)" && return; }
    make_constant "$work/constant" 64
    echo '{"ids": [5], "n": 2000}' >"$work/lines"
    SHELL=/bin/sh script -qc "'$program' generate '$work/constant' --batch '$work/lines' >/dev/null" \
        /dev/null </dev/null >"$work/out" 2>"$work/err"
    grep -qF '0 done / 1 read, ' "$work/out" || complain "no progress: $(cat "$work/out")"
}

# ---- Single answers ------------------------------------------------------------------------------

generate_stop_ends_the_answer() {
    make_constant "$work/constant" 64
    run generate "$work/constant" -p Q -n 9 --stop zz --stop aaa --json
    expect_status 0
    expect_member finish_reason '"stop"'
    expect_member text '""'
    expect_member generated_tokens 3
    run generate "$work/constant" -p Q -n 2 --stop aaa
    expect_output aa
    run chat "$work/constant" -p Q -n 9 --stop aaa --json
    expect_member generated_tokens 3
    run generate "$work/constant" --ids 5 --stop ''
    expect_failure "stop"
}

generate_logprobs_come_with_json() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 1 --json --logprobs 2
    expect_status 0
    p='"logprob":-?[0-9.e-]+'
    grep -qE "\"logprobs\":\\{\"tokens\":\\[\\{\"id\":([0-9]+),$p,\"top\":\\[\\{\"id\":\\1,$p\\},\\{\"id\":[0-9]+,$p\\}\\]\\}\\]\\}" \
        "$work/out" || complain "logprobs: $(cat "$work/out")"
    run generate "$checkpoint" --ids 5,6,7 -n 1 --json --logprobs 0
    grep -qE "\"logprobs\":\\{\"tokens\":\\[\\{\"id\":[0-9]+,$p,\"top\":\\[\\]\\}\\]\\}" "$work/out" ||
        complain "not the token's own: $(cat "$work/out")"
}

# A penalty keeps the constant model from repeating its token.
generate_penalties_change_the_answer() {
    make_constant "$work/constant" 64
    run generate "$work/constant" -p Q -n 5
    expect_output aaaaa
    for option in '--presence-penalty 2' '--frequency-penalty 2'; do
        # shellcheck disable=SC2086 # an option and its value
        run generate "$work/constant" -p Q -n 5 --logprobs 0 --json $option
        expect_status 0
        cp "$work/out" "$work/${option%% *}"
    done
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 20
    cp "$work/out" "$work/free"
    for option in '--repetition-penalty 3' '--presence-penalty 2' '--frequency-penalty 2'; do
        # shellcheck disable=SC2086 # an option and its value
        run generate "$checkpoint" --ids 5,6,7 -n 20 $option
        expect_status 0
        cmp -s "$work/out" "$work/free" && complain "$option changed nothing"
    done
}

generate_profile_is_a_sorted_table() {
    need_checkpoint || return
    for words in 'generate --ids 5,6 -n 3' "logits --ids 5,6 --out $work/l.npy"; do
        # shellcheck disable=SC2086 # a list of words
        run ${words%% *} "$checkpoint" ${words#* } --profile
        expect_status 0
        head -n 1 "$work/err" | grep -qE '^operation +calls +ms +share +MB +GB/s$' ||
            complain "no head of a table"
        grep -qE '^matmul +[1-9][0-9]* +[0-9.]+ +[0-9.]+% +[0-9.]+ +[0-9.]+$' "$work/err" ||
            complain "no line for matmul"
        sed 1d "$work/err" | awk '{ print $3 }' | sort -nrc 2>/dev/null || complain "not sorted"
    done
    run generate "$checkpoint" --ids 5,6 -n 3
    [ ! -s "$work/err" ] || complain "a table that nobody asked for"
}

run_cases
