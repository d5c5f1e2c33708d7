#!/bin/bash
#SBATCH --no-requeue
#SBATCH --job-name="aiida-PK"
#SBATCH --get-user-env
#SBATCH --output=_scheduler-stdout.txt
#SBATCH --error=_scheduler-stderr.txt
#SBATCH --partition=gpu
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --time=1-00:00:00
#SBATCH --gpus-per-task=1

'/opt/python' 'nequip_train.py' '--processes' '1' '--gpus' '1' '--seconds' '82080'  > 'nequip_train.out' 2>&1
