"""The members of an ensemble and how they were trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType

from aiida_enne.data.model import ModelData
from aiida_enne.data.scan import ScanData
from aiida_enne.provenance.links import linked


@dataclass(frozen=True, slots=True)
class Member:
    """One trained member, as its node's attributes tell it."""

    label: str
    uuid: str
    seed: int
    weights_sha256: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The members that one work chain handed out or was given."""

    uuid: str
    members: tuple[Member, ...]

    @property
    def weights(self) -> list[str]:
        """Digests of the members' weights: what every prediction carries."""
        return [member.weights_sha256 for member in self.members]

    @property
    def r_max(self) -> float:
        """Cutoff of the members in Å, the longest of them; 0 where one does not say it."""
        known = [float(member.attributes.get('r_max', 0.0)) for member in self.members]
        return max(known, default=0.0) if all(known) else 0.0


def find_ensemble(identifier: str | int) -> Ensemble:
    """Return the members of an ensemble, by seed.

    A scan has many ensembles: this is the one that was trained on most, of equals the last.

    Args:
        identifier: PK or UUID of a work chain that returns models (a training, a study, a scan)
            or was given them (a prediction, an audit).

    Raises:
        NotExistent: If there is no such work chain or it knows no models.
    """
    process = orm.load_node(identifier)
    returned = linked(process, ModelData, 'models', LinkType.RETURN)
    found = returned or linked(process, ModelData, 'models', LinkType.INPUT_WORK)
    if not found:
        what = getattr(process, 'process_label', None) or type(process).__name__
        raise NotExistent(
            f'{what} <{process.uuid}> has no models: '
            'expected a training, a prediction, an audit or a study'
        )
    for *_, summary in linked(process, (orm.Dict, ScanData), 'summary', LinkType.RETURN):
        if 'points' in summary:
            points = summary['points']
            chosen = f'{max(points, key=lambda point: (points[point]["n_train"], point))}__'
            found = [
                (label.removeprefix(chosen), uuid, attributes)
                for label, uuid, attributes in found
                if label.startswith(chosen)
            ]
        elif 'paths' in summary:
            calls = last_calls(process, 'train_')
            last = ', '.join(f'{one.pk} ({path})' for path, one in calls.items())
            raise NotExistent(
                f'the improvement <{identifier}> has an ensemble for each of its paths: name one '
                f'of its trainings instead; the last are {last}'
            )
    members = [
        Member(label, uuid, attributes['seed'], attributes['weights_sha256'], attributes)
        for label, uuid, attributes in found
    ]
    return Ensemble(process.uuid, tuple(sorted(members, key=lambda member: member.seed)))


def join_members(identifiers: Sequence[str | int]) -> dict[str, ModelData]:
    """Return the members of several trainings as those of one ensemble, by label.

    Trainings of different architectures, say: what members share by their kind, no σ of one kind
    shows. Of one training they keep their labels; of several, they are `ensemble_1_seed_3`.

    Args:
        identifiers: What `find_ensemble` takes of each.

    Raises:
        NotExistent: If one is not there or knows no models.
        ValueError: If a member stands in two of them: counted twice, it would narrow σ.
    """
    members: dict[str, ModelData] = {}
    known: dict[str, str] = {}
    for number, identifier in enumerate(identifiers, 1):
        prefix = f'ensemble_{number}_' if len(identifiers) > 1 else ''
        for one in find_ensemble(identifier).members:
            label = prefix + one.label
            if other := known.get(one.weights_sha256):
                raise ValueError(
                    f'the members {other} and {label} have the same weights: name ensembles that '
                    'have no member in common'
                )
            known[one.weights_sha256] = label
            node: Any = orm.load_node(one.uuid)
            members[label] = node
    return members


def snapshots_of(member: Member) -> dict[str, ModelData]:
    """Return the models of the last epochs of a member's training, by `epoch_35`; often none."""
    model: Any = orm.load_node(member.uuid)
    found: dict[str, ModelData] = {}
    for link in model.base.links.get_incoming(link_type=LinkType.CREATE).all():
        given = link.node.base.links.get_outgoing(link_type=LinkType.CREATE).nested()
        found = dict(given.get('snapshots', {}).get(link.link_label.removeprefix('models__'), {}))
    return found


def begin_with(identifier: str | int, seeds: Sequence[int]) -> dict[str, ModelData]:
    """Return the models that new members begin with: those of the same seeds, else in turn.

    Args:
        identifier: What `find_ensemble` takes.
        seeds: Of the new members, whose labels are `seed_7`.

    Raises:
        NotExistent: If it is not there or knows no models.
        ValueError: If it has fewer members than there are seeds.
    """
    found = find_ensemble(identifier).members
    own = {one.seed: one.uuid for one in found}
    if not set(seeds) <= set(own):
        if len(found) < len(seeds):
            raise ValueError(
                f'{len(seeds)} members cannot begin with the {len(found)} of <{identifier}>: '
                'name as many seeds, or fewer'
            )
        own = dict(zip(seeds, (one.uuid for one in found), strict=False))
    nodes: dict[str, Any] = {f'seed_{seed}': orm.load_node(own[seed]) for seed in seeds}
    return nodes


def last_calls(node: orm.Node, kind: str) -> dict[str, orm.ProcessNode]:
    """Return the last work chain of a kind of every path of an improvement, by the path's label.

    Args:
        node: The improvement.
        kind: What the labels of such calls begin with: `train_` or `examine_`.
    """
    calls = node.base.links.get_outgoing(link_type=LinkType.CALL_WORK).all()
    last: dict[str, Any] = {}
    for call in sorted(calls, key=lambda one: int(one.node.pk or 0)):
        if call.link_label.startswith(kind):
            last[call.link_label.rsplit('_round_', 1)[0].removeprefix(kind)] = call.node
    return dict(sorted(last.items()))


def find_histories(ensemble: Ensemble) -> dict[str, str]:
    """Return the UUID of each member's training history, by the member's label.

    A member that was continued has one history per attempt; the most recent one holds all epochs.
    """
    uuids = {member.uuid: member.label for member in ensemble.members}
    return dict(sorted((uuids[own], one) for own, one in _histories('uuid', uuids).items()))


def histories_of(weights: Iterable[str]) -> dict[str, str]:
    """Return the UUID of the training history of members that are known by their weights alone.

    Args:
        weights: Digests; those whose training is not in the profile are left out.
    """
    return _histories('attributes.weights_sha256', weights)


def _histories(key: str, values: Iterable[str]) -> dict[str, str]:
    """Return the UUIDs of histories by one property of the models that has such a value."""
    query = orm.QueryBuilder()
    query.append(ModelData, filters={key: {'in': sorted(set(values))}}, tag='model', project=key)
    query.append(orm.CalcJobNode, with_outgoing='model', edge_project='label', tag='job')
    query.append(orm.ArrayData, with_incoming='job', edge_project='label', project='uuid')
    found = {}
    for model, history, model_port, history_port in query.iterall():
        # of a snapshot the port is `snapshots__seed_7__epoch_35`
        if model_port.split('__')[1] == history_port.removeprefix('histories__'):
            found[model] = history
    return found


def load_histories(
    uuids: dict[str, str], metric: str = 'val0_epoch_forces_mae'
) -> dict[str, tuple[Any, Any]]:
    """Return the epochs and one metric of every history that has it, by the member's label."""
    histories = {}
    for label, uuid in uuids.items():
        node = orm.load_node(uuid)
        if metric in node.get_arraynames():
            values = node.get_array(metric)
            known = np.isfinite(values)
            histories[label] = (node.get_array('epoch')[known], values[known])
    return histories
