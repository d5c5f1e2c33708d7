"""Active learning that says whether its choices were better than chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, Process, ProcessBuilder, ProcessSpec, while_

from aiida_enne.aiida_private import fill_builder
from aiida_enne.calculations import improve as functions
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.workflows.base import ProtocolMixin, why_failed
from aiida_enne.workflows.improve import jobs, ports
from aiida_enne.workflows.improve.rounds import Rounds


class ImproveWorkChain(ProtocolMixin, Rounds):
    """Choose, label, train, judge: by every arm side by side, in rounds.

    All arms of a repeat begin with one ensemble. What two of them choose is labelled once. Every
    label is predicted by the ensemble of its round before any ensemble is trained on it.
    """

    PROTOCOLS = 'improve'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        ports.define(spec)
        spec.outline(
            cls.begin,
            while_(cls.goes_on)(cls.plan, while_(cls.has_work)(cls.work)),
            cls.conclude,
        )
        by_round = 'By path and round: `ensemble_1.round_0`.'
        for name, kind, text in (
            ('statistics', StatisticsData, f'Audits on the held-out set. {by_round}'),
            ('prequential', StatisticsData, f'Audits of what was bought, beforehand. {by_round}'),
            ('calibrations', orm.Dict, f'Factors of σ from earlier rounds. {by_round}'),
            ('selections', orm.Dict, f'What was chosen, refused and left. {by_round}'),
            ('models', ModelData, 'Members of the last ensemble, by path and label.'),
            ('datasets', DatasetData, 'All that the last ensemble of a path was trained on.'),
            ('splits', SplitData, 'Their splits.'),
            ('labels', DatasetData, 'All that was labelled, by round.'),
        ):
            spec.output_namespace(name, valid_type=kind, dynamic=True, help=text)
        spec.output('summary', valid_type=orm.Dict, help='Error over labels, and the comparison.')
        spec.exit_code(410, 'ERROR_PATHS_FAILED', message='Some paths failed: {failures}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        dataset: DatasetData,
        split: SplitData,
        held_out: DatasetData,
        engine: str = 'ase',
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine that labels.
            dataset: What the first ensemble is trained on.
            split: Of the dataset.
            held_out: Judges every round.
            engine: Name of the engine.
            protocol: One of `get_available_protocols`.
            overrides: Nested values that win over the protocol's; see `improve.yaml`.
            **inputs: `pool` or `starts` of candidates; `python`, Python with NequIP, the code of
                the engine by default; `base_model`, a `BaseModelData` or `ModelData` that members
                are fine-tuned from, which `protocols: {ensemble: fine-tune}` needs.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        codes, base = (code, inputs.pop('python', code)), inputs.pop('base_model', None)
        chosen = ports.from_protocol(codes, dataset, engine, protocol, overrides, base)
        builder = cls.get_builder()
        nodes = {'dataset': dataset, 'split': split, 'held_out': held_out}
        fill_builder(builder, chosen | nodes | inputs)
        return builder

    def job(self, key: Any) -> tuple[type[Process], dict[str, Any]]:
        """Return a work chain and its inputs."""
        kind, path = self.ctx.planned[key]
        process, inputs = jobs.build(self, kind, self.ctx.paths.get(path, {}))
        return process, inputs | {'metadata': {'call_link_label': key}}

    def refuse(self, key: Any, reason: ValueError) -> None:
        """Let paths end whose inputs cannot be used; the others go on."""
        kind, path = self.ctx.planned[key]
        self.end(self.sharing(kind, path), f'{key}: {reason}', failed=True)

    def take(self, key: Any, node: orm.ProcessNode) -> None:
        """Take over what a work chain gave; a path that lacks it ends."""
        kind, leader = self.ctx.planned[key]
        if kind == 'label':
            if 'dataset' in node.outputs:
                self.ctx.labels[f'round_{self.ctx.round}'] = node.outputs.dataset
            if not node.is_finished_ok:
                self.report(f'some labels failed: {why_failed(node)}')
            return
        paths = self.sharing(kind, leader)
        found = jobs.found(kind, node)
        if found is None:
            self.end(paths, f'{key}: {why_failed(node)}', failed=True)
            return
        for path in paths:
            mine = self.ctx.paths[path]
            if kind == 'examine':
                self.keep('statistics', path, found)
            elif kind == 'prove':
                self.keep('prequential', path, found)
                mine['proofs'][f'round_{self.ctx.round}'] = jobs.predictions(node, jobs.BOUGHT)
            elif kind in ('predict', 'know'):
                mine['predicted']['predictions' if kind == 'predict' else 'known'] = found
            else:
                mine['models' if kind == 'train' else 'explored'] = found

    def conclude(self) -> ExitCode | None:
        """Hand out everything, compare the arms, then say what failed."""
        paths = self.ctx.paths
        handed = dict(self.ctx.found) | {'labels': self.ctx.labels}
        for name in ('dataset', 'split'):
            handed[f'{name}s'] = {path: mine[name] for path, mine in paths.items()}
        handed['models'] = {
            path: mine['models'] for path, mine in paths.items() if 'models' in mine
        }
        for name, found in handed.items():
            self.out(name, found)
        table = {
            path: {'arm': mine['arm'], 'repeat': mine['repeat'], 'labels': mine['counts']}
            | {'ended': self.ctx.ended.get(path, 'all rounds are done')}
            for path, mine in self.ctx.paths.items()
        }
        statistics = {path: one for path, one in self.ctx.found['statistics'].items() if one}
        self.out('summary', functions.compare_arms(orm.Dict({'paths': table}), **statistics))
        return self.failed('ERROR_PATHS_FAILED')
