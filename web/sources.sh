#!/bin/sh
# sources.sh - fetches the sources of cJSON and cmocka, which Emscripten has to compile, from the Debian
# or Ubuntu archive that this system is set up for, with its patches, as cjson/ and cmocka/.
#
#   sh web/sources.sh DIR
#
# Nothing of the system is changed: the list of sources is a private one. No root is needed.
set -eu
[ $# -eq 1 ] || {
    echo "usage: sh web/sources.sh DIR" >&2
    exit 2
}
[ ! -f "$1/cjson/cJSON.c" ] || [ ! -f "$1/cmocka/src/cmocka.c" ] || exit 0
for tool in apt-get dpkg-source; do
    command -v $tool >/dev/null || {
        echo "sources.sh: no $tool: put the sources of cJSON and cmocka into $1/cjson and $1/cmocka" >&2
        exit 1
    }
done
mkdir -p "$1"
cd "$1"
rm -rf apt cjson cmocka ./*.dsc
mkdir -p apt/parts apt/lists/partial apt/cache/archives/partial

# The archives of the system, as archives of sources.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$list" ] || sed -n 's/^deb\([[:space:]]\)/deb-src\1/p' "$list" >>apt/parts/system.list
done
for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" >"apt/parts/$(basename "$list")"
done

from_archive() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/apt/parts" \
        -o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache" \
        -o APT::Sandbox::User= "$@"
}

from_archive update
from_archive source --download-only cjson cmocka
for name in cjson cmocka; do
    # apt has checked what it fetched against the archive's signature.
    dpkg-source --no-check -x "$name"_*.dsc "$name"
done
