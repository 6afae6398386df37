#!/bin/sh
# compare.sh FULL SMALL SMART-CONNECT: both cores read the same out of the telegrams of tests/data/p1 and out of hours of a
# simulated household, meter by meter.
set -eu
full=$1 small=$2 smart_connect=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

same() { # FILE...
    "$full" "$@" >"$work/full"
    "$small" "$@" >"$work/small"
    [ -s "$work/full" ] || { echo "nothing read from $*"; exit 1; }
    cmp "$work/full" "$work/small" || { diff "$work/full" "$work/small" | head -20; exit 1; }
}

# A P1MB is for DSMR 4 and later: with a CRC, and 8 bits a character.
files=$(ls tests/data/p1/*.txt | grep -v -e broken_ -e dsmr2 -e dsmr3 -e 7e1 -e heat)
[ "$(echo "$files" | wc -l)" -ge 10 ]
for file in $files; do
    same "$file"
done
# shellcheck disable=SC2086 # a list of names; the grid is voted for
same $files $files
for profile in dsmr42 dsmr50 emucs emucs-delta; do
    "$smart_connect" simulate --profile $profile --to "$work/day" --count 60 --start 1780000000
    same "$work/day"
done
