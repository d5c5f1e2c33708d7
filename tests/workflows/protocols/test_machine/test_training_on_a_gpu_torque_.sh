#!/bin/bash
#PBS -r n
#PBS -m n
#PBS -N aiida-PK
#PBS -V
#PBS -o _scheduler-stdout.txt
#PBS -e _scheduler-stderr.txt
#PBS -l nodes=1:ppn=1,walltime=24:00:00
#PBS -W x=GRES:gpus@1
cd "$PBS_O_WORKDIR"


'/opt/python' 'nequip_train.py' '--processes' '1' '--gpus' '1' '--seconds' '82080'  > 'nequip_train.out' 2>&1
