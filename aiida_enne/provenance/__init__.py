"""From the provenance graph to plain tables and arrays: every read is a query, no job is run."""

from aiida_enne.data.trainings import find_trainings
from aiida_enne.provenance.again import audit_again
from aiida_enne.provenance.applicability import Described, describe_errors
from aiida_enne.provenance.comparisons import Compared, compare
from aiida_enne.provenance.ensembles import (
    Ensemble,
    Member,
    find_ensemble,
    find_histories,
    load_histories,
)
from aiida_enne.provenance.features import stored_features
from aiida_enne.provenance.joint import (
    find_gates,
    joint_audit,
    joint_quantities,
    joint_samples,
    zero_domain,
)
from aiida_enne.provenance.material import Material
from aiida_enne.provenance.predictions import find_predictions, prediction_scalars
from aiida_enne.provenance.rows import (
    Rows,
    frame_keys,
    gather_forces,
    gather_rows,
    gather_trained,
    join_rows,
    trained_keys,
)
from aiida_enne.provenance.statistics import (
    Statistics,
    created,
    find_statistics,
    latest_audited,
)
from aiida_enne.provenance.studies import (
    SCANS,
    Dataset,
    Scan,
    StudyRecord,
    find_study,
    predicted_datasets,
)
from aiida_enne.science.guard import Missing

__all__ = [
    'SCANS',
    'Compared',
    'Dataset',
    'Described',
    'Ensemble',
    'Material',
    'Member',
    'Missing',
    'Rows',
    'Scan',
    'Statistics',
    'StudyRecord',
    'audit_again',
    'compare',
    'created',
    'describe_errors',
    'find_ensemble',
    'find_gates',
    'find_histories',
    'find_predictions',
    'find_statistics',
    'find_study',
    'find_trainings',
    'frame_keys',
    'gather_forces',
    'gather_rows',
    'gather_trained',
    'join_rows',
    'joint_audit',
    'joint_quantities',
    'joint_samples',
    'latest_audited',
    'load_histories',
    'predicted_datasets',
    'prediction_scalars',
    'stored_features',
    'trained_keys',
    'zero_domain',
]
