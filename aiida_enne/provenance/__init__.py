"""From the provenance graph to plain tables and arrays: every read is a query, no job is run."""

from aiida_enne.provenance.ensembles import (
    Ensemble,
    Member,
    find_ensemble,
    find_histories,
    load_histories,
)
from aiida_enne.provenance.predictions import (
    audit_again,
    find_predictions,
    gather,
    prediction_scalars,
)
from aiida_enne.provenance.statistics import (
    Statistics,
    created,
    find_statistics,
    latest_audited,
)

__all__ = [
    'Ensemble',
    'Member',
    'Statistics',
    'audit_again',
    'created',
    'find_ensemble',
    'find_histories',
    'find_predictions',
    'find_statistics',
    'gather',
    'latest_audited',
    'load_histories',
    'prediction_scalars',
]
