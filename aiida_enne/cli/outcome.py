"""What a run has come to: the verdict where there is one, and the command that comes next."""

from collections.abc import Iterable, Iterator
from typing import Any

from aiida_enne.cli import foreground

#: Processes that are judged, and the command that comes next after those that are not.
JUDGED = ('StudyWorkChain', 'AuditWorkChain')
REPORTED = ('StiffnessWorkChain',)
NEXT = {'EnsembleWorkChain': ('launch', 'audit', '--ensemble')}


def lines(node: Any) -> Iterator[str]:
    """Return what is printed of a process that has finished well."""
    if node.process_label in JUDGED:
        from aiida_enne import provenance

        try:
            found = provenance.joint_audit(provenance.Material.of(str(node.pk)))
        except provenance.Missing as exception:
            yield f'No verdict: {exception}'
            return
        yield from verdicts(found.verdicts)
        yield f'Next: `{foreground.own("report", node.pk)}`; why: `aiida-enne verdict {node.pk}`'
    elif node.process_label in REPORTED:
        yield f'Next: `{foreground.own("report", node.pk)}`'
    elif node.process_label in NEXT:
        words = (*NEXT[node.process_label], node.pk)
        yield f'Next: `{foreground.own(*words)} --dataset … --code …`'


def verdicts(rows: Iterable[Any]) -> Iterator[str]:
    """Return a line for each quantity: on which domains its σ may be believed.

    Args:
        rows: With `quantity`, `domain` and `verdict`.
    """
    by_quantity: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        by_quantity.setdefault(row.quantity, {}).setdefault(row.verdict, []).append(row.domain)
    for quantity, words in by_quantity.items():
        said = '; '.join(f'{word}: {", ".join(domains)}' for word, domains in words.items())
        yield f'Verdict on σ ({quantity}): {said}'
