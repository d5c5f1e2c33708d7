"""A stored study of silicon on synthetic energies: the graph as the work chains leave it."""

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import calcfunction

from aiida_enne.calculations.audits import judges_of
from aiida_enne.calculations.functions import audit_ensemble, split_dataset
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.scan import ScanData
from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.plans.points import Trained
from aiida_enne.science.structures.defects import point_defect
from aiida_enne.science.structures.domains import Domain, parse
from aiida_enne.science.structures.lattice import diamond_supercell
from aiida_enne.science.structures.liquids import liquid_start
from aiida_enne.science.structures.phases import find_phase, phase
from aiida_enne.science.structures.surfaces import slab_100
from tests.audited import chain, link, model

LATTICE_CONSTANT = 5.43
COHESIVE = -4.3
#: Energy above diamond and bulk modulus in eV/Å³ of each phase.
PHASES = {
    'diamond': (0.0, 0.61),
    'hexagonal-diamond': (0.01, 0.6),
    'beta-tin': (0.3, 0.72),
    'fcc': (0.55, 0.55),
    'hcp': (0.54, 0.55),
}
FORMATION = {'vacancy': 4.3, 'hexagonal': 5.1}
N_MEMBERS = 6


def liquids(rng):
    """Return frames of three densities at 2000 K, and of two other temperatures at one."""
    series = [(2.21, 2000), (2.57, 2000), (2.94, 2000), (2.57, 1600), (2.57, 2400)]
    frames = []
    for block, (density, temperature) in enumerate(series):
        for _ in range(12):
            atoms = liquid_start(density, 1)
            atoms.positions += rng.normal(scale=0.35, size=atoms.positions.shape)
            domain = Domain('liquid', 'liquid', density=density, temperature=temperature)
            atoms.info = {'domain': domain.label, 'block': block}
            energy = len(atoms) * (COHESIVE + 0.45 + 1e-4 * (temperature - 2000))
            frames.append((atoms, energy + rng.normal(scale=0.2)))
    return frames


def scan(name):
    """Return a phase at nine volumes about its own."""
    above, modulus = PHASES[name]
    middle = find_phase(name).volume
    frames = []
    for volume in middle * np.linspace(0.88, 1.12, 9):
        atoms = phase(name, volume)
        # Birch and Murnaghan's equation with B' = 4
        strain = (middle / volume) ** (2 / 3) - 1
        atoms.info = {'domain': name, 'block': 0}
        frames.append(
            (atoms, len(atoms) * (COHESIVE + above + 9 / 8 * modulus * middle * strain**2))
        )
    return frames


def path(start, domain, energy, rng):
    """Return five steps of a relaxation that ends at an energy."""
    frames = []
    for step in range(5):
        atoms = start.copy()
        atoms.positions += rng.normal(scale=0.01, size=atoms.positions.shape)
        atoms.info = {'domain': domain, 'block': 0, 'step': step}
        frames.append((atoms, energy + 0.2 * (4 - step)))
    return frames


def defect(name, repeats, rng, own=False):
    """Return the relaxation path of a defect and its perfect crystal."""
    atoms = point_defect(name, LATTICE_CONSTANT, repeats)
    domain = Domain('defect', name, repeats, own=own).label
    energy = len(atoms) * COHESIVE + FORMATION[name] + 0.1 / repeats
    frames = path(atoms, domain, energy, rng)
    crystal = diamond_supercell(LATTICE_CONSTANT, repeats)
    crystal.info = {'domain': Domain('bulk', 'bulk', repeats).label, 'block': 1}
    return [*frames, (crystal, len(crystal) * COHESIVE)]


def surface(layers, rng):
    """Return the relaxation path of a slab and its crystal."""
    slab = slab_100(layers, LATTICE_CONSTANT)
    per_face = len(slab) // layers
    domain = Domain('surface', 'tilted', layers=layers, symbol='Si')
    energy = len(slab) * COHESIVE + 2 * per_face * 1.4
    crystal = diamond_supercell(LATTICE_CONSTANT, 1)
    crystal.info = {'domain': Domain('bulk', 'bulk').label, 'block': 1}
    frames = path(slab, domain.label, energy, rng)
    return [*frames, (crystal, len(crystal) * COHESIVE)]


