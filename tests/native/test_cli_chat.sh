#!/bin/sh
# test_cli_chat.sh PROGRAM - conversations whose turns are lines of the input: turns, commands, files.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# The model answers with the letter a, -n times. Its layout puts BOS in front, a mark before each question
# and each answer, and an end mark behind each answer.
make_constant "$work/constant" 64
HOME=$work/home
unset XDG_STATE_HOME
export HOME
mkdir "$HOME"

# chat LINES ARGUMENT... - a conversation with the lines as its input.
chat() {
    printf '%s\n' "$1" >"$work/in"
    shift
    run chat "$work/constant" -n 3 "$@"
}

# saved LINES - what /save writes behind them, as one line in $work/out.
saved() {
    rm -f "$work/saved.json"
    chat "$1
/save $work/saved.json"
    tr -d '\n' 2>/dev/null <"$work/saved.json" >"$work/out"
    echo >>"$work/out"
}

# expect_saved MESSAGES - the letter a role begins with, and its text: u:Q,a:aaa
expect_saved() {
    expected=$(printf '%s' "$1" | sed 's/\\n/\\u000a/g' | sed 's/\([sua]\):\([^,]*\)/{"role":"\1","content":"\2"}/g
        s/"s"/"system"/g; s/"u"/"user"/g; s/"a"/"assistant"/g')
    [ "$(cat "$work/out")" = "{\"messages\":[$expected]}" ] || complain "saved: $(cat "$work/out")"
}

prompt_tokens() {
    sed -n 's/.*"prompt_tokens":\([0-9]*\),.*/\1/p' "$work/out" | tr '\n' ' '
}

expect_prompts() {
    [ "$(prompt_tokens)" = "$1 " ] || complain "prompts of $(prompt_tokens)tokens, expected $1"
}

# ---- Turns ---------------------------------------------------------------------------------------

chat_lines_are_turns() {
    chat "Q
Q"
    expect_status 0
    [ "$(cat "$work/out")" = "aaa
aaa" ] || complain "the answers are: $(cat "$work/out")"
    [ ! -s "$work/err" ] || complain "something on standard error"
}

# BOS Q marks: 4 tokens; then the answer's 3 as the model gave them, not the fewer that the tokenizer
# makes of their text, its end mark, and 3 of the next question.
chat_turn_holds_the_turns_before() {
    chat "Q
Q
Q" --json
    expect_status 0
    expect_prompts "4 11 18"
}

# 4 + 200 + 4 tokens, of which 3 pages of 64 are there already.
chat_turn_computes_only_what_is_new() {
    printf 'Q\nQ\n' >"$work/in"
    run chat "$work/constant" -n 200 --stats
    expect_status 0
    tail -n 1 "$work/err" | grep -q '^prompt 16 of 208 tokens' ||
        complain "earlier turns were computed again"
}

chat_lines_that_end_with_a_backslash_go_on() {
    saved 'one\
\
two
three'
    expect_saved 'u:one\n\ntwo,a:aaa,u:three,a:aaa'
}

chat_input_may_end_where_a_line_should_go_on() {
    chat 'Q\'
    expect_status 0
    expect_output aaa
}

chat_lines_may_end_as_on_windows_and_be_blank() {
    saved "$(printf 'Q\r\n\r\n  \t\n\nZ\r')"
    expect_saved "u:Q,a:aaa,u:Z,a:aaa"
}

chat_question_may_begin_with_a_slash() {
    saved "//etc/passwd?"
    expect_saved "u:/etc/passwd?,a:aaa"
}

chat_nothing_asked_is_refused() {
    chat ""
    expect_refusal "fathom chat MODEL -p"
    : >"$work/in"
    run chat "$work/constant"
    expect_refusal "fathom chat MODEL -p"
}

chat_line_with_a_nul_byte_fails_alone() {
    printf 'a\000b\nQ\n' >"$work/in"
    run chat "$work/constant" -n 3
    expect_failure "NUL byte"
    expect_output aaa
}

chat_long_line_is_refused() {
    head -c 4000001 /dev/zero | tr '\000' x >"$work/in"
    run chat "$work/constant" -n 3
    expect_failure "line 1 has more than 4000000 bytes"
}

chat_long_question_of_several_lines_is_refused() {
    {
        head -c 3000000 /dev/zero | tr '\000' x
        echo '\'
        head -c 3000000 /dev/zero | tr '\000' x
    } >"$work/in"
    run chat "$work/constant" -n 3
    expect_failure "the question has more than 4000000 bytes"
}

# Without -n an answer goes on until the context is full; then there is no room for another question.
chat_full_context_is_told_and_can_be_cleared() {
    printf 'Q\nQ\n/clear\nQ\n' >"$work/in"
    run chat "$work/constant" --ctx 64 --json
    expect_failure "/clear begins anew"
    expect_prompts "4 4"
    grep -q '"generated_tokens":60,' "$work/out" || complain "the context was not filled"
}

chat_layout_that_does_not_fit_fails_at_once() {
    chat Q --template chatml
    expect_failure "<|im_start|>"
}

# ---- Commands ------------------------------------------------------------------------------------

chat_unknown_command_is_named_and_fails() {
    chat "/frobnicate now
Q"
    expect_failure "unknown command '/frobnicate'"
    expect_output aaa
}

chat_help_names_every_command() {
    chat /help
    expect_status 0
    for command in help clear save load system regen quit; do
        grep -q "^/$command " "$work/out" || complain "/help does not name /$command"
    done
}

chat_commands_say_what_they_take() {
    for command in save load; do
        chat "/$command  "
        expect_failure "/$command needs a file: /$command FILE"
    done
    for command in help clear regen quit; do
        chat "/$command x"
        expect_failure "/$command takes nothing"
    done
}

chat_quit_leaves() {
    chat "/quit
Q"
    expect_status 0
    [ ! -s "$work/out" ] || complain "answered behind /quit"
}

chat_clear_forgets_all_but_the_system_text() {
    saved "Q
/clear
Z"
    expect_saved "u:Z,a:aaa"
    saved "/system S
Q
/clear"
    expect_saved "s:S"
}

chat_system_text_is_set_replaced_and_taken_away() {
    saved "/system S"
    expect_saved "s:S"
    saved "Q
/system  S S "
    expect_saved "s:S S,u:Q,a:aaa"
    saved "/system S
Q
/system Z"
    expect_saved "s:Z,u:Q,a:aaa"
    saved "/system S
/system"
    expect_saved ""
    chat "Q
/system
/clear
Q" --system S --json
    expect_prompts "5 4"
}

# The prompt of the second answer is that of the first.
chat_regen_answers_the_same_question() {
    chat "Q
/regen" --json
    expect_prompts "4 4"
    saved "Q
/regen"
    expect_saved "u:Q,a:aaa"
    chat /regen
    expect_failure "no question"
}

chat_regen_draws_from_another_seed() {
    chat "Q
/regen" --temperature 1 --json
    [ "$(grep -o '"seed":[0-9]*' "$work/out" | sort -u | wc -l)" -eq 2 ] || complain "the same seed"
}

# ---- Files ---------------------------------------------------------------------------------------

chat_saved_conversation_goes_on() {
    saved "/system S
Q \"q\"\\
é
Z"
    cp "$work/saved.json" "$work/first.json"
    chat "/load $work/first.json
/save ~/second.json"
    expect_status 0
    cmp -s "$work/first.json" "$HOME/second.json" || complain "another conversation came back"
    chat "Q
/load $work/first.json
/regen" --json
    expect_status 0
    [ "$(prompt_tokens | cut -d ' ' -f 2)" -gt 10 ] || complain "prompts of $(prompt_tokens)tokens"
}

chat_save_replaces_plain_files_only() {
    mkdir -p "$work/folder"
    chat "/save $work/folder"
    expect_failure "cannot be written: Is a directory"
    chat "/save /dev/null"
    expect_failure "/dev/null: no plain file"
    chat "/save $work/absent/x"
    expect_failure "No such file or directory"
    echo older >"$work/target"
    chmod 640 "$work/target"
    ln -sf target "$work/link"
    chat "/save $work/link"
    expect_status 0
    [ -L "$work/link" ] || complain "the link is gone"
    grep -q messages "$work/target" || complain "the file behind the link is the older one"
    [ "$(stat -c %a "$work/target")" = 640 ] || complain "other permissions"
    rm -f "$work/fresh"
    chat "/save $work/fresh"
    [ "$(stat -c %a "$work/fresh")" = 600 ] || complain "others can read the conversation"
}

# A file that is refused leaves the conversation as it was.
chat_load_refuses_what_it_would_lose() {
    while IFS=$tab read -r json message; do
        printf '%s' "$json" >"$work/bad.json"
        saved "Q
/load $work/bad.json"
        expect_failure "$message"
        expect_saved "u:Q,a:aaa"
    done <<'END'
{"messages":	line 1
{}	no conversation: give {"messages"
"text"	no conversation
[1]	message 1: an object is needed
[{"content":"x"}]	message 1: "role" takes system, user or assistant
[{"role":"user","content":"x"},{"role":"tool","content":"x"}]	message 2: the role "tool" is not known
[{"role":"user"}]	message 1: "content" takes a text
[{"role":"user","content":null}]	message 1: "content" takes a text
[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]	message 1: a part of "content"
[{"role":"assistant","content":"x","tool_calls":[]}]	message 1: "tool_calls" can not be taken over
[{"role":"user","content":"x\u0000"}]	\u0000 is not allowed
[{"role":"user","role":"user","content":"x"}]	twice
END
    chat "/load $work/absent.json"
    expect_failure "no such file"
    chat "/load $work"
    expect_failure "is a directory"
    chat "/load /dev/zero"
    expect_failure "device or pipe"
}

chat_load_takes_the_forms_of_others() {
    printf '%s' '{"model": "m", "messages": [{"role": "user", "name": null, "content":
        [{"type": "text", "text": "Q"}, {"type": "text", "text": "Z"}]}], "temperature": 1}' >"$work/other"
    saved "/load $work/other"
    expect_status 0
    expect_saved "u:QZ"
    printf '[]' >"$work/other"
    saved "/load $work/other"
    expect_saved ""
}

# ---- Ends ----------------------------------------------------------------------------------------

# What came of the answer stays; what stands behind it is not answered.
chat_interrupt_ends_the_lines() {
    [ -r /proc/self/status ] || { skip "no /proc" && return; }
    printf 'Q\nQ\n' >"$work/in"
    : >"$work/out"
    "$program" chat "$work/constant" --ctx 100000 <"$work/in" >"$work/out" 2>"$work/err" &
    child=$!
    tries=0
    until [ -s "$work/out" ] || [ $tries -gt 3000 ]; do
        tries=$((tries + 1))
        sleep 0.01
    done
    kill -INT $child
    wait $child
    status=$?
    expect_failure "interrupted: what stands behind line 1 was not answered"
    expect_output 'a+'
}

chat_output_that_fails_ends_the_lines() {
    [ -c /dev/full ] || { skip "no /dev/full" && return; }
    printf 'Q\nQ\n' >"$work/in"
    "$program" chat "$work/constant" -n 3 <"$work/in" >/dev/full 2>"$work/err"
    status=$?
    expect_failure "standard output could not be written"
}

run_cases
