"""FHI-aims: its inputs written, its output read; energies in eV, lengths in Å, times in ps."""

CONTROL, GEOMETRY = 'control.in', 'geometry.in'
MD_RESTART = 'aims_MD_restart.dat'
OUTPUT, ERRORS = 'aims.out', 'aims.err'
