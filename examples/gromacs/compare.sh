#!/bin/sh
# Computes each trajectory in one go, and compares it with the one in segments.
set -eu
for tpr in water-*.tpr; do
    name=${tpr%.tpr}
    mkdir -p "work/$name"
    (cd "work/$name" && gmx -quiet mdrun -s "../../$tpr" -reprod -ntmpi 1 -ntomp 1 -pin off -notunepme >mdrun.log 2>&1)
    cmp "$name.xtc" "work/$name/traj_comp.xtc"
    cmp "$name.edr" "work/$name/ener.edr"
    cmp "collected/$name.part0004.gro" "work/$name/confout.gro"
    echo "$name: the same trajectory, energies and last structure as in one go"
done
