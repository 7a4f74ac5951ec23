#!/bin/sh
# test_cli_signals.sh PROGRAM - interrupts, closed pipes, full disks and quotas.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# ---- Outputs that fail ---------------------------------------------------------------------------

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

# 50 rows are more than the one or two blocks of 512 bytes that shells mean by 1.
logits_over_the_quota_leave_nothing() {
    need_checkpoint || return
    mkdir -p "$work/quota"
    ids=$(yes 5, | head -n 50 | tr -d '\n')
    (ulimit -f 1 && exec "$program" logits "$checkpoint" --ids "${ids%,}" \
        --out "$work/quota/logits.npy") >"$work/out" 2>"$work/err"
    status=$?
    expect_failure "File too large"
    [ -z "$(ls -A "$work/quota")" ] || complain "left behind: $(ls -A "$work/quota")"
}

# ---- Interrupts ----------------------------------------------------------------------------------

# The second interrupt would kill the program, so the first is sent when it is being waited for: bit
# 1 of the signals caught. The name tells the program from the shell that is about to become it and
# catches interrupts too.
catches_interrupts() {
    grep -q "^Name:[[:space:]]*$(basename "$program")\$" "/proc/$1/status" 2>/dev/null &&
        grep -q '^SigCgt:.*[2367abef]$' "/proc/$1/status" 2>/dev/null
}

# until_true COMMAND... - waits for half a minute or longer.
until_true() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 3000 ] || return 1
        sleep 0.01
    done
}

need_proc() {
    [ -r /proc/self/status ] && return 0
    skip "no /proc to see when a signal is waited for"
    return 1
}

has_ended() {
    case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) in
    Z | X | '') return 0 ;;
    esac
    return 1
}

ready_or_ended() {
    catches_interrupts "$1" || has_ended "$1"
}

# end_of CHILD - waits for its end and sets $status; one that does not end is killed.
end_of() {
    if ! until_true has_ended "$1"; then
        complain "the program did not end"
        kill -KILL "$1" 2>/dev/null
    fi
    wait "$1"
    status=$?
}

# interrupt CHILD - one interrupt, when the program waits for it; then its end.
interrupt() {
    until_true ready_or_ended "$1"
    has_ended "$1" && complain "the program never waited for an interrupt"
    kill -INT "$1" 2>/dev/null
    end_of "$1"
}

# Sets $ids to a prompt that takes far longer than the interrupt needs, and makes $work/long, the
# checkpoint with room for it.
make_long() {
    mkdir -p "$work/long"
    cp "$checkpoint"/*.safetensors "$work/long"
    sed 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 60100/' \
        "$checkpoint/config.json" >"$work/long/config.json"
    ids=$(yes 5, | head -n 60000 | tr -d '\n')
    ids=${ids%,}
}

# The constant model never gives an end token: alone, its answer fills the context.
generate_interrupt_ends_the_answer() {
    need_proc || return
    make_constant "$work/constant" 64
    rm "$work/constant/tokenizer.json"
    "$program" generate "$work/constant" --ids 5 --ctx 100000 -n 0 --stats >"$work/out" 2>"$work/err" &
    child=$!
    until_true test -s "$work/out"
    interrupt $child
    expect_status 0
    expect_output '[0-9]+( [0-9]+)*'
    [ "$(wc -w <"$work/out")" -lt 99999 ] || complain "the answer went on to its end"
    grep -q '^prompt 1 tokens' "$work/err" || complain "no line of speeds"
}

generate_interrupted_answer_is_cancelled() {
    need_proc || return
    make_constant "$work/constant" 64
    "$program" generate "$work/constant" --ids 5 --ctx 100000 -n 0 --json >"$work/out" 2>"$work/err" &
    interrupt $!
    expect_status 0
    expect_member finish_reason '"cancelled"'
    expect_member generated_tokens '[0-9]{1,5}'
    grep -q '"generated_tokens":99999,' "$work/out" && complain "the answer went on to its end"
}

generate_interrupt_in_the_prompt_tells_what_was_done() {
    need_checkpoint && need_proc || return
    make_long
    rate='[0-9]+(\.[0-9]+)?'
    "$program" generate "$work/long" --ids "$ids" --ctx 60100 --chunk 1 --json \
        >"$work/out" 2>"$work/err" &
    interrupt $!
    expect_status 0
    expect_keys ids '\[\]' text null finish_reason '"cancelled"' prompt_tokens 60000 \
        generated_tokens 0 prefill_tokens_per_s "$rate" decode_tokens_per_s 0
    grep -q '"prefill_tokens_per_s":0[,.]' "$work/out" && complain "no speed of what was run"
}

# A prompt stops behind a whole step, so the tokens that were run tell the length of one.
generate_chunk_is_the_length_of_a_step() {
    need_checkpoint && need_proc || return
    make_long
    for chunk in 1 211; do
        "$program" generate "$work/long" --ids "$ids" --ctx 60100 --chunk $chunk --stats \
            >"$work/out" 2>"$work/err" &
        interrupt $!
        expect_status 0
        done=$(sed -n 's/^prompt \([0-9]*\) of 60000 tokens at .*, generated 0 at.*/\1/p' "$work/err")
        [ "${done:-0}" -gt 0 ] || complain "the line of speeds looks different"
        [ $((${done:-0} % chunk)) -eq 0 ] || complain "$done tokens in steps of $chunk"
    done
}

