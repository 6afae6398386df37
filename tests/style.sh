#!/bin/sh
# House style that a machine can check. `make format` repairs the first kind of complaint.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

command -v clang-format >/dev/null || { echo "no clang-format: run ./bootstrap test"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
complain() { # MESSAGE, the finds on stdin; no finds, no complaint
    sed 's/^/  /' >"$work/finds"
    [ -s "$work/finds" ] || return 0
    echo "$1:" | tee -a "$work/complaints"
    cat "$work/finds"
}

present() { find . \( -name build -o -name .git \) -prune -o \( "$@" \) -type f -print | sort; }
c_files=$(present -name '*.[ch]')
texts=$(present -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name '*.cmake' \
    -o -name CMakeLists.txt -o -name Makefile -o -name bootstrap)
headers=$(present -path './core/*.h' -o -path './gateway/*.h' -o -path './configurator/*.h' -o -path './updater/*.h' -o -path './firmware/*.h')

# File names here hold no blanks.
# shellcheck disable=SC2086
{
    clang-format --dry-run $c_files 2>&1 | grep ': warning:' | complain "clang-format would change"
    grep -nP '\t' $c_files | complain "tab"
    grep -nE ' +$' $texts | complain "blanks at the end of the line"
    grep -nE '^.{121,}' $c_files | complain "line over 120 columns"
    grep -nwE 'TO[D]O|FIXM[E]' $texts | complain "unfinished work: open an issue instead"
    grep -nE '\b(strcpy|strcat|v?sprintf|ato[fil]|atoll|gets|strtok)[(]' $c_files |
        complain "function without bounds or error"
    awk -f tests/uncommented.awk $headers | complain "prototype without a comment above it"
}
[ ! -e "$work/complaints" ]
