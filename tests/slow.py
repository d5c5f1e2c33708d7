"""EMT with a pause for every configuration: time enough for something to go wrong."""

SLOW = {'import_path': 'slow.SlowEMT', 'level_of_theory': 'EMT'}
SLOW_MODULE = """
import time
from ase.calculators.emt import EMT

class SlowEMT(EMT):
    def calculate(self, *args):
        time.sleep(0.02)
        super().calculate(*args)
"""
