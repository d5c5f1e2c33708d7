"""What follows from energies and forces: curves, transitions, formation energies, liquids."""
