#!/bin/sh
# tokenizer.sh - the speed of the tokenizer beside the reference library's (Python package tokenizers) on
# the same text, one after the other in one run, each on one thread and bound to one core: load time,
# encoding, peak memory of the process. All times are seconds of the processor. Both have to give the same
# ids.
#
#   tests/measure/tokenizer.sh [--keep] [--rounds N] [--text DIR] [NAME...]
#
# NAME: published vocabularies of ./dev oracle, in $FATHOM_CACHE/oracle/tokenizer (default: deepseek_v3,
# llama3_1, qwen3 and deepseek_llm). The text is fetched (tokenizer_text.py) unless --text DIR has it.
# PYTHON: a Python with the package tokenizers (default: .venv/bin/python). --keep writes the output to
# docs/measurements/tokenizer.txt too. Exit status 1 when ids differ.
set -eu
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
. "$here/machine.sh"

keep='' rounds=5 text=''
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=$root/docs/measurements/tokenizer.txt ;;
    --rounds) rounds=$2 && shift ;;
    --text) text=$2 && shift ;;
    -*) echo "usage: tokenizer.sh [--keep] [--rounds N] [--text DIR] [NAME...]" >&2 && exit 2 ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || set -- deepseek_v3 llama3_1 qwen3 deepseek_llm
need_programs "$root" tokenizer_time
python=${PYTHON:-$root/.venv/bin/python}
cache=${FATHOM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fathom}/oracle/tokenizer
for name in "$@"; do
    [ -f "$cache/$name/tokenizer.json" ] && continue
    echo "$cache/$name is not there: ./dev oracle makes it" >&2
    exit 2
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$text" ]; then
    text=$work
    "$python" "$here/tokenizer_text.py" "$text" >&2
fi
core=''
! command -v taskset >/dev/null || core='taskset -c 0'

# measure NAME TEXT: two lines
measure() {
    printf '%-12s %-8s fathom     ' "$1" "$2"
    $core "$root/build/measure/tokenizer_time" "$cache/$1" "$text/$2.txt" "$rounds"
    printf '%-12s %-8s tokenizers ' "$1" "$2"
    $core "$python" "$here/tokenizer_reference.py" "$cache/$1" "$text/$2.txt" 1
}

{
    describe_machine "$root"
    "$python" -c 'import tokenizers; print("reference: tokenizers", tokenizers.__version__)'
    for part in mixed code world chinese; do
        echo "text $part: $(wc -c <"$text/$part.txt" | tr -d ' ') bytes"
    done
    echo "rounds: the fastest of $rounds (fathom) and of 1 (tokenizers, which gets no faster)"
    for name in "$@"; do
        for part in mixed code world chinese; do measure "$name" "$part"; done
    done
    echo "load $(cut -d ' ' -f 1-2 /proc/loadavg) after"
} >"$work/out"
awk '{ print }
    $3 == "fathom" { speed = $7; load = $5; hash = $13 }
    $3 == "tokenizers" {
        printf "%-12s %-8s ratio      load %.1f encode %.1f%s\n", $1, $2, $5 / load, speed / $7,
            hash == $13 ? "" : " OTHER IDS"
        if (hash != $13) failed = 1 }
    END { exit failed }' "$work/out" >"$work/table" && status=0 || status=1
cat "$work/table"
[ -z "$keep" ] || cp "$work/table" "$keep"
exit $status