def label(frames, rng):
    """Return an unstored dataset of frames with energies, and forces that mean nothing."""
    configurations = from_atoms([atoms for atoms, _ in frames], info=('step',))
    labels = {
        'energies': np.array([energy for _, energy in frames]),
        'forces': rng.normal(size=configurations.positions.shape),
    }
    arrays = configurations.as_arrays() | labels
    return DatasetData.from_configurations(
        type(configurations).from_arrays(arrays), level_of_theory='synthetic'
    )


def predict(dataset, node, rng, noise=0.01, indices=None):
    """Return one member's prediction.

    It has an offset per atom of its own, another one for the liquids and for every phase, and one
    for every defect and slab as a whole.
    """
    configurations = dataset.get_configurations()
    indices = np.arange(len(configurations)) if indices is None else indices
    configurations = configurations.select(indices)
    per_atom, whole = [], []
    for domain in configurations.domains.tolist():
        kind = parse(domain)
        own = np.random.default_rng([node.seed, sum(map(ord, domain))])
        is_solid = kind.family in ('bulk', 'defect', 'surface')
        shift = np.random.default_rng([node.seed, 0]).normal(0.115, 0.003)
        per_atom.append(shift if is_solid else shift + own.normal(scale=0.01))
        whole.append(own.normal(0.5, 0.3) if kind.family in ('defect', 'surface') else 0.0)
    errors = rng.normal(scale=noise, size=len(configurations))
    errors /= configurations.n_atoms
    energies = configurations.energies + np.array(whole)
    energies += configurations.n_atoms * (np.array(per_atom) + errors)
    arrays = {
        'indices': np.asarray(indices),
        'energies': energies,
        'forces': configurations.forces + 0.06 * rng.normal(size=configurations.forces.shape),
    }
    return PredictionData.from_arrays(
        arrays,
        dataset_sha256=dataset.sha256,
        weights_sha256=node.weights_sha256,
        seed=node.seed,
        part='all',
        force_mae=float(np.abs(arrays['forces'] - configurations.forces).mean()),
        energy_mae=float(np.abs(per_atom).mean()),
    )


def train(dataset, split, numbers, computer, initial=None):
    """Store a training job and return its models by label; `initial` are what they begin with."""
    job = orm.CalcJobNode(computer=computer, process_type='aiida.calculations:enne.nequip.train')
    job.base.links.add_incoming(dataset, LinkType.INPUT_CALC, 'dataset')
    job.base.links.add_incoming(split, LinkType.INPUT_CALC, 'split')
    for number, before in zip(numbers, (initial or {}).values(), strict=False):
        name = f'initial_models__seed_{number}'
        job.base.links.add_incoming(before, LinkType.INPUT_CALC, name)
    job.store()
    models = {}
    for number in numbers:
        node = model(number)
        node.base.links.add_incoming(job, LinkType.CREATE, f'models__seed_{number}')
        models[f'seed_{number}'] = node.store()
    job.base.attributes.set_many({'process_state': 'finished', 'exit_status': 0})
    job.seal()
    return models


@calcfunction
def list_scan(content, **models):
    """Return the node of a scan with the weights of its members filled in."""
    found = content.get_dict()
    for point in found['points'].values():
        point['members'] = {key: models[key].weights_sha256 for key in point['members']}
    points = {label: Trained.from_dict(one, label) for label, one in found['points'].items()}
    return ScanData.from_points(found['kind'], points, found['roles'])


SCANS = {
    'force': ('grid', [{'l_max': l_max, 'n_train': n} for l_max in (0, 1, 2) for n in (10, 20)]),
    'size': ('sizes', [{'n_train': n} for n in (10, 20)]),
    'density': ('densities', [{'densities': n} for n in (1, 2, 3)]),
    'feature': ('features', [{'features': n} for n in (8, 16)]),
    'cutoff': ('cutoffs', [{'cutoff': r} for r in (4.0, 5.0)]),
    'subset': ('subsets', [{'set': n} for n in range(3)]),
}


