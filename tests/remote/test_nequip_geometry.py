"""Tests of the geometry of configurations: edges and their reverses, padding, one graph of many."""

import importlib
from importlib.resources import files

import pytest
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list

CUTOFF = 3.0


@pytest.fixture
def geometry(monkeypatch):
    """Return the module as a job imports it."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    return importlib.import_module('nequip_geometry')


class Harmonics(torch.nn.Module):
    """Stands for spherical harmonics: the vector itself."""

    def forward(self, data):
        return data | {'edge_attrs': data['edge_vectors']}


class Length(torch.nn.Module):
    """Stands for the embedding of a length; `lopsided` makes it depend on the direction."""

    def __init__(self, lopsided=False):
        super().__init__()
        self.lopsided = lopsided

    def forward(self, data):
        vector = data['edge_vectors']
        length = vector.norm(dim=1, keepdim=True)
        if self.lopsided:
            length = length + vector[:, :1]
        return data | {'edge_embedding': torch.cat([length, length**2], 1)}


def make_network(lopsided=False):
    network = torch.nn.Module()
    for name, module in {
        'spharm': Harmonics(),
        'edge_norm': Length(lopsided),
        'bessel_encode': torch.nn.Identity(),
        'factor': torch.nn.Identity(),
    }.items():
        network.add_module(name, module)
    return network


def make_frame(n_atoms, seed):
    """Return a small cell, in which atoms neighbour images of themselves."""
    generator = torch.Generator().manual_seed(seed)
    positions = 2.8 * torch.rand(n_atoms, 3, generator=generator, dtype=torch.float64)
    atoms = Atoms('H' * n_atoms, positions=positions.numpy(), cell=[2.8, 2.9, 3.1], pbc=True)
    i, j, shifts = neighbor_list('ijS', atoms, CUTOFF)
    return {
        'pos': positions,
        'cell': torch.tensor(atoms.cell.array),
        'edge_index': torch.stack([torch.from_numpy(i), torch.from_numpy(j)]),
        'edge_cell_shift': torch.from_numpy(shifts).double(),
        'atom_types': torch.zeros(n_atoms, dtype=torch.long),
        'total_energy': torch.tensor([float(seed)], dtype=torch.float64),
        'forces': torch.rand(n_atoms, 3, generator=generator, dtype=torch.float64),
    }


def test_every_edge_stands_once_and_its_reverse_in_the_same_place_of_the_other_half(geometry):
    frame = make_frame(3, 1)
    (one,) = geometry.compute(make_network(), [frame])
    half = len(one['B'])
    assert 2 * half == len(one['Y']) == frame['edge_index'].shape[1]
    torch.testing.assert_close(one['Y'][:half], -one['Y'][half:])
    assert torch.equal(one['src'][:half], one['dst'][half:])
    assert torch.equal(one['dst'][:half], one['src'][half:])
    torch.testing.assert_close(one['B'][:, 0], one['Y'][:half].norm(dim=1))
    torch.testing.assert_close(one['B_n'][:, 0], torch.ones(half, dtype=torch.float64))
    moved = frame['pos'][frame['edge_index'][1]] - frame['pos'][frame['edge_index'][0]]
    expected = moved + frame['edge_cell_shift'] @ frame['cell']
    found = torch.cat([one['dst'].unsqueeze(1), one['src'].unsqueeze(1), one['Y']], 1)
    given = torch.cat([frame['edge_index'].T, expected], 1)
    assert sorted(found.round(decimals=9).tolist()) == sorted(given.round(decimals=9).tolist())


def test_an_isolated_atom_has_no_edges(geometry):
    frame = make_frame(1, 1) | {'edge_index': torch.zeros(2, 0, dtype=torch.long)}
    frame['edge_cell_shift'] = torch.zeros(0, 3, dtype=torch.float64)
    (one,) = geometry.compute(make_network(), [frame])
    assert len(one['B']) == len(one['Y']) == 0


def test_configurations_of_several_sizes_become_one_graph(geometry):
    frames = [make_frame(3, 1), make_frame(2, 2)]
    parts = geometry.compute(make_network(), frames)
    graph = geometry.gather(geometry.pad(parts, frames), torch.tensor([1, 0]))
    n_pairs = max(len(one['B']) for one in parts)
    assert graph['B'].shape == (2 * n_pairs, 2)
    assert graph['Y'].shape == (4 * n_pairs, 3)
    assert graph['mask'].tolist() == [1, 1, 0, 1, 1, 1]
    half = len(graph['B'])
    torch.testing.assert_close(graph['Y'][:half], -graph['Y'][half:])
    assert torch.equal(graph['src'][:half], graph['dst'][half:])
    there = graph['Y'].abs().sum(1) > 0
    assert int(there.sum()) == sum(len(one['Y']) for one in parts)
    first = len(parts[1]['B'])
    assert torch.equal(graph['src'][:first], parts[1]['src'][:first])
    assert graph['src'][n_pairs : n_pairs + len(parts[0]['B'])].min() >= 3


def test_neighbours_that_are_not_mutual_are_refused(geometry):
    frame = make_frame(3, 1)
    for name, axis in (('edge_index', 1), ('edge_cell_shift', 0)):
        frame[name] = frame[name].narrow(axis, 1, frame[name].shape[axis] - 1)
    with pytest.raises(geometry.UnfitError, match='not mutual'):
        geometry.compute(make_network(), [frame])


def test_an_embedding_that_depends_on_the_direction_is_refused(geometry):
    with pytest.raises(geometry.UnfitError, match='not that of its reverse'):
        geometry.compute(make_network(lopsided=True), [make_frame(3, 1)])
