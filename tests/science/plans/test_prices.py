"""Laws of what labels cost engines that are no plane waves."""

import pytest
from ase.build import bulk

from aiida_enne.science.plans.costs import Assumptions, Work, engine_part
from aiida_enne.science.plans.prices import Members, Meshed
from aiida_enne.science.structures.lattice import diamond_supercell

LOCAL = Meshed(1000.0, 600.0, 2.0, density=3.2)


def test_k_points_of_small_cells_count():
    large, small = diamond_supercell(5.43, 2), bulk('Si', 'diamond', a=5.43)
    assert LOCAL.seconds(large) == pytest.approx(1000.0)  # 2×2×2 of 64 atoms, as assumed
    assert LOCAL.seconds(large, moved=True) == pytest.approx(600.0)
    # 7×7×7 points, of which 172 differ, in place of 8
    assert LOCAL.seconds(small) == pytest.approx(1000 * (2 / 64) ** 2 * 172 / 8)


def test_one_mesh_for_all_goes_first():
    one = Meshed(1000.0, 600.0, 2.0, density=0.0, mesh=(4, 4, 4))
    assert one.seconds(diamond_supercell(5.43, 2)) == pytest.approx(1000 * 36 / 8)


def test_members_cost_by_the_atom():
    members = Members(8, 0.4)
    atoms = diamond_supercell(5.43, 1)
    assert members.seconds(atoms) == members.seconds(atoms, moved=True) == pytest.approx(0.05)


def test_steps_of_dynamics_are_priced_by_their_structure():
    assumptions = Assumptions(1.0, 1.0, 1.0, job_seconds=1e-9)
    work = Work(64, 11, 5, diamond_supercell(5.43, 2))
    part = engine_part('liquids', [work], assumptions, md=True, price=LOCAL)
    assert part.core_hours == pytest.approx((1000 + 10 * 600) / 3600)
