"""Point defects relaxed by any engine, every step of the path kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_enne.calculations.ports import port
from aiida_enne.science.plans import relaxations
from aiida_enne.science.plans.relaxations import Part
from aiida_enne.workflows.study.relaxation import AtLatticeConstantWorkChain


class DefectWorkChain(AtLatticeConstantWorkChain):
    """Relax defects in cells of several sizes, and label the perfect crystal of each size."""

    PROTOCOLS = 'defect'
    MAPPINGS = ('relax', 'distortion')

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add what is built."""
        super().define(spec)
        spec.input('defects', **port(orm.List), help='See `science.structures.defects`.')
        spec.input('repeats', **port(orm.List), help='Conventional cells along each edge.')
        spec.input(
            'distortion',
            **port(orm.Dict, default={}),
            help='Of the atoms next to a defect: `stdev` in Å, `seed`, `nearest`.',
        )
        spec.outputs['datasets'].help = 'By defect and size, e.g. `vacancy_3`: path and bulk.'

    @classmethod
    def parts_of(cls, inputs: Mapping[str, Any]) -> dict[str, Part]:
        """Return a part for every defect and every perfect crystal."""
        given = [inputs[name] for name in ('defects', 'repeats', 'relax', 'symbol')]
        distortion, own = inputs.get('distortion'), inputs.get('own', False)
        return relaxations.defect_parts(*given, distortion=distortion, own=own)