def store_pool(datasets, split, computer, rng, size=6):
    """Store the members that scans share, two a point; return models and outputs."""
    points, outputs = [], {}
    for position in range(size):
        first = 1000 + 10 * position
        points.append(train(datasets['training'], split, (first, first + 1), computer))
        for key, node in points[-1].items():
            outputs[f'models__{key}'] = node
            for role in ('liquid', 'eos_diamond'):
                name = f'predictions__{role}__{key}'
                outputs[name] = predict(datasets[role], node, rng, 0.01).store()
    return points, outputs


def store_scan(kind, values, pool, datasets):
    """Store what varies, and the members of every point."""
    points, models = {}, {}
    for position, choice in enumerate(values):
        models |= pool[position]
        points[f'point_{position}'] = {
            'values': choice,
            'n_train': choice.get('n_train', 20),
            'members': dict.fromkeys(pool[position]),
        }
    roles = {role: datasets[role].sha256 for role in ('liquid', 'eos_diamond')}
    return list_scan(orm.Dict({'kind': kind, 'points': points, 'roles': roles}), **models)


def make_datasets(rng):
    """Return the stored datasets of a study by role."""
    frames = {'liquid': liquids(rng)}
    frames['training'] = [f for f in frames['liquid'] if '2000 K' in f[0].info['domain']]
    frames |= {f'eos_{name.replace("-", "_")}': scan(name) for name in PHASES}
    for name in FORMATION:
        frames |= {f'defect_{name}_{n}': defect(name, n, rng) for n in (2, 3)}
    frames['own_defect_vacancy_2'] = defect('vacancy', 2, rng, own=True)
    frames |= {f'surface_{layers}': surface(layers, rng) for layers in (4, 8)}
    datasets = {role: label(some, rng) for role, some in frames.items()}
    # the training set holds the labels of the very same frames
    liquid = datasets['liquid'].get_configurations()
    chosen = [i for i, d in enumerate(liquid.domains.tolist()) if '2000 K' in d]
    datasets['training'] = DatasetData.from_configurations(
        concatenate([liquid.select(chosen)]), level_of_theory='synthetic'
    )
    return {role: node.store() for role, node in datasets.items()}


@pytest.fixture(scope='module')
def silicon(aiida_profile):
    """Return the node of a complete synthetic study and its datasets by role."""
    aiida_profile.reset_storage()
    return store_study()


def store_study(seed=0, scans=SCANS):
    """Store a complete study; return its node and its datasets by role."""
    rng = np.random.default_rng(seed)
    computer = orm.Computer('here', 'localhost', '', 'core.local', 'core.direct', '/tmp').store()
    datasets = make_datasets(rng)
    options = {'method': 'blocks', 'fractions': [0.5, 0.2, 0.3], 'gap': 0, 'shared_blocks': True}
    split = split_dataset(datasets['training'], orm.Dict(options))
    models = train(datasets['training'], split, range(1, N_MEMBERS + 1), computer)
    predictions = {
        role: {key: predict(node, one, rng).store() for key, one in models.items()}
        for role, node in datasets.items()
        if role != 'training'
    }
    audited = {role: datasets[role] for role in ('liquid', 'eos_diamond', 'defect_vacancy_2')}
    options = orm.Dict({'n_bootstrap': 20, 'alignment': {'domain': 'diamond', 'by': 'minimum'}})
    statistics = audit_ensemble(
        options,
        judges_of(options),
        datasets=audited,
        predictions={role: predictions[role] for role in audited},
    )
    study = chain('StudyWorkChain', {})
    outputs = {f'models__{key}': node for key, node in models.items()} | {'split': split}
    outputs |= {f'datasets__{role}': node for role, node in datasets.items()}
    outputs |= {f'statistics__{role}': node for role, node in statistics.items()}
    for role, members in predictions.items():
        outputs |= {f'predictions__{role}__{key}': node for key, node in members.items()}
    if scans:
        pool, rest = store_pool(datasets, split, computer, rng)
        below = orm.WorkChainNode(process_type='aiida.workflows:enne.scan')
        below.base.links.add_incoming(study, LinkType.CALL_WORK, 'scan')
        link(below.store(), rest)
    for name, (kind, values) in scans.items():
        outputs[f'scans__{name}'] = store_scan(kind, values, pool, datasets)
    link(study, outputs)
    return study, datasets
