"""Ensembles of equivariant neural-network potentials, trained and audited with AiiDA.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida_enne.arrays import as_table as as_table
    from aiida_enne.arrays import audit_arrays as audit_arrays
    from aiida_enne.arrays import save_figures as save_figures
    from aiida_enne.deploy.calculator import Ensemble as Ensemble
    from aiida_enne.provenance import audit_again as audit_again
    from aiida_enne.provenance import find_ensemble as open_ensemble
    from aiida_enne.provenance import find_study as open_study
    from aiida_enne.report import figure as figure
    from aiida_enne.report.write import report_on as write_report
    from aiida_enne.science.data.configurations import Configurations as Configurations
    from aiida_enne.science.uncertainty.audit import audit as audit
    from aiida_enne.science.uncertainty.estimators import make_estimator as make_estimator
    from aiida_enne.science.uncertainty.findings import find as findings
    from aiida_enne.science.uncertainty.options import AuditOptions as AuditOptions

__version__ = '0.1.0'

#: What the package offers, and where it is.
_NAMES = {
    'AuditOptions': 'science.uncertainty.options:AuditOptions',
    'Ensemble': 'deploy.calculator:Ensemble',
    'Configurations': 'science.data.configurations:Configurations',
    'as_table': 'arrays:as_table',
    'audit': 'science.uncertainty.audit:audit',
    'audit_again': 'provenance:audit_again',
    'audit_arrays': 'arrays:audit_arrays',
    'figure': 'report:figure',
    'findings': 'science.uncertainty.findings:find',
    'make_estimator': 'science.uncertainty.estimators:make_estimator',
    'open_ensemble': 'provenance:find_ensemble',
    'open_study': 'provenance:find_study',
    'save_figures': 'arrays:save_figures',
    'write_report': 'report.write:report_on',
}

__all__ = [
    'AuditOptions',
    'Configurations',
    'Ensemble',
    'as_table',
    'audit',
    'audit_again',
    'audit_arrays',
    'figure',
    'findings',
    'make_estimator',
    'open_ensemble',
    'open_study',
    'save_figures',
    'write_report',
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module, _, attribute = _NAMES[name].partition(':')
    return getattr(import_module(f'{__name__}.{module}'), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
