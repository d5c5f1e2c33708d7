#!/bin/bash
#SBATCH --no-requeue
#SBATCH --job-name="aiida-PK"
#SBATCH --get-user-env
#SBATCH --output=_scheduler-stdout.txt
#SBATCH --error=_scheduler-stderr.txt
#SBATCH --partition=gpu
#SBATCH --account=project_465
#SBATCH --qos=long
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --time=1-00:00:00
#SBATCH --gres=gpu:h100:1

module load cuda

'/opt/python' 'nequip_predict.py'  > 'nequip_predict.out' 2>&1
