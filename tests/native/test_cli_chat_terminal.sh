#!/bin/sh
# test_cli_chat_terminal.sh PROGRAM - conversations typed on a terminal: keys, interrupts, history.
# script(1) makes the terminal; what it reads are the keys, what it writes is the screen.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

make_constant "$work/constant" 64
HOME=$work/home
export HOME
unset XDG_STATE_HOME
history=$HOME/.local/state/fathom/history
mkfifo "$work/keys"

need_terminal() {
    SHELL=/bin/sh script -qc true /dev/null </dev/null >"$work/out" 2>&1 && return 0
    skip "no pseudo-terminal can be made here (the program script, /dev/pts)"
    return 1
}

# open_chat ARGUMENT... - starts the program on a terminal and waits for its first prompt.
open_chat() {
    : >"$work/err"
    [ -e "$HOME" ] || mkdir "$HOME"
    SHELL=/bin/sh TERM=xterm NO_COLOR=${no_color-1} LC_ALL=C \
        script -qec "exec '$program' chat '$work/constant' $*" /dev/null \
        <"$work/keys" >"$work/screen" 2>&1 &
    child=$!
    exec 5>"$work/keys"
    n_prompts=0
    next_prompt
}

# keys FORMAT - types, as printf writes it.
keys() {
    # shellcheck disable=SC2059 # a format
    printf "$1" >&5
}

escape=$(printf '\033')

# Without colours, and each prompt, in front of which a mark is switched on, at the head of a line.
screen() {
    tr -d '\r' <"$work/screen" | sed "s/$escape\[[0-9;]*m//g; s/\(.\)$escape\[?2004h/\1\\
/g; s/$escape\[?2004[hl]//g"
}

count_prompts() {
    screen | grep -c '^[>.] '
}

# until_true COMMAND... - waits for half a minute or longer.
until_true() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 3000 ] || { complain "waited in vain for: $*" && return 1; }
        sleep 0.01
    done
}

has_prompts() {
    [ "$(count_prompts)" -ge "$1" ]
}

# Waits for one more than there were.
next_prompt() {
    n_prompts=$((n_prompts + 1))
    until_true has_prompts $n_prompts
}

screen_has() {
    screen | grep -qE -e "$1"
}

expect_screen() {
    screen_has "$1" || complain "the screen does not hold: $1"
}

# line FORMAT - types a line with its return key, and waits for the next prompt.
line() {
    keys "$1\\r"
    next_prompt
}

# Waits for the end of the program; its exit status is script's.
close_chat() {
    until_true has_ended || kill -KILL $child
    exec 5>&-
    wait $child
    status=$?
    expect_status 0
}

has_ended() {
    ! kill -0 $child 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$child/status" 2>/dev/null
}

quit_chat() {
    keys '/quit\r'
    close_chat
}

# ---- Keys ----------------------------------------------------------------------------------------

chat_terminal_answers_and_quits() {
    need_terminal || return
    open_chat -n 3
    line Q
    expect_screen '^aaa$'
    expect_screen 'cut at 3 tokens; -n N allows more'
    expect_screen '/help lists the commands'
    quit_chat
}

chat_prompt_has_a_colour_where_they_are_wanted() {
    need_terminal || return
    no_color=
    open_chat
    unset no_color
    quit_chat
    grep -qF "$escape[1;32m>$escape[0m" "$work/screen" || complain "no colour"
    open_chat
    quit_chat
    grep -qF "$escape[1;32m" "$work/screen" && complain "a colour in spite of NO_COLOR"
}

chat_end_key_leaves() {
    need_terminal || return
    open_chat -n 3
    keys '\004'
    close_chat
}

chat_lines_are_edited() {
    need_terminal || return
    open_chat -n 3
    line 'oen\177\177ne \303\251\001Z'
    line "/save $work/saved.json"
    quit_chat
    grep -qF '"content":"Zone é"' "$work/saved.json" || complain "$(cat "$work/saved.json")"
}

chat_backslash_goes_on_in_the_next_line() {
    need_terminal || return
    open_chat -n 3
    line 'one\\'
    expect_screen '^\. '
    line two
    line "/save $work/saved.json"
    quit_chat
    grep -qF '"content":"one\u000atwo"' "$work/saved.json" || complain "$(cat "$work/saved.json")"
}

# Terminals put marks around what is pasted; in it return keys are newlines and controls nothing.
chat_pasted_lines_stay_together() {
    need_terminal || return
    open_chat -n 3
    keys 'a \033[200~one\r\ntwo\r\rth\007ree\033[201~'
    line ' b'
    line "/save $work/saved.json"
    quit_chat
    grep -qF '"content":"a one\u000atwo\u000a\u000athree b"' "$work/saved.json" ||
        complain "$(cat "$work/saved.json")"
}

# ---- Interrupts ----------------------------------------------------------------------------------

