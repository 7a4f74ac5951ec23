#!/bin/sh
# test_cli_template.sh PROGRAM - fathom template: where templates and messages come from, and the forms of
# what is printed.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

# A directory with a tokenizer and a template of its own.
make_model() {
    mkdir -p "$work/model"
    cp "$data/tokenizer/smollm/tokenizer.json" "$work/model"
    cat >"$work/model/tokenizer_config.json" <<'END'
{"bos_token": "<|im_start|>",
 "chat_template": [
   {"name": "default", "template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"},
   {"name": "long", "template": "{{ messages|length }} {{ tools|tojson }} {{ mood }}"}]}
END
    echo '[{"role": "user", "content": "Hi <|im_start|>"}]' >"$work/chat.json"
}

expect_text() {
    printf '%b' "$1" | cmp -s - "$work/out" || complain "printed: $(head -c 300 "$work/out")"
}

template_prints_the_prompt_byte_for_byte() {
    make_model
    run template "$work/model" "$work/chat.json"
    expect_status 0
    expect_text '<|im_start|>Hi <|im_start|>'
    cp "$work/chat.json" "$work/in"
    run template "$work/model"
    expect_text '<|im_start|>Hi <|im_start|>'
    run template "$work/model" -
    expect_text '<|im_start|>Hi <|im_start|>'
}

template_needs_no_model() {
    make_model
    run template --template chatml "$work/chat.json"
    expect_status 0
    expect_text '<|im_start|>user\nHi <|im_start|><|im_end|>\n<|im_start|>assistant\n'
    printf '%s' '{{ messages[0].role }}' >"$work/own.jinja"
    run template --template "$work/own.jinja" "$work/chat.json"
    expect_text user
    run template "$work/chat.json"
    expect_refusal 'a template is needed'
    run template --template chatml --ids "$work/chat.json"
    expect_refusal 'needs a model directory'
}

template_without_one_takes_the_layout_that_fits() {
    make_model
    rm "$work/model/tokenizer_config.json"
    run template "$work/model" "$work/chat.json"
    expect_status 0
    expect_text '<|im_start|>user\nHi <|im_start|><|im_end|>\n<|im_start|>assistant\n'
}

template_takes_tools_and_arguments() {
    make_model
    echo '[{"name": "f", "n": 1.0}]' >"$work/tools.json"
    run template "$work/model" "$work/chat.json" --template long --tools "$work/tools.json" \
        --template-arg mood=good
    expect_status 0
    expect_text '1 [{"name": "f", "n": 1.0}] good'
    run template "$work/model" "$work/chat.json" --template long --template-arg 'mood={"a": [1, true]}'
    expect_text "1 null {'a': [1, True]}"
    # Arguments go before the file's own variables, and those before what is set without them.
    echo '{"messages": [1, 2], "mood": "bad", "tools": 5}' >"$work/chat.json"
    run template "$work/model" "$work/chat.json" --template long
    expect_text '2 5 bad'
    run template "$work/model" "$work/chat.json" --template long --template-arg mood=good
    expect_text '2 5 good'
    run template "$work/model" "$work/chat.json" --template long --template-arg mood
    expect_refusal 'takes NAME=VALUE'
}

template_asks_for_an_answer_unless_told() {
    make_model
    run template --template chatml "$work/chat.json" --template-arg add_generation_prompt=false
    expect_text '<|im_start|>user\nHi <|im_start|><|im_end|>\n'
}

template_tells_the_input_from_the_template() {
    make_model
    run template "$work/model" "$work/chat.json" --spans
    expect_status 0
    expect_text '{"from":"template","text":"<|im_start|>"}\n{"from":"input","text":"Hi <|im_start|>"}\n'
    mark=$("$program" tokenize "$work/model" '<|im_start|>')
    run template "$work/model" "$work/chat.json" --ids
    expect_output "$mark( [0-9]+)+"
    [ "$(tr ' ' '\n' <"$work/out" | grep -cx "$mark")" -eq 1 ] || complain "a message gave a token"
    ids=$(tr ' ' ',' <"$work/out")
    run template "$work/model" "$work/chat.json" --json
    expect_output "\\{\"text\":\"<.im_start.>Hi <.im_start.>\",\"ids\":\\[$ids\\]\\}"
}

template_faults_are_one_line() {
    make_model
    run template --template nosuch "$work/chat.json"
    expect_failure 'nosuch: No such file'
    printf '%s' '{{ 1 +' >"$work/own.jinja"
    run template --template "$work/own.jinja" "$work/chat.json"
    expect_failure 'own.jinja: line 1, column 7: '
    printf '%s' '{{ raise_exception("Roles must alternate") }}' >"$work/own.jinja"
    run template --template "$work/own.jinja" "$work/chat.json"
    expect_failure 'Roles must alternate'
    run template --template chatml "$work/absent.json"
    expect_failure 'absent.json'
    echo '{"messages": ' >"$work/chat.json"
    run template --template chatml "$work/chat.json"
    expect_failure 'chat.json: line 2'
    echo '5' >"$work/chat.json"
    run template --template chatml "$work/chat.json"
    expect_failure 'give a list of messages'
}

run_cases
