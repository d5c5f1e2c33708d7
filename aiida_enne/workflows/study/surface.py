"""Slabs of (100) surfaces relaxed by any engine, every step of the path kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_enne.calculations.ports import port
from aiida_enne.science.plans import relaxations
from aiida_enne.science.plans.relaxations import Part
from aiida_enne.workflows.study.relaxation import AtLatticeConstantWorkChain


class SurfaceWorkChain(AtLatticeConstantWorkChain):
    """Relax the outer layers of slabs of several thicknesses, and label a bulk cell."""

    PROTOCOLS = 'surface'
    MAPPINGS = ('relax', 'slab')

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add what is built."""
        super().define(spec)
        spec.input('layers', **port(orm.List), help='Numbers of atomic layers.')
        spec.input(
            'slab',
            **port(orm.Dict, default={}),
            help='`surface` (kind) and options of `science.structures.surfaces.slab_100`.',
        )
        spec.outputs['datasets'].help = 'By layers, e.g. `layers_10`: path and bulk.'

    @classmethod
    def parts_of(cls, inputs: Mapping[str, Any]) -> dict[str, Part]:
        """Return a part for every slab and one for the bulk."""
        given = [inputs[name] for name in ('layers', 'slab', 'relax', 'symbol')]
        return relaxations.surface_parts(*given, own=inputs.get('own', False))
