#!/bin/bash
#HQ --name="aiida-PK"
#HQ --stdout=_scheduler-stdout.txt
#HQ --stderr=_scheduler-stderr.txt
#HQ --time-request=86400s
#HQ --time-limit=86400s
#HQ --cpus=2

#HQ --resource gpus/nvidia=1
module load cuda

'/opt/python' 'nequip_train.py' '--processes' '2' '--gpus' '1' '--seconds' '82080'  > 'nequip_train.out' 2>&1