chat_interrupt_ends_the_answer_and_not_the_program() {
    need_terminal || return
    open_chat --ctx 100000
    keys 'Q\r'
    until_true screen_has 'aaaa'
    keys '\003'
    next_prompt
    expect_screen 'interrupted; /regen answers anew'
    ! screen_has 'Ctrl-C once more' || complain "the interrupt was taken for one at the prompt"
    keys '/regen\r'
    until_true screen_has '/regen$' && until_true screen_has '^aa*'
    sleep 0.1
    keys '\003'
    next_prompt
    line "/save $work/saved.json"
    quit_chat
    [ "$(grep -c '"role"' "$work/saved.json")" -eq 2 ] || complain "not one question and its answer"
    grep -q '"content":"aaaa*"' "$work/saved.json" || complain "the answer is lost"
}

chat_interrupt_takes_back_what_is_typed() {
    need_terminal || return
    open_chat -n 3
    keys 'abc'
    until_true screen_has '^> abc'
    keys '\003'
    next_prompt
    keys 'one\\\r'
    next_prompt
    keys '\003'
    next_prompt
    line Q
    line "/save $work/saved.json"
    quit_chat
    [ "$(grep -c '"role"' "$work/saved.json")" -eq 2 ] || complain "$(cat "$work/saved.json")"
    grep -q '"content":"Q"' "$work/saved.json" || complain "$(cat "$work/saved.json")"
}

chat_two_interrupts_on_an_empty_line_leave() {
    need_terminal || return
    open_chat -n 3
    keys '\003'
    next_prompt
    expect_screen 'Ctrl-C once more, Ctrl-D or /quit leaves'
    line Q
    keys '\003'
    next_prompt
    keys '\003'
    close_chat
}

# ---- Commands ------------------------------------------------------------------------------------

chat_commands_say_what_they_did() {
    need_terminal || return
    open_chat -n 3
    line /frobnicate
    expect_screen "fathom: unknown command '/frobnicate'"
    line Q
    line "/save $work/saved.json"
    expect_screen '2 messages saved'
    line '/system S'
    expect_screen 'the system text holds'
    line /clear
    expect_screen 'a new conversation, under the same system text'
    line "/load $work/saved.json"
    expect_screen '2 messages; the conversation goes on'
    line /help
    expect_screen '^/regen '
    expect_screen 'Ctrl-C stops an answer'
    quit_chat
}

# ---- History -------------------------------------------------------------------------------------

chat_history_is_kept_for_the_user_alone() {
    need_terminal || return
    rm -rf "$HOME"
    open_chat -n 3
    line 'one\\'
    line 'two \\ three'
    quit_chat
    [ "$(stat -c %a "$history")" = 600 ] || complain "permissions $(stat -c %a "$history")"
    [ "$(stat -c %a "$HOME/.local/state/fathom")" = 700 ] || complain "the directory is open"
    printf '%s\n' 'one\ntwo \\ three' /quit | cmp -s - "$history" || complain "$(cat "$history")"
    open_chat -n 3
    line '\033[A\033[A'
    line "/save $work/saved.json"
    quit_chat
    grep -qF '"content":"one\u000atwo \\ three"' "$work/saved.json" ||
        complain "$(cat "$work/saved.json")"
}

chat_history_obeys_the_state_directory() {
    need_terminal || return
    rm -rf "$HOME"
    XDG_STATE_HOME=$work/state
    export XDG_STATE_HOME
    open_chat -n 3
    quit_chat
    [ "$(cat "$work/state/fathom/history")" = /quit ] || complain "no history there"
    XDG_STATE_HOME=relative
    open_chat -n 3
    quit_chat
    unset XDG_STATE_HOME
    [ -f "$history" ] || complain "a relative directory was taken"
}

chat_history_has_bounds() {
    need_terminal || return
    mkdir -p "$(dirname "$history")"
    seq 1500 >"$history"
    open_chat -n 3
    quit_chat
    [ "$(wc -l <"$history")" -eq 1000 ] || complain "$(wc -l <"$history") lines"
    [ "$(head -n 1 "$history")" = 502 ] || complain "it begins with $(head -n 1 "$history")"
    { head -c 9000 /dev/zero | tr '\000' x && echo && echo short; } >"$history"
    open_chat -n 3
    quit_chat
    [ "$(head -n 1 "$history")" = short ] || complain "a very long line was kept"
}

chat_history_that_cannot_be_kept_is_told_once() {
    need_terminal || return
    rm -rf "$history"
    mkdir -p "$history"
    open_chat -n 3
    line Q
    line Q
    quit_chat
    [ "$(screen | grep -c 'history: .*: no plain file; it ends with this program')" -eq 1 ] ||
        complain "told $(screen | grep -c 'history: ') times"
    rm -rf "$HOME"
    : >"$HOME"
    open_chat -n 3
    line Q
    line Z
    quit_chat
    rm "$HOME"
    [ "$(screen | grep -c 'history: .*: Not a directory; it ends')" -eq 1 ] ||
        complain "told $(screen | grep -c 'history: ') times"
}

run_cases
