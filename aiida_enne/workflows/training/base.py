"""Training of the members of one job, with restarts."""

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida.engine import (
    ExitCode,
    ProcessHandlerReport,
    ProcessSpec,
    WorkChain,
    process_handler,
)

from aiida_enne.calculations.nequip_train import NequipTrainCalculation as Train
from aiida_enne.workflows.base import why_failed
from aiida_enne.workflows.restarts import SurvivingRestartWorkChain

OUT_OF_MEMORY = Train.exit_codes.ERROR_OUT_OF_MEMORY
#: What the checkpoints mend; an unreadable result is written anew by a member that has finished.
CONTINUABLE = [
    Train.exit_codes.ERROR_OUT_OF_WALLTIME,
    Train.exit_codes.ERROR_MEMBERS_KILLED,
    Train.exit_codes.ERROR_RESULT_UNREADABLE,
    OUT_OF_MEMORY,
]
#: What no further attempt changes.
FINAL = [
    Train.exit_codes.ERROR_HISTORY_UNREADABLE,
    Train.exit_codes.ERROR_MODEL_MISSING,
    Train.exit_codes.ERROR_MEMBERS_FAILED,
    Train.exit_codes.ERROR_MEMBERS_DIVERGED,
]


#: What a training gives, by label of the member.
NAMESPACES = ('models', 'snapshots', 'histories', 'results')


class NequipTrainBaseWorkChain(SurvivingRestartWorkChain):
    """Run `NequipTrainCalculation` until every member has finished or failed for good.

    Only unfinished members are continued, from their own checkpoints. What the attempts gave is
    merged: models are the best over all attempts, histories reach from the first epoch.
    """

    _process_class = Train
    NAMESPACE = 'train'
    TRACELESS = frozenset({Train.exit_codes.ERROR_NOTHING_LEFT.status})

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(Train, namespace='train', exclude=('follow',))
        spec.expose_outputs(Train, include=NAMESPACES)
        spec.exit_code(410, 'ERROR_MEMBERS_FAILED', message='No complete model of {labels}')
        spec.exit_code(
            420,
            'ERROR_NO_PROGRESS',
            message='Two attempts in a row finished no epoch of {labels}; the last: {reason}',
        )
        spec.exit_code(500, 'ERROR_MEMBERS_DIVERGED', message='The loss diverged: {labels}')

    def setup(self) -> None:
        """Begin with the inputs as given."""
        super().setup()
        self.ctx.merged = {name: {} for name in NAMESPACES}
        self.ctx.idle = 0

    def take_over(self, node: orm.CalcJobNode) -> None:
        """Keep what each member gave."""
        for namespace, taken in self.ctx.merged.items():
            taken.update(outputs(node, namespace))
        for label, result in outputs(node, 'results').items():
            if result['exit_status']:
                why = ' '.join(str(result.get('exit_message', '')).split())[:400]
                self.report(f'{label} of <{node.pk}>: {result["exit_label"]}: {why}')
        fresh = outputs(node, 'results').values()
        gained = any(result['epochs'] > result['first_epoch'] for result in fresh)
        self.ctx.idle = 0 if gained else self.ctx.idle + 1

    @process_handler(priority=300, exit_codes=CONTINUABLE)
    def stop_without_progress(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Give up when two attempts in a row finished no epoch; one may have been bad luck."""
        if self.ctx.idle < 2:
            return None
        code = self.exit_codes.ERROR_NO_PROGRESS.format(
            labels=', '.join(self.unfinished(node)), reason=why_failed(node)
        )
        return ProcessHandlerReport(True, code)

    @process_handler(priority=400, exit_codes=[OUT_OF_MEMORY])
    def train_fewer_at_a_time(self, node: orm.CalcJobNode) -> None:
        """Halve the number of members that are trained at a time, down to one.

        First those of a process that trains some together; a job that outlived the lack of memory
        has tried that already, down to one.
        """
        inputs, n_members = self.ctx.inputs, len(node.inputs.seeds)
        processes, group = min(inputs.processes, n_members), 1
        if inputs.strategy == 'vectorised':
            ended = [result.get('status') for result in outputs(node, 'results').values()]
            if 'out_of_memory' not in ended:
                group = min(inputs.group, -(-n_members // processes))
            inputs.group = -(-group // 2)
        if group == 1:
            if inputs.strategy == 'sequential' or processes == 1:
                return
            inputs.processes = processes = processes // 2
        self.ctx.idle = 0  # what has just been tried will not be tried again
        at_a_time = processes * -(-group // 2)
        self.report(f'out of memory: training {at_a_time} at a time from now on')

    @process_handler(priority=100, exit_codes=CONTINUABLE)
    def continue_unfinished(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue what was cut short from its checkpoints; nothing else is repeated."""
        labels = self.unfinished(node)
        self.ctx.inputs.seeds = {label: self.inputs.train.seeds[label] for label in labels}
        if initial := self.inputs.train.get('initial_models', {}):
            kept = {label: initial[label] for label in labels if label in initial}
            self.ctx.inputs.initial_models = kept
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(
            f'{node.process_label}<{node.pk}> was cut short: continuing {", ".join(labels)}'
        )
        return ProcessHandlerReport(True)

    @process_handler(priority=0, exit_codes=FINAL)
    def settle(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop trying: what failed has failed alone, which `results` says."""
        self.ctx.is_finished = True
        return ProcessHandlerReport()

    def results(self) -> ExitCode | None:
        """Hand out what all attempts gave and say which members have no complete model."""
        self.attach()
        results = self.ctx.merged['results'].items()
        failed = {label: result['exit_label'] for label, result in results if result['exit_status']}
        if not failed:
            return None
        if set(failed.values()) == {'ERROR_MEMBERS_DIVERGED'}:
            return self.exit_codes.ERROR_MEMBERS_DIVERGED.format(labels=', '.join(failed))
        said = {label: str(result.get('exit_message', '')) for label, result in results}
        said = {label: ' '.join(text.split())[:200] for label, text in said.items()}
        labels = ', '.join(
            f'{label} ({": ".join(filter(None, (why, said[label])))})'
            for label, why in failed.items()
        )
        return self.exit_codes.ERROR_MEMBERS_FAILED.format(labels=labels)

    def unfinished(self, node: orm.CalcJobNode) -> list[str]:
        """Return the members of a job that can be continued, those without a trace included."""
        results = outputs(node, 'results')
        again = {code.status for code in CONTINUABLE}
        return [
            label
            for label in node.inputs.seeds
            if label not in results or results[label]['exit_status'] in again
        ]

    def attach(self) -> None:
        """Hand out what all attempts gave."""
        hand_out(self, self.ctx.merged)


def hand_out(chain: WorkChain, merged: Mapping[str, Mapping[str, Any]]) -> None:
    """Hand out what members gave, by namespace and label, snapshots by epoch, too."""
    for namespace, taken in merged.items():
        for label, found in taken.items():
            if isinstance(found, Mapping):
                for epoch, one in found.items():
                    chain.out(f'{namespace}.{label}.{epoch}', one)
            else:
                chain.out(f'{namespace}.{label}', found)


def outputs(node: orm.ProcessNode, namespace: str) -> dict[str, Any]:
    """Return the outputs of a process in a namespace by label; there may be none."""
    links = (LinkType.CREATE, LinkType.RETURN)
    return dict(node.base.links.get_outgoing(link_type=links).nested().get(namespace, {}))
