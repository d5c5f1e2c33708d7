"""`Parser` of a run of FHI-aims."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_enne.codes.aims import ERRORS, labels
from aiida_enne.codes.aims.output import AimsOutput, Verdict, read_output
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.parsers.base import TextParser

VERDICTS = {one: f'ERROR_{one.name}' for one in Verdict if one is not Verdict.FINISHED}
#: What the scheduler's own verdict is.
SCHEDULER = {110: Verdict.OUT_OF_MEMORY, 120: Verdict.OUT_OF_WALLTIME}


class AimsParser(TextParser):
    """Attach whatever the run left, then give the verdict."""

    def parse(self, **_: Any) -> ExitCode:
        """Read the output; what the scheduler said counts before what the output lets one guess."""
        inputs = self.node.inputs
        settings = ControlSettings.from_dict(inputs.parameters.get_dict())
        start = inputs.configurations.get_configurations().select([inputs.index.value])
        others = (ERRORS, *map(self.node.get_option, ('scheduler_stderr', 'scheduler_stdout')))
        names = self.retrieved.base.repository.list_object_names()
        main, *rest = (
            self.text(name) if name in names else ''
            for name in (self.node.get_option('output_filename'), *others)
        )
        output = read_output(main, '\n'.join(rest))
        verdict, reason = output.verdict, output.reason
        if verdict is not Verdict.FINISHED and self.node.exit_status in SCHEDULER:
            verdict, reason = SCHEDULER[self.node.exit_status], 'the scheduler says so'
        if verdict is Verdict.FINISHED and settings.md is not None and not moved(output):
            verdict, reason = Verdict.TRUNCATED, 'a trajectory was asked for, none was printed'
        self.out('results', orm.Dict(labels.summary(output) | {'verdict': str(verdict)}))
        self._attach(output, settings, start)
        if verdict is Verdict.FINISHED:
            return ExitCode()
        return self.exit_codes[VERDICTS[verdict]].format(reason=reason)

    def _attach(self, output: AimsOutput, settings: ControlSettings, start: Any) -> None:
        frames = labels.labelled(output, settings, start)
        if frames is not None:
            species = self.node.inputs.species
            levels = [species[element].level for element in start.elements]
            level = labels.level_of_theory(settings, levels)
            self.out('dataset', DatasetData.from_configurations(frames, level_of_theory=level))
        geometry = labels.last_geometry(output)
        if geometry is None:
            return
        last = labels.configuration_at(geometry, start)
        self.out('last_configuration', ConfigurationsData.from_configurations(last))
        if geometry.velocities is not None:
            self.out('last_velocities', orm.ArrayData({'velocities': geometry.velocities}))


def moved(output: AimsOutput) -> bool:
    """Return whether the last step is one of a trajectory: it has a time, and can go on."""
    last = output.frames[-1] if output.frames else None
    return last is not None and last.time is not None and last.velocities is not None
