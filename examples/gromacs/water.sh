#!/bin/sh
# Makes water-0.tpr, water-1.tpr, ...: one .tpr for each replica, with seeds of its own.   sh water.sh REPLICAS
set -eu
export GMX_MAXBACKUP=-1
mkdir -p work
cp topol.top water.mdp work
cd work
cat >minimise.mdp <<END
integrator = steep
nsteps = 100
rlist = 0.9
rcoulomb = 0.8
rvdw = 0.8
coulombtype = PME
fourierspacing = 0.16
END
{
    gmx -quiet solvate -box 2.2 2.2 2.2 -maxsol 348 -p topol.top -o box.gro
    gmx -quiet grompp -f minimise.mdp -c box.gro -p topol.top -o minimise.tpr
    gmx -quiet mdrun -deffnm minimise -ntmpi 1 -ntomp 1
    replica=0
    while [ "$replica" -lt "$1" ]; do
        sed "s/SEED/$((replica + 1))/" water.mdp >"water-$replica.mdp"
        gmx -quiet grompp -f "water-$replica.mdp" -c minimise.gro -p topol.top -o "../water-$replica.tpr"
        replica=$((replica + 1))
    done
} >water.log 2>&1 || { tail -n 20 water.log >&2; exit 1; }
