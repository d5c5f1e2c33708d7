"""The words of control.in: functionals, ensembles, and which keywords this package owns."""

#: Perdew and Wang's GGA of 1991, spelled with an underscore in control.in.
PW91 = 'pw91_gga'

#: Functionals of `xc`, with the words by which FHI-aims names each in its output.
FUNCTIONALS = {
    'pw-lda': 'Perdew-Wang parametrisation of Ceperley-Alder LDA',
    'pz-lda': 'Perdew-Zunger parametrisation of Ceperley-Alder LDA',
    'vwn': 'VWN-LDA parametrisation of VWN5 form',
    'pbe': 'PBE gradient-corrected functionals',
    'pbesol': 'PBEsol gradient-corrected functionals',
    'pbeint': 'PBEint gradient-corrected functional',
    'rpbe': 'RPBE gradient-corrected functionals',
    'revpbe': 'revPBE gradient-corrected functionals',
    'am05': 'AM05 gradient-corrected functionals',
    'blyp': 'BLYP functional',
    PW91: 'PW91 gradient-corrected functionals',
    'tpss': 'TPSS gradient-corrected functionals',
    'pbe0': 'hybrid-PBE0 functionals',
    'pbesol0': 'hybrid-PBEsol0 functionals',
    'b3lyp': 'hybrid B3LYP functional',
    'hse06': 'HSE-functional with OMEGA',
}
#: Functionals that take one positive number: the screening parameter.
SCREENED = ('hse06',)

#: What the last number of `MD_run` means in each ensemble; None where there is none.
ENSEMBLES: dict[str, str | None] = {
    'NVE': None,
    'NVT_parrinello': 'relaxation time in ps',
    'NVT_berendsen': 'relaxation time in ps',
    'NVT_andersen': 'collision frequency in 1/ps',
    'NVT_nose-hoover': 'effective mass',
}

SPINS = ('none', 'collinear')
RELATIVITY = ('none', 'atomic_zora scalar')
SMEARINGS = ('gaussian', 'fermi', 'cold')
MIXERS = ('pulay', 'linear', 'broyden')
OPTIMIZERS = ('trm', 'bfgs')
CELL_RELAXATIONS = ('none', 'fixed_angles', 'full')
OUTPUT_LEVELS = ('normal', 'MD_light')
THERMOSTAT_UNITS = ('amu*bohr^2', 'cm^-1')

#: Keywords that only the named settings may write, in lower case; `extra` may not.
OWNED = frozenset(
    {
        *('xc', 'spin', 'default_initial_moment', 'charge', 'relativistic', 'occupation_type'),
        *('k_grid', 'k_grid_density', 'sc_accuracy_rho', 'sc_accuracy_eev', 'sc_accuracy_etot'),
        *('sc_accuracy_forces', 'sc_iter_limit', 'mixer', 'charge_mix_param', 'n_max_pulay'),
        *('compute_forces', 'compute_analytical_stress', 'relax_geometry', 'relax_unit_cell'),
        *('max_relaxation_steps', 'md_run', 'md_time_step', 'md_mb_init', 'md_rng_seed'),
        *('md_restart', 'md_thermostat_units', 'output_level', 'walltime', 'species'),
    }
)


def functional_of(text: str) -> str:
    """Return the keyword of the functional that a line of the output names, or the text itself.

    Args:
        text: What follows `XC:`, such as 'Using PBE gradient-corrected functionals.'
    """
    words = text.strip().removeprefix('Using').strip()
    for keyword, name in FUNCTIONALS.items():
        if words.startswith(name):
            return keyword
    return text.strip()
