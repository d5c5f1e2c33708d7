"""Convergence of the reference as branches of a study: one for each part that is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_enne.calculations.ports import plain
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.convergence import refuse_domains
from aiida_enne.science.plans.convergence import NAME, examples
from aiida_enne.science.plans.scans import TRAINING
from aiida_enne.science.plans.slots import Needs
from aiida_enne.workflows.reference.chosen import load_protocol
from aiida_enne.workflows.reference.convergence import ConvergenceWorkChain, refuse_settings
from aiida_enne.workflows.study.branches import Branch, Job

if TYPE_CHECKING:
    from aiida_enne.workflows.study.study import StudyWorkChain


def define(spec: ProcessSpec, parts: Mapping[str, Any]) -> None:
    """Define the inputs: none of them is there unless a study asks for it."""
    for name in parts:
        spec.expose_inputs(
            ConvergenceWorkChain,
            namespace=f'{NAME}.{name}',
            exclude=('datasets',),
            namespace_options={'required': False, 'populate_defaults': False},
        )


def validate(inputs: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the parts, domains or settings that are asked for, or None."""
    for part, given in inputs.get(NAME, {}).items():
        if part not in inputs:
            return (
                f'`{NAME}.{part}` has nothing to compare with, for this study has no `{part}`: '
                f'leave it out, or give `{part}`'
            )
        known = examples(part, plain(inputs[part]))
        wanted = given['domains'].get_list() if 'domains' in given else list(known)
        if reason := refuse_domains(wanted, list(known)):
            return f'`{NAME}.{part}.domains`: {reason}'
        if reason := refuse_settings(given, _draft(part, inputs[part])):
            return f'`{NAME}.{part}`: {reason}'
    return None


def from_protocol(
    asked: Mapping[str, Any],
    parts: Mapping[str, Any],
    given: Mapping[str, Any],
    code: orm.AbstractCode,
    engine: str,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return the inputs by part, the settings on top of what the engine is given in that part.

    Args:
        asked: Overrides of `ConvergenceWorkChain` by part.
        parts: Inputs of the parts of the study.
        given: Overrides that these were made with.
        code: Code of the engine.
        engine: Name of the engine.
        names: Protocols of the parts.

    Raises:
        ValueError: If a value cannot be used.
    """
    found = {}
    for part, chosen in asked.items():
        own = load_protocol(part, engine, names[part], given[part])['inputs']
        found[part] = ConvergenceWorkChain.settings_from_protocol(
            code, _draft(part, parts[part]), engine, names[part], {'inputs': own, **chosen}
        )
    return found


def fit(
    asked: Mapping[str, Any] | None, overrides: Mapping[str, Any], parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is asked for without parts and domains that only a protocol takes for granted.

    Args:
        asked: By part, of protocol and overrides; a part that is null is left out.
        overrides: What of it a user has said.
        parts: Inputs of the parts of the study.

    Raises:
        ValueError: If a user names a part that this study does not have.
    """
    found = {}
    for part, chosen in (asked or {}).items():
        mine = overrides.get(part)
        if chosen is None or (part not in parts and mine is None):
            continue
        if part not in parts:
            raise ValueError(
                f'`{NAME}.{part}`: this study has no part `{part}`, it has {", ".join(parts)}; '
                f'leave it out: `{NAME}: {{{part}: null}}`'
            )
        found[part] = dict(chosen)
        if chosen.get('domains') and 'domains' not in (mine or {}):
            known = examples(part, plain(parts[part]))
            found[part]['domains'] = [name for name in chosen['domains'] if name in known]
            if not found[part]['domains']:
                del found[part]
    return found


def branches(study: StudyWorkChain) -> dict[str, Branch]:
    """Return a branch for each part: the last of all, and none that an ensemble waits for."""
    return {
        f'{NAME}__{part}': Branch(
            partial(_build, study, part),
            partial(_take, study, part),
            Needs(('ensemble', part), first=('audit',)),
            partial(_is_wanted, study, part),
        )
        for part in study.inputs.get(NAME, {})
    }


def _draft(part: str, inputs: Any) -> ConfigurationsData:
    """Return unstored configurations like those that a part labels."""
    return ConfigurationsData.from_atoms(list(examples(part, plain(inputs)).values()))


def _labelled(study: StudyWorkChain, part: str) -> dict[str, DatasetData]:
    """Return the datasets of a part by role; samples are all of the training without liquids."""
    datasets: dict[str, DatasetData] = study.ctx.datasets
    found = {role: node for role, node in datasets.items() if role.partition('_')[0] == part}
    if part == 'sample' and not found and TRAINING in datasets:
        return {TRAINING: datasets[TRAINING]}
    return found


def _is_wanted(study: StudyWorkChain, part: str) -> bool:
    """Return whether there are labels to compare with."""
    return bool(_domains(study, part))


def _domains(study: StudyWorkChain, part: str) -> list[str]:
    """Return the domains that are asked for and have labels: what a part lacks, it has said."""
    known = {name for node in _labelled(study, part).values() for name in node.domains}
    given = study.inputs[NAME][part]
    wanted = given.domains.get_list() if 'domains' in given else None
    return [name for name in wanted or examples(part, plain(study.inputs[part])) if name in known]


def _build(study: StudyWorkChain, part: str) -> Job:
    """Return the labels of a few frames of a part by all settings."""
    inputs = dict(study.exposed_inputs(ConvergenceWorkChain, f'{NAME}.{part}', agglomerate=False))
    inputs['datasets'] = _labelled(study, part)
    inputs['domains'] = orm.List(_domains(study, part))
    return Job(ConvergenceWorkChain, inputs, ConvergenceWorkChain.width(inputs))


def _take(study: StudyWorkChain, part: str, node: orm.ProcessNode) -> None:
    """Hand out what a comparison gave."""
    if 'convergence' in node.outputs:
        study.out(f'{NAME}.{part}', node.outputs.convergence)
