#!/bin/sh
# One segment of a LAMMPS trajectory:   sh segment.sh INPUT [OPTIONS OF LAMMPS...]
#
# It starts from state.restart, as the segment before has left it, and leaves state.restart for the next. The input says how many steps
# there are and how it goes on; `lmp -in INPUT` still computes it in one go:
#     variable steps index 10000
#     if "$(is_defined(variable,restart))" then "read_restart ${restart}" "jump SELF continue"
#     ...                                      # what makes the atoms: lattice, create_box, create_atoms, read_data, velocity, minimize
#     label    continue
#     ...                                      # what acts on them: pair_style, neigh_modify, fix, dump, thermo
#     run      ${steps} upto
# The variable segment is set, too, and with the options -var replica N the variable replica.
set -eu

input=$1
shift
: "${LMP:=lmp}" "${SPLIT_SEGMENT:?}" "${SPLIT_SEGMENTS:?}" "${SPLIT_FINISHED:?}"

fail() {
    echo "segment $SPLIT_SEGMENT: $1" >&2
    exit 1
}

# Every segment but the last has the same number of steps. It ends where neighbours are searched and atoms sorted.
steps=$(awk -v segment="$SPLIT_SEGMENT" -v segments="$SPLIT_SEGMENTS" '
    function common(a, b) { return b == 0 ? a : common(b, a % b) }
    function multiple(of) { if (of ~ /^[0-9]+$/ && of > 0) unit = unit / common(unit, of) * of }
    BEGIN { unit = 1 }
    $1 == "variable" && $2 == "steps" && $3 == "index" { total = $4 }
    $1 == "neigh_modify" { for (i = 2; i < NF; i++) if ($i == "every") multiple($(i + 1)) }
    $1 == "atom_modify" { for (i = 2; i < NF; i++) if ($i == "sort") multiple($(i + 1)) }
    END {
        if (total !~ /^[0-9]+$/ || total == 0) exit 1
        length_of_one = int((total + segments - 1) / segments)
        length_of_one = int((length_of_one + unit - 1) / unit) * unit
        start = length_of_one * (segment - 1)
        until = start + length_of_one
        printf "%.0f %.0f %.0f\n", start, until < total ? until : total, total
    }' "$input") || fail "$input has no line such as: variable steps index 10000"
read -r start until total <<END
$steps
END
[ "$until" -gt "$start" ] || fail "there is nothing left to compute after step $start"

set -- -var steps "$until" -var segment "$SPLIT_SEGMENT" "$@"
if [ "$SPLIT_SEGMENT" -gt 1 ]; then
    [ -s state.restart ] || fail "state.restart is missing"
    set -- -var restart state.restart "$@"
fi
# What an earlier segment has left here is nobody's.
rm -f next.restart reached.txt
cat >segment.in <<END
include $input
write_restart next.restart
print "\$(step)" file reached.txt
END

"$LMP" -in segment.in "$@" -log "log.${SPLIT_REPLICA:-0}.$SPLIT_SEGMENT.lammps" >&2 &
lammps=$!
trap 'kill -TERM "$lammps" 2>/dev/null' TERM INT HUP
code=0
wait "$lammps" || code=$?
# A signal ends the waiting, and not LAMMPS.
while kill -0 "$lammps" 2>/dev/null; do
    code=0
    wait "$lammps" || code=$?
done
trap - TERM INT HUP
[ "$code" = 0 ] || exit "$code"

# LAMMPS ends with 0 also where something in the input has stopped it.
read -r at <reached.txt 2>/dev/null || fail "LAMMPS ended before the end of $input"
[ "$at" = "$until" ] || fail "$input ended at step $at, where $until is due: does it end with \`run \${steps} upto\`?"
[ -s next.restart ] || fail "LAMMPS left no restart file"
mv next.restart state.restart
[ "$at" -lt "$total" ] || : >"$SPLIT_FINISHED"
