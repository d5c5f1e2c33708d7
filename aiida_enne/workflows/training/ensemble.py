"""Training of an ensemble."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida.engine import (
    ExitCode,
    ProcessBuilder,
    ProcessSpec,
    while_,
)
from aiida.manage.caching import get_use_cache

from aiida_enne import families
from aiida_enne.aiida_private import fill_builder
from aiida_enne.calculations.ensemble import summarise_ensemble
from aiida_enne.calculations.functions import split_by_density
from aiida_enne.calculations.nequip_train import AUTO
from aiida_enne.calculations.nequip_train import NequipTrainCalculation as Train
from aiida_enne.calculations.ports import at_least, plain, port
from aiida_enne.calculations.starting import initial_models
from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData, beginning
from aiida_enne.data.split import SplitData
from aiida_enne.science.plans.study_costs import jobs_for
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import PoolWorkChain, ProtocolMixin, why_failed
from aiida_enne.workflows.training import validation
from aiida_enne.workflows.training.base import NAMESPACES, hand_out, outputs
from aiida_enne.workflows.training.base import NequipTrainBaseWorkChain as Base
from aiida_enne.workflows.training.energies import port_of_energies, put_energies, with_energies


class EnsembleWorkChain(ProtocolMixin, PoolWorkChain):
    """Train one model per seed on one dataset.

    Where caching is enabled for `enne.nequip.train`, complete models that the profile already has
    are handed out, however the members shared jobs then.
    """

    PROTOCOLS = 'ensemble'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        count = port(orm.Int, at_least(1), required=False)
        spec.input('dataset', valid_type=DatasetData, help='Labelled configurations.')
        spec.input('split', valid_type=SplitData, required=False, help='The split of all members.')
        spec.input_namespace(
            'splits', valid_type=SplitData, dynamic=True, help='Or one per member, by `seed_7`.'
        )
        spec.input(
            'leave_out_densities',
            **port(orm.Bool, required=False),
            help='Whether each member is trained without one density of the split, in turns.',
        )
        spec.input(
            'seeds', **port(orm.List, validation.validate_seeds), help='One seed per member.'
        )
        spec.input_namespace('initial_models', **initial_models())
        spec.input('members_per_job', **count, help='Members one job trains, 1 by default.')
        spec.input('max_concurrent', **count, help='Jobs at a time, all by default.')
        spec.input('atomic_energies', **port_of_energies())
        spec.input('min_members', **count, help='Models that suffice, all by default.')
        spec.input('snapshots', **count, help='Last epochs that hand out their models, too.')
        own = ('dataset', 'split', 'seeds', 'parent_folder', 'snapshots', 'initial_models')
        owned = [f'train.{name}' for name in own]
        spec.expose_inputs(Base, namespace='training', exclude=owned)
        spec.inputs.validator = validation.validate_inputs
        spec.outline(
            cls.find_known, while_(cls.has_work)(cls.work), cls.select_complete, cls.conclude
        )
        spec.expose_outputs(Base, include=NAMESPACES)
        spec.output('summary', valid_type=orm.Dict, help='Members that are complete or failed.')
        spec.exit_code(
            400, 'ERROR_MEMBERS_FAILED', message='{n} of {needed} models: none for {failed}{reason}'
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        dataset: DatasetData,
        split: SplitData | Mapping[str, SplitData],
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        base_model: BaseModelData | ModelData | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Python with NequIP.
            dataset: Labelled configurations.
            split: One for all members, or one per member by its label `seed_7`.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's; also `gpus` of a job, `members_per_gpu`,
                `gpu_directive`, `gpu_type` and `family`, see `ensemble.yaml`, and
                `atomic_energies`, see `science.data.atomic_energies`.
            base_model: What the members are fine-tuned from; the protocol `fine-tune` needs it.

        Raises:
            ValueError: If there is no such protocol, or no such GPUs, the base model is missing or
                cannot be used, or energies of elements cannot be had.
        """
        given = dict(overrides or {})
        how = given.pop('atomic_energies', None)
        inputs = protocols.ensemble_inputs(code, protocol, given, base_model)
        if how is not None:
            put_energies(inputs, how, dataset, split)
        inputs['training']['train']['code'] = code
        inputs |= {'dataset': dataset}
        inputs |= {'splits': dict(split)} if isinstance(split, Mapping) else {'split': split}
        builder = cls.get_builder()
        fill_builder(builder, inputs)
        return builder

    @classmethod
    def width(cls, inputs: Mapping[str, Any]) -> int:
        """Return how many jobs these inputs can keep busy at a time."""
        seeds, per_job = plain(inputs['seeds']), plain(inputs.get('members_per_job', 1))
        return jobs_for(len(seeds), int(per_job))

    def find_known(self) -> None:
        """Take the models that the profile has, and deal the other members out to jobs."""
        self.open_pool()
        self.ctx.merged = {name: {} for name in NAMESPACES}
        self.ctx.splits = dict(self.inputs.get('splits', {}))
        if 'leave_out_densities' in self.inputs and self.inputs.leave_out_densities.value:
            known = list(split_by_density(self.inputs.dataset, self.inputs.split).values())
            members = [f'seed_{seed}' for seed in self.inputs.seeds]
            self.ctx.splits = {one: known[n % len(known)] for n, one in enumerate(members)}
        labels = {f'seed_{seed}': seed for seed in self.inputs.seeds}
        size = self.inputs['members_per_job'].value if 'members_per_job' in self.inputs else 1
        self.choose_strategy(min(size, len(labels)), next(iter(labels)))
        if self.may_reuse():
            for label, seed in labels.items():
                self.reuse(label, seed)
        groups: dict[str, list[str]] = defaultdict(list)
        for label in labels.keys() - self.ctx.merged['models'].keys():
            groups[self.split_of(label).uuid].append(label)
        order = list(labels)
        jobs = [
            group[first : first + size]
            for group in (sorted(group, key=order.index) for group in groups.values())
            for first in range(0, len(group), size)
        ]
        self.ctx.jobs = {f'from_{labels[0]}': labels for labels in jobs}
        self.ctx.waiting = list(self.ctx.jobs)

    def choose_strategy(self, members: int, label: str) -> None:
        """Note how members share a job, and what may have trained known models."""
        train = self.inputs.training.train
        self.ctx.strategy = train.strategy
        self.ctx.kernels = [train.kernel.value if 'kernel' in train else '']
        if train.strategy != AUTO:
            return
        parameters = train.parameters.get_dict()
        family = families.family_of(parameters)
        frames = len(self.split_of(label).get_split().train)
        self.ctx.strategy, why = family.choose(parameters, members=members, frames=frames)
        own = family.kernels.get(self.ctx.strategy, '')
        others = [one for one in (*family.kernels.values(), '') if own and one != own]
        self.ctx.kernels = [own, *others]
        self.report(f'strategy {self.ctx.strategy}: {why}')

    def job(self, name: Any) -> tuple[type[Base], dict[str, Any]]:
        """Return the training of the members that share a job."""
        labels = self.ctx.jobs[name]
        inputs = self.exposed_inputs(Base, 'training')
        inputs['train'] = {
            **inputs['train'],
            'dataset': self.inputs.dataset,
            'split': self.split_of(labels[0]),
            'seeds': {label: orm.Int(seed_of(label)) for label in labels},
            'strategy': self.ctx.strategy,
        }
        if 'atomic_energies' in self.inputs:
            inputs['train']['parameters'] = orm.Dict(self.parameters_of(labels[0]))
        initial = self.inputs.get('initial_models', {})
        if known := {label: initial[label] for label in labels if label in initial}:
            inputs['train']['initial_models'] = known
        if self.ctx.kernels[0]:
            inputs['train']['kernel'] = orm.Str(self.ctx.kernels[0])
        if 'snapshots' in self.inputs:
            inputs['train']['snapshots'] = self.inputs.snapshots
        inputs['metadata'] = {'call_link_label': name}
        self.report(f'training {", ".join(labels)}')
        return Base, inputs

    def take(self, name: Any, node: orm.ProcessNode) -> None:
        """Take over what a job gave."""
        for namespace, taken in self.ctx.merged.items():
            taken.update(outputs(node, namespace))
        if not node.is_finished_ok:
            self.ctx.reasons = self.ctx.get('reasons', {}) | dict.fromkeys(
                self.ctx.jobs[name], why_failed(node)
            )

    def select_complete(self) -> None:
        """Hand out models only if they are complete."""
        models = self.ctx.merged['models']
        complete = {
            k: model for k, model in models.items() if model.base.attributes.get('complete')
        }
        self.ctx.merged['models'] = complete

    def conclude(self) -> ExitCode | None:
        """Hand out everything and say which members are missing, tolerated or not."""
        hand_out(self, self.ctx.merged)
        summary = summarise_ensemble(self.inputs.seeds, **self.ctx.merged['results'])
        self.out('summary', summary)
        n, failed = len(self.ctx.merged['models']), ', '.join(summary['failed'])
        everyone = len(self.inputs.seeds.get_list())
        needed = self.inputs.min_members.value if 'min_members' in self.inputs else everyone
        if n < needed:
            reasons = (self.reason_of(label) for label in summary['failed'])
            reason = next((f'; the first: {one}' for one in reasons if one), '')
            return self.exit_codes.ERROR_MEMBERS_FAILED.format(
                n=n, needed=needed, failed=failed, reason=reason
            )
        if failed:
            self.report(f'{n} models, {needed} suffice: none for {failed}')
        return None

    def reason_of(self, label: str) -> str:
        """Return why a member failed, as its job said or, where it left nothing, as that ended."""
        result = self.ctx.merged['results'].get(label, {})
        said = result.get('exit_message') or self.ctx.get('reasons', {}).get(label, '')
        text = ' '.join(str(said).split())
        # what a program says last is why it ended
        return text if len(text) <= 400 else f'{text[:150]} … {text[-250:]}'

    def split_of(self, label: str) -> SplitData:
        """Return the split of a member."""
        return self.ctx.splits.get(label) or self.inputs.split

    def parameters_of(self, label: str) -> dict[str, Any]:
        """Return the parameters of the training of a member."""
        chosen = self.inputs.training.train.parameters.get_dict()
        return with_energies(chosen, self.inputs, self.inputs.dataset, self.split_of(label))

    def may_reuse(self) -> bool:
        """Return whether AiiDA would take a training from its cache."""
        disabled = self.inputs.training.train.metadata.get('disable_cache')
        return not disabled and get_use_cache(identifier=Train.build_process_type())

    def reuse(self, label: str, seed: int) -> None:
        """Take a complete model of the same identity made by an equal code, if there is one."""
        train, dataset = self.inputs.training.train, self.inputs.dataset
        split = self.split_of(label)
        initial = self.inputs.get('initial_models', {}).get(label)
        begun = beginning(initial, train.get('base_model'))
        parameters = self.parameters_of(label)
        identities = [
            families.family_of(parameters).identity(
                parameters,
                seed=seed,
                elements=dataset.elements,
                data=(dataset.sha256, dataset.level_of_theory, split.sha256, *begun),
                kernel=kernel,
            )
            for kernel in self.ctx.kernels
        ]
        query = orm.QueryBuilder().append(
            ModelData,
            filters={'attributes.identity': {'in': identities}, 'attributes.complete': True},
        )
        known = query.order_by({ModelData: {'id': 'asc'}}).all(flat=True)
        known.sort(key=lambda model: identities.index(model.base.attributes.get('identity')))
        for model in known:
            job = model.creator
            if job is None:
                continue
            links = job.base.links.get_incoming(link_type=LinkType.INPUT_CALC)
            inputs = {link.link_label: link.node for link in links}
            if inputs['code'].base.caching.get_hash() != train.code.base.caching.get_hash():
                continue
            wanted, kept = (plain(one.get('snapshots', 0)) for one in (self.inputs, inputs))
            if wanted not in (0, kept):
                continue
            link = model.base.links.get_incoming(link_type=LinkType.CREATE).one().link_label
            label_then = link.removeprefix('models__')
            for namespace, taken in self.ctx.merged.items():
                if namespace != 'snapshots' or wanted:
                    taken[label] = outputs(job, namespace)[label_then]
            self.report(f'{label}: handing out {type(model).__name__}<{model.pk}>')
            return


def seed_of(label: str) -> int:
    """Return the seed in the label of a member."""
    return int(label.removeprefix('seed_'))
