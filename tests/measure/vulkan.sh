#!/bin/sh
# vulkan.sh - the Vulkan backend on this machine's first Vulkan device: every suite that is about it, and
# how fast one sequence runs, beside the CPU.
#
#   tests/measure/vulkan.sh [--keep] [--rounds N] [MODEL]
#
# Runs programs of build/ (./dev gpu makes them). MODEL: a checkpoint directory; without it one of 709 MB is
# made up in a temporary directory. What came of it is printed, and written to
# docs/measurements/vulkan-DEVICE.txt. For a device that is emulated that model is too large: there it is the
# tests' checkpoint v3_yarn, and the file is written only with --keep. Exit status 1 when a suite failed or
# a measurement did.
set -eu
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
. "$here/machine.sh"

keep='' rounds=5 model='' small_model=tests/data/oracle/v3_yarn
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes ;;
    --rounds) rounds=$2 && shift ;;
    -*) echo "usage: vulkan.sh [--keep] [--rounds N] [MODEL]" >&2 && exit 2 ;;
    *) model=$1 ;;
    esac
    shift
done

device=$("$root/build/fathom" devices | sed -n 's/^vulkan:0 *//p')
if [ -z "$device" ]; then
    "$root/build/fathom" devices | grep '^vulkan' >&2 || true
    echo "vulkan.sh: there is no Vulkan device" >&2
    exit 1
fi

case $device in
*'(software'*) emulated=yes ;;
*) emulated='' ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$model" ] && [ -n "$emulated" ]; then
    model=$root/$small_model
    named="$small_model, as a processor emulates the device: these times are those of commands, not of weights"
elif [ -z "$model" ]; then
    model=$work/model
    named='made up: a llama of 5 layers'
    mkdir "$model"
    "$root/build/measure/synthetic_model" "$model"
fi

# measure DEVICE [deterministic]
measure() {
    echo
    echo "device_speed MODEL $1 $rounds${2:+ $2}"
    # shellcheck disable=SC2086 # one word or nothing
    "$root/build/measure/device_speed" "$model" "$1" "$rounds" ${2:-} || echo "FAILED: $1 ${2:-}"
}

measure_all() {
    echo "MODEL: ${named:-$model}"
    echo "weights: $(cat "$model"/*.safetensors | wc -c | awk '{ printf "%.1f", $1 / 1e6 }') MB"
    measure vulkan:0
    measure vulkan:0 deterministic
    measure cpu
}

status=0
{
    describe_machine "$root"
    echo "device: $device${emulated:+, emulated}"
    echo
    (cd "$root" && sh tests/run.sh vulkan) || echo "FAILED: a suite"
    echo
    measure_all
} 2>&1 | tee "$work/out"
! grep -q '^FAILED' "$work/out" || status=1

[ -n "$keep" ] || [ -z "$emulated" ] || exit $status
# "NVIDIA H100 PCIe (Vulkan, NVIDIA)  85.9 GB …" becomes nvidia-h100-pcie
name=$(echo "$device" | sed 's/ *(.*//' | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9\n' '-' | sed 's/-*$//')
cp "$work/out" "$root/docs/measurements/vulkan-$name.txt"
echo "written: docs/measurements/vulkan-$name.txt"
exit $status
