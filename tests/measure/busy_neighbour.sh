#!/bin/sh
# busy_neighbour.sh - what is left of the speed when another program takes one of the cores: steps of
# one sequence with as many threads as cores, quiet and with a busy loop pinned to core 0. A thread
# that is not running must not hold up the others for longer than its share: at least 45 % is
# demanded.
#
#   tests/measure/busy_neighbour.sh [--keep] [--rounds N] [MODEL]
#
# Runs programs of build/measure, which ./dev test builds. MODEL: a checkpoint directory; without it one
# of 709 MB is made up in a temporary directory. Quiet and busy runs take turns, five of each; their
# medians count. --keep writes the output to docs/measurements/busy_neighbour.txt too. Exit status 1
# when less than 45 % is left.
set -eu
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
. "$here/machine.sh"

keep='' rounds=40 model=''
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=$root/docs/measurements/busy_neighbour.txt ;;
    --rounds) rounds=$2 && shift ;;
    -*) echo "usage: busy_neighbour.sh [--keep] [--rounds N] [MODEL]" >&2 && exit 2 ;;
    *) model=$1 ;;
    esac
    shift
done
need_programs "$root" step_time synthetic_model

work=$(mktemp -d)
neighbour=''
stop_neighbour() {
    [ -z "$neighbour" ] || kill "$neighbour" 2>/dev/null || true
    neighbour=''
}
trap 'stop_neighbour; rm -rf "$work"' EXIT
if [ -z "$model" ]; then
    model=$work/model
    mkdir "$model"
    "$root/build/measure/synthetic_model" "$model"
fi
threads=$(nproc)

# run NAME: one run; its steps per second go to a file of that name.
run() {
    speed=$("$root/build/measure/step_time" "$model" "$threads" "$rounds" 1 |
        awk '$1 == 1 { print $6 }')
    echo "$speed" >>"$work/$1"
    echo "$1: $speed steps/s"
}

median() {
    sort -n "$1" | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'
}

{
    describe_machine "$root"
    echo "command: step_time MODEL $threads $rounds 1, five times quiet, five times beside a busy core 0"
    for _ in 1 2 3 4 5; do
        run quiet
        taskset -c 0 sh -c 'while :; do :; done' &
        neighbour=$!
        run busy
        stop_neighbour
    done
    echo "$(median "$work/quiet") $(median "$work/busy")" | awk '{
        printf "medians: quiet %s, busy %s steps/s; %.0f %% are left (at least 45)\n", $1, $2,
            100 * $2 / $1 }'
} | tee "$work/out"
[ -z "$keep" ] || cp "$work/out" "$keep"
awk '/^medians/ { ok = $7 >= 45 } END { exit !ok }' "$work/out"