# The program waits for the reader of a full pipe, so that it can not end before the second one.
is_stuck() {
    before=$(cut -d ' ' -f 3,14,15 "/proc/$1/stat" 2>/dev/null)
    sleep 0.2
    after=$(cut -d ' ' -f 3,14,15 "/proc/$1/stat" 2>/dev/null)
    [ "${after%% *}" = S ] && [ "$before" = "$after" ]
}

no_longer_catches() {
    ! catches_interrupts "$1"
}

generate_second_interrupt_ends_the_program() {
    need_proc || return
    make_constant "$work/constant" 2004
    mkfifo "$work/full"
    exec 4<>"$work/full"
    "$program" generate "$work/constant" -p Q --ctx 60100 -n 0 --threads 1 >&4 2>"$work/err" &
    child=$!
    until_true ready_or_ended $child
    until_true is_stuck $child || complain "the program does not wait for its reader"
    kill -INT $child
    until_true no_longer_catches $child || complain "the first interrupt changed nothing"
    has_ended $child && complain "the first interrupt ended a write"
    kill -INT $child 2>/dev/null
    end_of $child
    exec 4>&-
    expect_status 130
}

# What runs ends with what it has, what waits with nothing, and what was not read is told.
batch_interrupt_cancels_what_runs() {
    need_proc || return
    make_constant "$work/constant" 64
    rm -f "$work/out"
    echo '{"ids": [5], "n": 2}' >"$work/in"
    yes '{"ids": [5], "n": 0}' | head -n 20 >>"$work/in"
    "$program" generate "$work/constant" --batch "$work/in" --ctx 60100 --cache-tokens 200000 --parallel 2 \
        --stats >"$work/out" 2>"$work/err" &
    child=$!
    until_true test -s "$work/out"
    interrupt $child
    expect_status 1
    # The interrupt may come before the next line has taken the place of the first.
    n=$(grep -c '"finish_reason":"cancelled"' "$work/out")
    [ "$n" -eq 3 ] || [ "$n" -eq 4 ] || complain "$n cancelled"
    grep -qx "fathom: interrupted: $n requests were cancelled, and lines behind line $((n + 1)) were not read" \
        "$work/err" || complain "the message looks different"
    grep -q "^$((n + 1)) requests, 0 failed, prompt " "$work/err" || complain "no line of counts"
    [ "$(grep -c '"finish_reason":"length"' "$work/out")" -eq 1 ] || complain "no answer that ended"
}

batch_interrupt_ends_the_wait_for_a_line() {
    need_checkpoint && need_proc || return
    mkfifo "$work/silent"
    "$program" generate "$checkpoint" --batch - <"$work/silent" >"$work/out" 2>"$work/err" &
    child=$!
    exec 5>"$work/silent"
    interrupt $child
    exec 5>&-
    expect_failure "interrupted: 0 requests"
}

# The answers that nobody reads are not computed to their end.
batch_closed_pipe_ends_the_run() {
    need_proc || return
    make_constant "$work/constant" 64
    { echo '{"ids": [5], "n": 1}' && echo '{"ids": [5], "n": 0}'; } >"$work/in"
    mkfifo "$work/reader"
    : <"$work/reader" &
    exec 3>"$work/reader"
    wait $!
    "$program" generate "$work/constant" --batch "$work/in" --ctx 100000 --cache-tokens 200000 --stats >&3 \
        2>"$work/err" &
    child=$!
    exec 3>&-
    end_of $child
    expect_status 1
    grep -q '^fathom: standard output could not be written' "$work/err" || complain "no message"
    grep -qE '^2 requests, 0 failed, prompt 2 tokens, generated [0-9]{1,4} at' "$work/err" ||
        complain "the answer went on to its end"
}

logits_interrupt_leaves_nothing() {
    need_checkpoint && need_proc || return
    make_long
    mkdir -p "$work/rows"
    "$program" logits "$work/long" --ids "$ids" --ctx 60100 --chunk 1 --out "$work/rows/l.npy" \
        >"$work/out" 2>"$work/err" &
    interrupt $!
    expect_failure "interrupted"
    [ -z "$(ls -A "$work/rows")" ] || complain "left behind: $(ls -A "$work/rows")"
}

run_cases
