#!/bin/sh
# Joins the parts in collected/: one trajectory and one file of energies for each .tpr.
set -eu
for tpr in water-*.tpr; do
    name=${tpr%.tpr}
    {
        gmx -quiet trjcat -f collected/"$name".part*.xtc -o "$name.xtc"
        gmx -quiet eneconv -f collected/"$name".part*.edr -o "$name.edr"
    } >"$name.join.log" 2>&1 || { tail -n 20 "$name.join.log" >&2; exit 1; }
done
