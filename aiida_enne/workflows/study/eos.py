"""Equations of state of crystal phases by any engine: shape and positions relaxed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec

from aiida_enne.calculations.functions import build_configurations
from aiida_enne.calculations.ports import one_of, port
from aiida_enne.calculations.relaxations import fit_equilibrium, take_relaxed
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans import relaxations
from aiida_enne.science.plans.relaxations import Part
from aiida_enne.science.properties import eos
from aiida_enne.workflows.reference.chosen import load_protocol
from aiida_enne.workflows.study.relaxation import RelaxationWorkChain


class EquationOfStateWorkChain(RelaxationWorkChain):
    """Relax every phase at each of its volumes, and fit the reference's own energies."""

    PROTOCOLS = 'eos'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the scans and the fits."""
        super().define(spec)
        spec.input('volumes', **port(orm.Dict), help='Å³/atom, a list by phase.')
        spec.input(
            'ratios',
            **port(orm.List, default=[]),
            help='Ratios c/a relative to the known, for engines that relax no shape.',
        )
        spec.input(
            'form',
            **port(orm.Str, one_of('form', eos.FORMS), default=eos.FORMS[0]),
            help=f'Equation of state of the fits: {", ".join(eos.FORMS)}.',
        )
        spec.outputs['datasets'].help = 'Relaxed end points by phase, one frame a volume.'
        spec.output_namespace(
            'paths', valid_type=DatasetData, dynamic=True, help='Every step by phase.'
        )
        spec.output(
            'equilibrium',
            valid_type=orm.Dict,
            required=False,
            help='Fit of each phase: volume, energy, bulk modulus (GPa); or why it is refused.',
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        engine: str = 'ase',
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            engine: Name of the engine.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's; `phases`, `strains` and `centres` make
                the volumes, see `science.plans.relaxations`, and `volumes` are taken as
                they are; `inputs` are overrides of the engine's; `relax` that is None labels the
                structures as they are built.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        chosen = load_protocol('eos', engine, protocol, overrides)
        scan = {name: chosen.pop(name) for name in ('phases', 'strains', 'centres')}
        given = chosen.pop('volumes', {})
        chosen['volumes'] = orm.Dict(given or relaxations.volume_scans(**scan))
        chosen['relax'] = orm.Dict(chosen['relax'] or {'kind': 'label'})
        return cls.fill(code, engine, protocol, chosen)

    @classmethod
    def parts_of(cls, inputs: Mapping[str, Any]) -> dict[str, Part]:
        """Return one part a phase."""
        return relaxations.phase_parts(
            inputs['volumes'], inputs['relax'], inputs['symbol'], ratios=inputs.get('ratios', [])
        )

    def build(self, part: Part) -> ConfigurationsData:
        """Build a phase at all volumes."""
        return build_configurations(orm.List(part.recipe))

    def hand_out(self) -> None:
        """Hand out paths, their converged end points, and the fits to these."""
        relaxed = {}
        for label, path in self.ctx.paths.items():
            self.out(f'paths.{label}', path)
            info = path.get_configurations().info
            if 1.0 in info.get('converged', [1.0]):
                relaxed[label] = take_relaxed(path)
        if relaxed:
            self.out('datasets', relaxed)
            self.out('equilibrium', fit_equilibrium(self.inputs.form, **relaxed))
