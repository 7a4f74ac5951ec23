# cli.sh - what the suites of the command line share: running the program, checking what it did, the
# tiny models. A suite is called with the program's path, sources this file, defines its cases and
# ends with run_cases. Cases are printed the way cmocka does.
#
# The models are those of tests/data, a checkpoint of tests/data/oracle (weights, no tokenizer) and a
# tokenizer of tests/data/tokenizer, and one that is made here and always gives the same token.
set -u
program=$1
data=$(dirname "$0")/../data
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export FATHOM_CACHE="$work/cache" # what a device keeps is not the user's

# shellcheck disable=SC2034 # the suites use it
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

# The message is one line that begins with the program's name and holds the text; no character of it
# can move the cursor or change a colour.
expect_message() {
    [ "$(wc -l <"$work/err")" -eq 1 ] || complain "expected one line on standard error"
    grep -q '^fathom: ' "$work/err" || complain "the message does not begin with 'fathom: '"
    grep -qF -e "$1" "$work/err" || complain "the message does not hold: $1"
    [ "$(LC_ALL=C tr -d '\n' <"$work/err" | LC_ALL=C tr -cd '\000-\037\177' | wc -c)" -eq 0 ] ||
        complain "a control character in the message"
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

# expect_member KEY EXPRESSION - the JSON object in the output has this member.
expect_member() {
    grep -qE "[{,]\"$1\":$2[,}]" "$work/out" || complain "no $1 of $2 in: $(head -c 300 "$work/out")"
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

# Runs the functions of the suite whose names begin with the word of a module, in their order.
run_cases() {
    for name in $(sed -n 's/^\([a-z0-9_]*\)() {$/\1/p' "$0" |
        grep -E '^(cli|tokenize|generate|batch|plan|devices|chat|template|logits|inspect|library|examples)_'); do
        case_of "$name"
    done
    echo "[==========] $((n_passed + n_failed + n_skipped)) test(s) run."
    echo "[  PASSED  ] $n_passed test(s)."
    [ $n_skipped -eq 0 ] || echo "[  SKIPPED ] $n_skipped test(s)."
    [ $n_failed -eq 0 ] || echo "[  FAILED  ] $n_failed test(s)."
    [ $n_failed -eq 0 ]
}

# ---- Models --------------------------------------------------------------------------------------

# The first directory below $1 that holds the file $2.
first_with() {
    for candidate in "$1"/*/"$2"; do
        [ -f "$candidate" ] && dirname "$candidate" && return 0
    done
}

tokenizer=$data/tokenizer/deepseek_v3
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

# tensors NAME SHAPE BYTES ... - the members of a safetensors header, one tensor behind the other.
tensors() {
    at=0
    while [ $# -gt 0 ]; do
        printf ',"%s":{"dtype":"BF16","shape":[%s],"data_offsets":[%d,%d]}' \
            "$1" "$2" $at $((at + $3))
        at=$((at + $3))
        shift 3
    done
}

# fill COUNT - that many bytes that, two by two, are the BF16 number 0.747.
fill() {
    head -c "$1" /dev/zero | tr '\000' '?'
}

# make_constant DIRECTORY ID [NAME] - a model of 2048 tokens and one layer of zeros that gives the token ID
# whatever it reads: its row of the output matrix is the only one that is not zero. The tokenizer is
# that of DeepSeek-V3 with 2012 tokens. NAME, as JSON writes it, is one more tensor of 8 numbers.
make_constant() {
    layer=model.layers.0
    mkdir -p "$1"
    cp "$data"/tokenizer/deepseek_v3/tokenizer*.json "$1"
    cat >"$1/config.json" <<END
{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
 "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
 "num_key_value_heads": 1, "max_position_embeddings": 100000, "rms_norm_eps": 1e-6,
 "rope_theta": 10000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
 "vocab_size": 2048}
END
    {
        printf '\000\010\000\000\000\000\000\000' # 2048 bytes of header
        printf '%-2048s' "{\"__metadata__\":{}$(tensors model.embed_tokens.weight 2048,8 32768 \
            model.norm.weight 8 16 \
            $layer.input_layernorm.weight 8 16 $layer.post_attention_layernorm.weight 8 16 \
            $layer.self_attn.q_proj.weight 8,8 128 $layer.self_attn.k_proj.weight 8,8 128 \
            $layer.self_attn.v_proj.weight 8,8 128 $layer.self_attn.o_proj.weight 8,8 128 \
            $layer.mlp.gate_proj.weight 8,8 128 $layer.mlp.up_proj.weight 8,8 128 \
            $layer.mlp.down_proj.weight 8,8 128 lm_head.weight 2048,8 32768 \
            ${3:+"$3" 8 16})}"
        fill $((32768 + 3 * 16))
        head -c $((7 * 128 + 16 * $2)) /dev/zero
        fill 16
        head -c $((16 * (2047 - $2))) /dev/zero
        [ $# -lt 3 ] || fill 16
    } >"$1/model.safetensors"
}
