# machine.sh - what every measurement says about where it was taken. Sourced by the scripts beside it.

# describe_machine ROOT: device, load, system and commit, one line each.
describe_machine() {
    echo "date: $(date -u +%Y-%m-%d)"
    echo "processor: $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1), $(nproc) cores"
    echo "system: $(uname -sr), load $(cut -d ' ' -f 1-2 /proc/loadavg) before"
    echo "commit: $(git -C "$1" rev-parse --short HEAD)$(
        [ -z "$(git -C "$1" status --porcelain -- core backends)" ] || echo ' and changes'
    )"
}
