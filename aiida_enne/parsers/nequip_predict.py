"""`Parser` of one prediction job."""

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_enne.data.prediction import PredictionData
from aiida_enne.families.nequip import prediction as codec
from aiida_enne.families.nequip.training import OutputError
from aiida_enne.parsers.base import TextParser
from aiida_enne.science.data.configurations import Configurations

#: What the scheduler's verdict means, once all there is has been attached.
SCHEDULER = {110: 'ERROR_OUT_OF_MEMORY', 120: 'ERROR_OUT_OF_WALLTIME'}
#: What the status of a member means for the job; the first that occurs counts.
VERDICTS = {
    'out_of_memory': 'ERROR_OUT_OF_MEMORY',
    'failed': 'ERROR_MEMBERS_FAILED',
    'not_finite': 'ERROR_PREDICTION_NOT_FINITE',
}


class NequipPredictParser(TextParser):
    """Attach the predictions of every member that made them, then give the verdict."""

    def parse(self, retrieved_temporary_folder: str | None = None, **_: Any) -> ExitCode | None:
        """Parse the result, then the members one by one."""
        try:
            result = codec.read_result(self.text(codec.RESULT))
        except FileNotFoundError:
            if self.node.exit_status in SCHEDULER:
                return self.exit_codes[SCHEDULER[self.node.exit_status]]
            return self.exit_codes.ERROR_NOTHING_LEFT.format(tail=self.tail())
        except OutputError as exception:
            return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(reason=exception)
        self.out('results', orm.Dict(result))

        configurations = self.node.inputs.dataset.get_configurations()
        folder = Path(retrieved_temporary_folder or '') / codec.PREDICTIONS
        unreadable, members = [], result['members']
        for label in sorted(self.node.inputs.models):
            member = members.get(label, {'status': None})
            if member['status'] not in VERDICTS:
                try:
                    self.attach(label, folder / f'{label}.npz', member, configurations)
                except (FileNotFoundError, ValueError) as exception:
                    unreadable.append(f'{label}: {exception}')
        if unreadable:
            return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(reason='; '.join(unreadable))
        return self.judge(members)

    def attach(
        self, label: str, path: Path, member: dict[str, Any], configurations: Configurations
    ) -> None:
        """Attach one member's predictions.

        Raises:
            FileNotFoundError: If the file is not there.
            ValueError: If it does not hold what it should.
        """
        inputs = self.node.inputs
        arrays = codec.read_prediction(path.read_bytes(), configurations)
        part = inputs.part.value if 'part' in inputs else codec.DEFAULT_PART
        attributes = {
            'weights_sha256': inputs.models[label].weights_sha256,
            'seed': inputs.models[label].seed,
            'part': part if 'split' in inputs else 'all',
            'mode': member['mode'],
        }
        if (r_max := inputs.models[label].base.attributes.get('r_max', None)) is not None:
            attributes['r_max'] = r_max
        if configurations.is_labelled:
            attributes |= codec.errors(arrays, configurations)
            attributes['level_of_theory'] = inputs.dataset.level_of_theory
        node = PredictionData.from_arrays(
            arrays, dataset_sha256=inputs.dataset.sha256, **attributes
        )
        self.out(f'predictions.{label}', node)

    def judge(self, members: dict[str, Any]) -> ExitCode | None:
        """Return the verdict on the job: one code, with every member that has none."""
        failures = {label: m for label, m in members.items() if m['status'] in VERDICTS}
        reason = '; '.join(f'{label}: {m["message"]}' for label, m in sorted(failures.items()))
        for status, verdict in VERDICTS.items():
            if any(member['status'] == status for member in failures.values()):
                return self.exit_codes[verdict].format(reason=reason)
        return None
