# machine.sh - what every measurement says about where it was taken, and what it needs. Sourced by the scripts beside it.

# describe_machine ROOT: device, load, system and commit, one line each.
describe_machine() {
    echo "date: $(date -u +%Y-%m-%d)"
    echo "processor: $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1), $(nproc) cores"
    echo "system: $(uname -sr), load $(cut -d ' ' -f 1-2 /proc/loadavg) before"
    echo "commit: $(git -C "$1" rev-parse --short HEAD)$(
        [ -z "$(git -C "$1" status --porcelain -- core backends)" ] || echo ' and changes'
    )"
}

# need_programs ROOT NAME...: ends with one line unless the programs are in build/measure.
need_programs() {
    measure=$1/build/measure
    shift
    for program in "$@"; do
        [ -x "$measure/$program" ] && continue
        echo "build/measure/$program is not there: ./dev test builds it, and so does" \
            "cmake --preset release -DFATHOM_TESTS=ON && cmake --build --preset release" >&2
        exit 2
    done
}
