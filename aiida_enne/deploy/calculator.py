"""An ensemble as an ASE calculator: from the database, from an archive, from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from aiida import orm
from ase.calculators.calculator import Calculator

from aiida_enne import provenance
from aiida_enne.data.model import ModelData
from aiida_enne.deploy.widths import Judge, fit_judge
from aiida_enne.provenance.archives import open_archive
from aiida_enne.remote import import_script

#: Folder of the checkpoints, in an exported one.
MEMBERS = 'members'


class Ensemble:
    """Ways to open an ensemble as an ASE calculator; see `remote/ase/ase_ensemble.py` for that.

    `calculator.get_property('energy_sigma', atoms)` is the σ of the total energy in eV,
    `'forces_sigma'` that of every force component in eV/Å, `'forces_members'` what each says.
    """

    @staticmethod
    def from_nodes(
        *identifiers: str | int,
        device: str = 'cpu',
        ddof: int = 0,
        estimator: str = '',
        calibration_domain: str = '',
        estimator_options: Mapping[str, Any] | None = None,
    ) -> Calculator:
        """Return the calculator of models in the database.

        Args:
            *identifiers: PK or UUID of one work chain that knows an ensemble (a study, a training,
                an audit), or of two or more models.
            device: Of torch.
            ddof: Of σ, where no estimator is named.
            estimator: Name in `aiida_enne.estimators`. Every σ is its width; the property is not
                there where it could not be fitted. One that only ranks leaves σ as it is, and
                `energy_score` and `forces_score` are its values.
            calibration_domain: What the estimator learns from, among stored predictions.
            estimator_options: Options of the estimator by name.

        Raises:
            NotExistent: If there is no such node, or nothing to learn from.
            ValueError: If the nodes are not models, or the estimator cannot be used.
        """
        models = find_models(*identifiers)
        judge = Judge()
        if estimator:
            if len(identifiers) != 1:
                raise ValueError(
                    'an estimator needs one work chain that knows the ensemble, got '
                    f'{len(identifiers)} nodes'
                )
            judge = fit_judge(identifiers[0], estimator, calibration_domain, estimator_options)
        with TemporaryDirectory() as folder:
            for label, node in models.items():
                node.write_checkpoint(Path(folder) / f'{label}.ckpt')
            return open_folder(folder, device=device, ddof=ddof, judge=judge)

    @staticmethod
    def from_archive(path: str | Path, *identifiers: str | int, **options: Any) -> Calculator:
        """Return the calculator of models in an archive, which is not imported.

        Args:
            path: The archive.
            *identifiers: See `from_nodes`; default: the most recent audit in it.
            **options: See `from_nodes`.

        Raises:
            ValueError: If the file is not an archive, and as `from_nodes` does.
            NotExistent: As `from_nodes` does.
        """
        with open_archive(Path(path)):
            return Ensemble.from_nodes(*(identifiers or (provenance.latest_audited(),)), **options)

    @staticmethod
    def from_folder(path: str | Path, **options: Any) -> Calculator:
        """Return the calculator of an exported folder; no profile is needed.

        Args:
            path: What `aiida-enne ensemble export` wrote.
            **options: `device`, `ddof`, `judge`, `calibrated` of the calculator.

        Raises:
            FileNotFoundError: If there is no member, or no calibration where it is asked for.
        """
        return open_folder(Path(path) / MEMBERS, **options)


def find_models(*identifiers: str | int) -> dict[str, ModelData]:
    """Return models by label: those that one work chain knows, or the nodes themselves.

    Raises:
        NotExistent: If there is no such node, or the work chain knows no models.
        ValueError: If nothing is named, or one of several nodes is not a model.
    """
    if not identifiers:
        raise ValueError('name one work chain that knows an ensemble, or two or more models')
    nodes = [orm.load_node(identifier) for identifier in identifiers]
    if len(nodes) == 1 and isinstance(nodes[0], orm.ProcessNode):
        members = provenance.find_ensemble(identifiers[0]).members
        return {one.label: cast('ModelData', orm.load_node(one.uuid)) for one in members}
    models = [node for node in nodes if isinstance(node, ModelData)]
    if others := [f'<{n.pk}> {type(n).__name__}' for n in nodes if not isinstance(n, ModelData)]:
        raise ValueError(f'expected one work chain or models, got {", ".join(others)}')
    labels = [f'seed_{node.seed}' for node in models]
    if len(set(labels)) < len(labels):
        labels = [f'member_{number}' for number in range(1, len(models) + 1)]
    return dict(zip(labels, models, strict=True))


def open_folder(path: str | Path, **options: Any) -> Calculator:
    """Return the calculator of the checkpoints in a folder."""
    calculator: Calculator = import_script('ase_ensemble').Ensemble(path, **options)
    return calculator
