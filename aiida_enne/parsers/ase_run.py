"""`Parser` of a job of the ASE script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_enne.codes import ase
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ensemble_sha256
from aiida_enne.parsers.base import TextParser
from aiida_enne.science.plans.tasks import read_task

#: Verdict by how the job ended, and then by how some of its configurations did.
_ENDED = {
    'import': 'ERROR_IMPORT_FAILED',
    'build': 'ERROR_CALCULATOR_FAILED',
    'stopped': 'ERROR_OUT_OF_WALLTIME',
    'interrupted': 'ERROR_INTERRUPTED',
}
_PARTLY = {
    'failed': 'ERROR_SOME_FAILED',
    'exploded': 'ERROR_EXPLODED',
    'unconverged': 'ERROR_NOT_CONVERGED',
}


class AseRunParser(TextParser):
    """Attach whatever the job left, then give the verdict."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Read the progress and the frames of all units, then the summary."""
        folder = Path(kwargs['retrieved_temporary_folder']) / ase.UNITS
        units = {path.stem: _read(path) for path in sorted(folder.glob('*.json'))}
        names = self.retrieved.base.repository.list_object_names()
        summary = self.text(ase.RESULTS) if ase.RESULTS in names else None
        inputs = self.node.inputs
        outcome = ase.read_outcome(
            summary,
            units,
            inputs.configurations.get_configurations(),
            read_task(inputs.task.get_dict()),
        )
        if summary is None and not units:
            return self._not_started()
        self.out('results', orm.Dict(outcome.results))
        if outcome.frames is not None:
            level = ase.complete_calculator(inputs.calculator.get_dict()).level_of_theory
            if 'models' in inputs:
                level = f'{level} {ensemble_sha256(inputs.models)[:12]}'
            self.out(
                'dataset', DatasetData.from_configurations(outcome.frames, level_of_theory=level)
            )
        return self._verdict(outcome)

    def _verdict(self, outcome: ase.Outcome) -> ExitCode | None:
        """Name the most serious failure first; only what can be continued is said to be so."""
        codes, total = self.exit_codes, outcome.results['n_configurations']
        if outcome.damages:
            return codes.ERROR_OUTPUT_DAMAGED.format(damages='; '.join(outcome.damages))
        if outcome.status in _ENDED:
            code = codes[_ENDED[outcome.status]]
            killed_for_memory = self.node.exit_status == codes.ERROR_SCHEDULER_OUT_OF_MEMORY.status
            if outcome.status == 'interrupted' and killed_for_memory:
                code = codes.ERROR_SCHEDULER_OUT_OF_MEMORY
            return code.format(name=outcome.name, message=outcome.message)
        if outcome.count('failed') == total:
            message = outcome.results['failures'][0]['message']
            return codes.ERROR_ALL_FAILED.format(total=total, message=message)
        for status, label in _PARTLY.items():
            if n := outcome.count(status):
                return codes[label].format(n=n, total=total)
        return None

    def _not_started(self) -> ExitCode:
        """Tell from the last line that was printed why the script never began."""
        names = self.retrieved.base.repository.list_object_names()
        texts = [
            self.text(name)
            for option in ('output_filename', 'scheduler_stderr')
            if (name := self.node.get_option(option)) in names
        ]
        words = ase.last_words(texts)
        if module := ase.missing_module(words):
            return self.exit_codes.ERROR_IMPORT_FAILED.format(name=module, message=words)
        return self.exit_codes.ERROR_NOT_STARTED.format(message=words)


def _read(path: Path) -> tuple[str, bytes]:
    """Return the progress and the frames of one unit."""
    frames = path.with_suffix('.f8')
    return path.read_text(errors='replace'), frames.read_bytes() if frames.exists() else b''
