#!/bin/sh
# step_ratio.sh - how much longer a step of 16 sequences takes than a step of one, on weights larger
# than the caches: of the forward pass alone, and of the engine with greedy requests. Each weight is
# read once per step, so the ratio is far below 16: at most 4 is demanded of both.
#
#   tests/measure/step_ratio.sh [--keep] [--threads N] [--rounds N] [MODEL]
#
# Runs programs of build/measure, which ./dev test builds. MODEL: a checkpoint directory; without it one
# of 709 MB is made up in a temporary directory. --keep writes the output to
# docs/measurements/step_ratio.txt too. Exit status 1 when a ratio of the medians is above 4.
set -eu
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
. "$here/machine.sh"

keep='' threads=2 rounds=40 model=''
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=$root/docs/measurements/step_ratio.txt ;;
    --threads) threads=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    -*) echo "usage: step_ratio.sh [--keep] [--threads N] [--rounds N] [MODEL]" >&2 && exit 2 ;;
    *) model=$1 ;;
    esac
    shift
done
need_programs "$root" step_time engine_step_time synthetic_model

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$model" ]; then
    model=$work/model
    mkdir "$model"
    "$root/build/measure/synthetic_model" "$model"
fi

{
    describe_machine "$root"
    echo "weights: $(du -cL --block-size=1000000 "$model"/*.safetensors | tail -1 | cut -f1) MB"
    for program in step_time engine_step_time; do
        echo "command: $program MODEL $threads $rounds 1 2 4 8 16"
        "$root/build/measure/$program" "$model" "$threads" "$rounds" 1 2 4 8 16
    done
} >"$work/out"
awk '$1 == "command:" { of = $2; one = 0 } $1 == 1 { one = $4 }
    { print }
    $1 == 16 && one { ratio = $4 / one; n++
        printf "ratio of the medians of %s, 16 sequences to 1: %.2f (at most 4)\n", of, ratio
        failed = failed || ratio > 4 }
    END { exit failed || n != 2 }' "$work/out" >"$work/table" && status=0 || status=1
cat "$work/table"
[ -z "$keep" ] || cp "$work/table" "$keep"
exit $status
