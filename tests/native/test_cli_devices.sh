#!/bin/sh
# test_cli_devices.sh PROGRAM - the list of devices, for people and as JSON.
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

devices_cpu_comes_first() {
    run devices
    expect_status 0
    line='^cpu +CPU +[0-9.]+ GB free of [0-9.]+ GB, the host.s  [a-z0-9_]+, [0-9]+ core'
    head -n 1 "$work/out" | grep -Eq "$line" || complain "no CPU: $(cat "$work/out")"
    [ ! -s "$work/err" ] || complain "something on standard error"
}

# With or without a driver: a line of its own, and no failure.
devices_vulkan_has_a_line() {
    run devices
    expect_status 0
    grep -Eq '^vulkan(:[0-9]+ |: [^ ])' "$work/out" || complain "no Vulkan: $(cat "$work/out")"
    [ "$(LC_ALL=C tr -d '\n' <"$work/out" | LC_ALL=C tr -cd '\000-\037\177' | wc -c)" -eq 0 ] ||
        complain "a control character"
}

devices_json_has_its_keys() {
    run devices --json
    expect_status 0
    [ "$(wc -l <"$work/out")" -eq 1 ] || complain "not one line"
    n='[0-9]+'
    cpu='"device":"cpu","name":"CPU","memory_total_bytes":'$n',"memory_free_bytes":'$n
    cpu=$cpu',"unified":true,"software":false,"abilities":"[^"]+"'
    grep -Eq '^\{"devices":\[\{'"$cpu"'\},\{"device":"vulkan' "$work/out" ||
        complain "other keys: $(cat "$work/out")"
}

# A device for each of the two layers gives what one device gives.
devices_may_share_a_model() {
    need_checkpoint || return
    run generate "$checkpoint" --ids 5,6,7 -n 20 --json --device cpu
    expect_status 0
    ids=$(sed 's/,"text".*//' "$work/out")
    run generate "$checkpoint" --ids 5,6,7 -n 20 --json --device 'cpu*1+cpu' --deterministic
    expect_status 0
    [ "$(sed 's/,"text".*//' "$work/out")" = "$ids" ] || complain "other tokens than $ids"
    [ ${#ids} -gt 40 ] || complain "no tokens: $ids"
}

devices_are_planned_one_by_one() {
    need_checkpoint || return
    run plan "$checkpoint" --device 'cpu*1+cpu'
    expect_status 0
    grep -Eq '^layers 0-0 on CPU, .*: needed [0-9.]+ MB, free now [0-9.]+ MB$' "$work/out" ||
        complain "no first device: $(cat "$work/out")"
    grep -Eq '^layers 1-.* MB, which is also that of layer 0$' "$work/out" ||
        complain "no second device: $(cat "$work/out")"
    run plan "$checkpoint" --device 'cpu*1+cpu' --json
    grep -Eq '"devices":\[\{"name":"[^{]*"first_layer":0,"layers":1,[^{]*\{[^{]*"memory_of_device":0\}\]' \
        "$work/out" || complain "no devices: $(cat "$work/out")"
    run plan "$checkpoint" --device 'cpu*99+cpu'
    expect_failure "more layers than the model's"
}

devices_takes_no_model() {
    run devices model
    expect_refusal "one argument too many: 'model'"
    run devices --ctx 5
    expect_refusal "devices takes no --ctx"
}

run_cases
