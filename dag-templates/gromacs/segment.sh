#!/bin/sh
# One segment of a GROMACS trajectory:   sh segment.sh FILE.tpr [OPTIONS OF MDRUN...]
#
# It starts from state.cpt, as the segment before has left it, and leaves state.cpt for the next. What it yields is FILE.part0001.xtc,
# FILE.part0001.edr, FILE.part0001.log, ... and at its end FILE.part0001.gro; the numbers are those of the segments. In the end
#     gmx trjcat -f FILE.part*.xtc -o FILE.xtc;   gmx eneconv -f FILE.part*.edr -o FILE.edr
# join them. Where the .tpr has verlet-buffer-tolerance = -1, and rlist and nstlist fixed, that is bit for bit what mdrun writes in one go.
set -eu

tpr=$1
shift
name=$(basename "$tpr" .tpr)
: "${GMX:=gmx}" "${SPLIT_SEGMENT:?}" "${SPLIT_SEGMENTS:?}" "${SPLIT_FINISHED:?}"

fail() {
    echo "segment $SPLIT_SEGMENT: $1" >&2
    exit 1
}

# Every segment but the last has the same number of steps. It ends where pairs are searched, couplings act and frames are written: there
# nothing of the trajectory is in memory alone. What is in the way of the parameters is the atoms, which are not read.
steps=$("$GMX" -quiet dump -s "$tpr" 2>/dev/null | awk -v segment="$SPLIT_SEGMENT" -v segments="$SPLIT_SEGMENTS" '
    function common(a, b) { return b == 0 ? a : common(b, a % b) }
    $1 == "nsteps" { total = $3 }
    $1 == "init-step" { first = $3 }
    $1 ~ /^nst(list|comm|calcenergy|energy|xout|vout|fout|xout-compressed|tcouple|pcouple)$/ && $3 > 0 {
        unit = unit == 0 ? $3 : unit / common(unit, $3) * $3
    }
    $1 == "topology:" { exit }
    END {
        if (total <= 0 || unit <= 0) exit 1
        length_of_one = int((total + segments - 1) / segments)
        length_of_one = int((length_of_one + unit - 1) / unit) * unit
        done = length_of_one * (segment - 1)
        left = total - done
        printf "%.0f %.0f %.0f\n", first + done, left < length_of_one ? left : length_of_one, first + total
    }') || fail "$tpr is no input of a run with a number of steps"
read -r start count total <<END
$steps
END
[ "$count" -gt 0 ] || fail "there is nothing left to compute after step $start"

step_of() {
    "$GMX" -quiet dump -cp "$1" 2>/dev/null | awk '$1 == "step" { print $3; found = 1; exit } END { exit !found }'
}

# Without its checkpoint mdrun would start over at step 0, and say nothing.
if [ "$SPLIT_SEGMENT" -gt 1 ]; then
    [ -s state.cpt ] || fail "state.cpt is missing"
    at=$(step_of state.cpt) || fail "state.cpt is no checkpoint"
    [ "$at" = "$start" ] || fail "state.cpt is of step $at, where $start is due"
    set -- -cpi state.cpt "$@"
fi

# What an earlier try has left here is nobody's.
part=$(printf 'part%04d' "$SPLIT_SEGMENT")
rm -f next.cpt "$name.$part".*

# The number of threads has to stay the same from segment to segment.
"$GMX" -quiet mdrun -s "$tpr" -deffnm "$name" -cpo next.cpt -noappend -nsteps "$count" \
    -reprod -ntmpi 1 -ntomp "${OMP_NUM_THREADS:-1}" -pin off -notunepme "$@" >&2 &
mdrun=$!
trap 'kill -TERM "$mdrun" 2>/dev/null' TERM INT HUP
code=0
wait "$mdrun" || code=$?
# A signal ends the waiting, and not mdrun.
while kill -0 "$mdrun" 2>/dev/null; do
    code=0
    wait "$mdrun" || code=$?
done
trap - TERM INT HUP
[ "$code" = 0 ] || exit "$code"

# mdrun ends with 0 also where something has stopped it.
[ -s "$name.$part.gro" ] || fail "mdrun ended before its last step"
at=$(step_of next.cpt) || fail "mdrun left no checkpoint"
[ "$at" = $((start + count)) ] || fail "mdrun ended at step $at, where $((start + count)) is due"
mv next.cpt state.cpt
[ "$at" -lt "$total" ] || : >"$SPLIT_FINISHED"
