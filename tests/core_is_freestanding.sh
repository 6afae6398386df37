#!/bin/sh
# The core runs on a bare Cortex-M: it includes no OS header, calls nothing but four functions of
# string.h and the compiler's own helpers, and keeps no mutable data.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

arm='arm-none-eabi'
command -v $arm-gcc >/dev/null || { echo "no $arm-gcc: run ./bootstrap test"; exit 1; }
flags="-mcpu=cortex-m3 -mthumb -std=c11 -ffreestanding -nostdlib -Os -Wall -Wextra -Werror -Icore"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
complain() { # MESSAGE, the finds on stdin; no finds, no complaint
    sed 's/^/  /' >"$work/finds"
    [ -s "$work/finds" ] || return 0
    echo "$1:" | tee -a "$work/complaints"
    cat "$work/finds"
}

sources=$(find core -name '*.c' ! -name '*_test.c' | sort)
headers=$(find core -name '*.h' ! -name '*_test.h' | sort)

# -Icore is the only path, so "x.h" is a header of core unless it climbs out of it.
standard='<(stdint|stddef|stdbool|stdarg|limits|string)\.h>'
own='"[a-z0-9_/]+\.h"|^core/[a-z0-9_]+/[^:]+:[0-9]+:#include "\.\./[a-z0-9_]+\.h"'
# shellcheck disable=SC2086 # lists of words, here and below
grep -nE '^[[:space:]]*#[[:space:]]*include' $sources $headers /dev/null |
    grep -vE "$standard|$own" | complain "not for the core to include"

for source in $sources; do
    object=$work/$(echo "${source%.c}" | tr / _).o
    # shellcheck disable=SC2086
    $arm-gcc $flags -c "$source" -o "$object" || echo "$source" | complain "does not compile"
done

cd "$work"
$arm-nm --defined-only ./*.o "$($arm-gcc -mcpu=cortex-m3 -mthumb -print-libgcc-file-name)" 2>/dev/null |
    awk 'NF == 3 { print $3 }' >known
printf '%s\n' memcpy memmove memset memcmp >>known
$arm-nm -A --undefined-only ./*.o | awk 'NR == FNR { known[$1]; next } !($NF in known)' known - |
    complain "calls outside of the core"

$arm-nm -A --defined-only ./*.o | grep -E ' [dDbBC] ' | complain "mutable data"
# Data without a name, too.
$arm-size ./*.o | awk 'NR > 1 && $2 + $3 > 0' | complain "sections .data or .bss not empty"

$arm-size -t ./*.o
[ ! -e complaints ]
