"""Slabs of (100) surfaces relaxed by any engine, every step of the path kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec

from aiida_enne.science.plans import relaxations
from aiida_enne.science.plans.relaxations import Part
from aiida_enne.workflows import protocols
from aiida_enne.workflows.reference.chosen import load_protocol
from aiida_enne.workflows.study.relaxation import RelaxationWorkChain


class SurfaceWorkChain(RelaxationWorkChain):
    """Relax the outer layers of slabs of several thicknesses, and label a bulk cell."""

    PROTOCOLS = 'surface'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add what is built."""
        super().define(spec)
        node = {'serializer': orm.to_aiida_type}
        spec.input(
            'lattice_constant',
            valid_type=orm.Float,
            help='Edge of the conventional cell in Å.',
            **node,
        )
        spec.input('layers', valid_type=orm.List, help='Numbers of atomic layers.', **node)
        spec.input(
            'slab',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({}),
            help='`surface` (kind) and options of `science.structures.surfaces.slab_100`.',
            **node,
        )
        spec.input(
            'own',
            valid_type=orm.Bool,
            default=lambda: orm.Bool(False),
            help='Whether the engine is the ensemble itself, which the domains then tell.',
            **node,
        )
        spec.outputs['datasets'].help = 'By layers, e.g. `layers_10`: path and bulk.'

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        lattice_constant: orm.Float | float,
        engine: str = 'ase',
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            lattice_constant: Edge of the conventional cell in Å.
            engine: Name of the engine.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's; `inputs` are overrides of the engine's.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        chosen = load_protocol('surface', engine, protocol, overrides)
        chosen |= {name: orm.Dict(chosen[name]) for name in ('relax', 'slab')}
        parts = relaxations.surface_parts(
            chosen['layers'],
            chosen['slab'].get_dict(),
            chosen['relax'].get_dict(),
            chosen['symbol'],
        )
        inner = cls.engine_builder(
            code,
            engine,
            next(iter(parts.values())),
            protocol=protocol,
            overrides=chosen.pop('inputs'),
        )
        chosen |= {'engine': engine, 'inputs': inner, 'lattice_constant': lattice_constant}
        return protocols.fill(cls, chosen, code)

    @classmethod
    def parts_of(cls, inputs: Mapping[str, Any]) -> dict[str, Part]:
        """Return a part for every slab and one for the bulk."""
        return relaxations.surface_parts(
            inputs['layers'].get_list(),
            inputs['slab'].get_dict(),
            inputs['relax'].get_dict(),
            inputs['symbol'].value,
            own=bool(inputs.get('own', False)),
        )

    def hand_out(self) -> None:
        """Hand out the path of every slab with the bulk cell."""
        for layers in self.inputs.layers.get_list():
            label = relaxations.slab_label(layers)
            if (joined := self.join_with_bulk(label, relaxations.bulk_label())) is not None:
                self.out(f'datasets.{label}', joined)
