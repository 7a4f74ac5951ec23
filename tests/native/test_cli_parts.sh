#!/bin/sh
# test_cli_parts.sh PROGRAM - reasoning told apart from the answer: in JSON, and on a terminal.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

escape=$(printf '\033')

# Tokens of the tokenizer of make_constant: the letter a, and the tag that ends reasoning.
letter=64
end_tag=2006

# ---- JSON ----------------------------------------------------------------------------------------

generate_parts_come_with_json() {
    make_constant "$work/constant" $letter
    run generate "$work/constant" -p '<think>' -n 2 --json --parts
    expect_status 0
    expect_member text '"aa"'
    expect_member reasoning '"aa"'
    expect_member answer '""'
    expect_member tool_calls '\[\]'
    run generate "$work/constant" -p Q -n 2 --json --parts
    expect_member reasoning null
    expect_member answer '"aa"'
    run generate "$work/constant" -p Q -n 2 --json
    grep -q reasoning "$work/out" && complain "parts that nobody asked for: $(cat "$work/out")"
    make_constant "$work/constant" $end_tag
    run generate "$work/constant" -p '<think>' -n 2 --json --parts
    expect_member reasoning '""'
    expect_member answer '"</think>"'
}

generate_parts_need_json_and_a_tokenizer() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 1 --parts
    expect_refusal "--parts needs --json"
    run generate "$checkpoint" --ids 1 --parts --json
    expect_failure "tokenizer.json"
}

batch_parts_come_when_a_line_asks() {
    make_constant "$work/constant" $letter
    cat >"$work/in" <<END
{"prompt": "<think>", "n": 2, "parts": true}
{"prompt": "<think>", "n": 2, "parts": false}
{"prompt": "Q", "n": 2, "parts": 1}
END
    run generate "$work/constant" --batch -
    grep '^{"id":1,' "$work/out" | grep -qF '"reasoning":"aa","answer":"","tool_calls":[]' ||
        complain "no parts: $(cat "$work/out")"
    grep '^{"id":2,' "$work/out" | grep -q reasoning && complain "parts in spite of false"
    grep '^{"id":3,' "$work/out" | grep -qF 'takes true or false' ||
        complain "no fault: $(cat "$work/out")"
    echo '{"prompt": "Q", "n": 2}' >"$work/in"
    run generate "$work/constant" --batch - --parts
    grep -qF '"reasoning":null,"answer":"aa"' "$work/out" || complain "no parts for all"
}

batch_parts_need_a_tokenizer() {
    need_checkpoint || return
    echo '{"ids": [5], "n": 1, "parts": true}' >"$work/in"
    run generate "$checkpoint" --batch -
    grep -qF 'line 1: the model directory has no tokenizer.json' "$work/out" ||
        complain "no fault: $(cat "$work/out")"
    : >"$work/err"
}

# ---- The terminal --------------------------------------------------------------------------------

# shown NO_COLOR ARGUMENT... - what a terminal is sent; the arguments have no white space in them.
shown() {
    no_color=$1
    shift
    SHELL=/bin/sh TERM=xterm NO_COLOR="$no_color" \
        script -qc "'$program' generate '$work/constant' $*" /dev/null </dev/null |
        tr -d '\r\n' >"$work/out"
}

# expect_shown TEXT
expect_shown() {
    [ "$(cat "$work/out")" = "$1" ] || complain "shown is: $(cat -v "$work/out")"
}

generate_reasoning_is_dim_on_a_terminal() {
    SHELL=/bin/sh script -qc true /dev/null </dev/null >"$work/out" 2>&1 ||
        { skip "no pseudo-terminal can be made here (the program script, /dev/pts)" && return; }
    make_constant "$work/constant" $letter
    shown '' -p "'<think>'" -n 2
    expect_shown "$escape[2maa$escape[0m"
    shown '' -p Q -n 2
    expect_shown aa
    shown 1 -p "'<think>'" -n 2
    expect_shown aa
    make_constant "$work/constant" $end_tag
    shown '' -p "'<think>'" -n 2
    expect_shown '</think>'
    shown 1 -p "'<think>'" -n 2
    expect_shown '</think></think>'
    run generate "$work/constant" -p '<think>' -n 2
    [ "$(cat "$work/out")" = '</think></think>' ] || complain "a file has: $(cat "$work/out")"
}

run_cases
