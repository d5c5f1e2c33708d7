"""`Parser` of one training job."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_enne import families
from aiida_enne.data.model import ModelData, beginning
from aiida_enne.families.nequip import training
from aiida_enne.parsers.base import TextParser

#: What a member ends with, by what its script says.
VERDICTS = {
    'finished': None,
    'unfinished': 'ERROR_OUT_OF_WALLTIME',
    'out_of_memory': 'ERROR_OUT_OF_MEMORY',
    'killed': 'ERROR_MEMBERS_KILLED',
    'failed': 'ERROR_MEMBERS_FAILED',
    'diverged': 'ERROR_MEMBERS_DIVERGED',
}
#: Verdicts on the job, the first that a member deserves counts: what can be continued goes first.
PRIORITY = (
    'ERROR_OUT_OF_MEMORY',
    'ERROR_OUT_OF_WALLTIME',
    'ERROR_MEMBERS_KILLED',
    'ERROR_RESULT_UNREADABLE',
    'ERROR_MODEL_MISSING',
    'ERROR_HISTORY_UNREADABLE',
    'ERROR_MEMBERS_FAILED',
    'ERROR_MEMBERS_DIVERGED',
)
#: What the scheduler's own verdict makes of members that were killed.
SCHEDULER = {110: 'ERROR_OUT_OF_MEMORY', 120: 'ERROR_OUT_OF_WALLTIME'}


#: Letters of a reason in an exit message; all of it stands in `results`.
LONGEST = 400


@dataclass
class Member:
    """The files of one member, and the verdict on them."""

    label: str
    verdict: str | None = None
    message: str = ''
    result: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    snapshots: dict[int, bytes] = field(default_factory=dict)


class NequipTrainParser(TextParser):
    """Attach whatever each member left, then give the verdict."""

    def parse(self, **_: Any) -> ExitCode | None:
        """Parse the members one by one."""
        members = [self.read_member(label) for label in self.node.inputs.seeds]
        for member in members:
            self.attach(member)
        if not any(member.files for member in members):
            return self.exit_codes.ERROR_NOTHING_LEFT.format(tail=self.tail())
        for verdict in PRIORITY:
            chosen = [member for member in members if member.verdict == verdict]
            if chosen:
                labels = ', '.join(member.label for member in chosen)
                reason = ' '.join(chosen[0].message.split())[:LONGEST] or 'see its log'
                return self.exit_codes[verdict].format(labels=labels, reason=reason)
        return None

    def read_member(self, label: str) -> Member:
        """Read the files of a member and judge it."""
        member, repository = Member(label), self.retrieved.base.repository
        folder = f'{training.MEMBERS}/{label}'
        for name in (training.RESULT, training.PROGRESS, training.HISTORY, training.BEST):
            place = f'{training.CHECKPOINTS}/{name}' if name == training.BEST else name
            try:
                content = repository.get_object_content(f'{folder}/{place}', mode='rb')
            except FileNotFoundError:
                continue
            member.files[name] = content
        checkpoints = f'{folder}/{training.CHECKPOINTS}'
        for epoch in self.epochs_kept(checkpoints):
            name = training.SNAPSHOT.format(epoch)
            content = repository.get_object_content(f'{checkpoints}/{name}', mode='rb')
            member.snapshots[epoch] = content
        try:
            self.judge(member)
        except (training.OutputError, UnicodeDecodeError) as exception:
            member.verdict, member.message = 'ERROR_RESULT_UNREADABLE', str(exception)
        return member

    def epochs_kept(self, checkpoints: str) -> list[int]:
        """Return the epochs of which a folder of checkpoints holds a snapshot."""
        if 'snapshots' not in self.node.inputs:
            return []
        try:
            names = self.retrieved.base.repository.list_object_names(checkpoints)
        except FileNotFoundError:
            return []
        start, end = training.SNAPSHOT.split('{}')
        return sorted(
            int(name.removeprefix(start).removesuffix(end))
            for name in names
            if name.startswith(start)
        )

    def judge(self, member: Member) -> None:
        """Set verdict, message and result of a member from its files."""
        if training.RESULT in member.files:
            member.result = training.read_result(member.files[training.RESULT].decode())
        else:
            member.result = {'status': 'killed', 'epochs': 0, 'first_epoch': 0}
            if training.PROGRESS in member.files:
                progress = training.read_progress(member.files[training.PROGRESS].decode())
                member.result |= {
                    'epochs': progress['epoch'],
                    'first_epoch': progress['first_epoch'],
                }
        status = member.result['status']
        member.verdict, member.message = VERDICTS[status], str(member.result.get('message', ''))
        if status == 'killed':
            member.verdict = SCHEDULER.get(self.node.exit_status or 0, member.verdict)
        if status == 'finished' and not has_model(member):
            member.verdict = 'ERROR_MODEL_MISSING'

    def attach(self, member: Member) -> None:
        """Attach history, model and result of a member, as far as they are there."""
        if training.HISTORY in member.files:
            try:
                history = training.read_history(member.files[training.HISTORY].decode())
            except (training.OutputError, UnicodeDecodeError) as exception:
                if member.verdict is None:
                    member.verdict, member.message = 'ERROR_HISTORY_UNREADABLE', str(exception)
            else:
                self.out(f'histories.{member.label}', orm.ArrayData(history))
        elif member.verdict is None:
            member.verdict, member.message = 'ERROR_HISTORY_UNREADABLE', 'it is missing'
        if has_model(member):
            self.out(f'models.{member.label}', self.build_model(member))
        if has_model(member) and member.verdict is None:
            for epoch in sorted(member.snapshots.keys() & snapshots_said(member)):
                name = f'snapshots.{member.label}.epoch_{epoch}'
                self.out(name, self.build_model(member, epoch))
        if member.files:
            self.out(f'results.{member.label}', orm.Dict(self.summarise(member)))

    def build_model(self, member: Member, epoch: int | None = None) -> ModelData:
        """Return the best model of all attempts, complete only if the training is, or a snapshot.

        Args:
            member: Of the job.
            epoch: Of the snapshot.
        """
        inputs, result = self.node.inputs, member.result
        checkpoint, best, own = member.files[training.BEST], result['best_epoch'], result
        if epoch is not None:
            checkpoint, best, own = member.snapshots[epoch], epoch, snapshots_said(member)[epoch]
        seed, elements = inputs.seeds[member.label].value, inputs.dataset.elements
        parameters = inputs.parameters.get_dict()
        family = families.family_of(parameters)
        identity = family.identity(
            parameters,
            seed=seed,
            elements=elements,
            data=(
                inputs.dataset.sha256,
                inputs.dataset.level_of_theory,
                inputs.split.sha256,
                *beginning(self.initial_of(member)),
            ),
            kernel=result.get('kernel', ''),
        )
        if epoch is not None:  # never handed out for the model itself
            identity = hashlib.sha256(f'{identity}, epoch {epoch}'.encode()).hexdigest()
        return ModelData.from_files(
            checkpoint,
            family.render(parameters, seed=seed, elements=elements),
            identity=identity,
            family=family.name,
            seed=seed,
            weights_sha256=own['weights_sha256'],
            elements=result['type_names'],
            r_max=result['r_max'],
            n_parameters=result['n_parameters'],
            nequip_version=result['versions']['nequip'],
            torch_version=result['versions']['torch'],
            complete=member.verdict is None,
            epochs=result['epochs'],
            best_epoch=best,
            metrics=own['metrics'],
        )

    def initial_of(self, member: Member) -> orm.Data | None:
        """Return the model that a member began with, if any."""
        for name in (f'initial_models__{member.label}', 'base_model'):
            link = self.node.base.links.get_incoming(link_label_filter=name).first()
            if link is not None:
                found: Any = link.node
                return found
        return None

    def summarise(self, member: Member) -> dict[str, Any]:
        """Return the member's own verdict with all that the script said."""
        verdict = None if member.verdict is None else self.exit_codes[member.verdict]
        return member.result | {
            'seed': self.node.inputs.seeds[member.label].value,
            'exit_status': 0 if verdict is None else verdict.status,
            'exit_label': member.verdict,
            'exit_message': member.message,
        }


def snapshots_said(member: Member) -> dict[int, dict[str, Any]]:
    """Return what the script says of each snapshot, by its epoch."""
    return {int(epoch): said for epoch, said in member.result.get('snapshots', {}).items()}


def has_model(member: Member) -> bool:
    """Return whether a checkpoint is there and the script could read it."""
    return training.BEST in member.files and 'weights_sha256' in member.result
