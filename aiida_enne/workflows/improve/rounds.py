"""Rounds of an improvement: paths side by side, phase by phase."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from textwrap import shorten
from typing import Any

from aiida import orm

from aiida_enne.calculations import improve as functions
from aiida_enne.science.plans.improving import Improving, paths_of
from aiida_enne.science.plans.tasks import read_task
from aiida_enne.science.selection import Selector, make_selector
from aiida_enne.science.selection.comparison import pooled_rmse
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.workflows.base import WIDTH, PoolWorkChain
from aiida_enne.workflows.improve.ports import plan_exploration

#: Phases of a round, in their order; after the last round nothing follows the examination.
PHASES = ('train', 'examine', 'predict', 'label', 'prove')
LAST = PHASES.index('examine')


class Rounds(PoolWorkChain):
    """Plan every phase of every round; each path is one arm in one repeat.

    `ctx.paths` holds what each path has: `dataset`, `split`, `models`, what it `bought` and the
    `proofs` of that by round, the `counts` of labels.
    """

    @property
    def improving(self) -> Improving:
        """The options of the improvement."""
        return Improving.from_dict(self.inputs.improving.get_dict(), '`improving`')

    def begin(self) -> None:
        """Every path begins with what is given."""
        self.open_pool()
        paths = paths_of(self.inputs.arms.get_dict(), self.improving.repeats)
        training = {'dataset': self.inputs.dataset, 'split': self.inputs.split}
        empty: dict[str, Any] = {'bought': {}, 'proofs': {}, 'counts': [0]}
        self.ctx.paths = {
            path: {'arm': arm, 'repeat': repeat, **training, **deepcopy(empty)}
            for path, (arm, repeat) in paths.items()
        }
        self.ctx.round, self.ctx.phase, self.ctx.ended, self.ctx.failures = 0, -1, {}, {}
        self.ctx.found = {name: {} for name in ('statistics', 'prequential', 'selections')}
        self.ctx.labels = {}

    def going(self) -> list[str]:
        """Return the labels of the paths that go on."""
        return [path for path in self.ctx.paths if path not in self.ctx.ended]

    def goes_on(self) -> bool:
        """Return whether a path goes on, and another phase follows."""
        is_last = self.ctx.round == self.improving.rounds and self.ctx.phase == LAST
        return bool(self.going()) and not is_last

    def leaders(self) -> dict[str, list[str]]:
        """Return the paths that share an ensemble, by the first of them.

        Before anything is bought, all arms of a repeat share one.
        """
        found: dict[Any, list[str]] = {}
        for path in self.going():
            key = path if self.ctx.round else self.ctx.paths[path]['repeat']
            found.setdefault(key, []).append(path)
        return {paths[0]: paths for paths in found.values()}

    def sharing(self, kind: str, leader: str) -> list[str]:
        """Return the paths that a work chain of this phase is for."""
        if kind == 'label':
            return self.going()
        # what was bought is each path's own, even where paths share the ensemble
        return [leader] if kind == 'prove' else list(self.ctx.shared[leader])

    def end(self, paths: Iterable[str], why: str, *, failed: bool = False) -> None:
        """Let paths end, and say why."""
        for path in paths:
            self.ctx.ended[path] = why
            if failed:
                self.ctx.failures[path] = shorten(why, WIDTH)
            self.report(f'{path} ends: {why}')

    def plan(self) -> None:
        """Begin the next phase."""
        self.ctx.phase += 1
        if self.ctx.phase == len(PHASES):
            self.ctx.phase, self.ctx.round = 0, self.ctx.round + 1
        phase = PHASES[self.ctx.phase]
        plans: dict[str, Callable[[], list[list[str]]]] = {
            'train': self.plan_trainings,
            'examine': self.plan_examinations,
            'predict': self.plan_predictions,
            'label': self.plan_labels,
            'prove': self.plan_proofs,
        }
        self.ctx.planned = {
            '_'.join([*filter(None, one), f'round_{self.ctx.round}']): one for one in plans[phase]()
        }
        self.ctx.waiting, self.ctx.shared = list(self.ctx.planned), self.leaders()
        if self.ctx.planned:
            self.report(f'{phase}: {", ".join(self.ctx.planned)}')

    def plan_trainings(self) -> list[list[str]]:
        """Put what was bought into the training data, and train."""
        for path in self.going() if self.ctx.round else ():
            mine = self.ctx.paths[path]
            bought = mine['bought'][f'round_{self.ctx.round - 1}']
            share = orm.Float(self.improving.validation)
            mine.update(functions.extend_training(mine['dataset'], mine['split'], bought, share))
        return [['train', path] for path in self.leaders()]

    def plan_examinations(self) -> list[list[str]]:
        """Audit on the held-out set and, where another round follows, explore."""
        explores = 'exploration' in self.inputs and self.ctx.round < self.improving.rounds
        kinds = ('examine', 'explore') if explores else ('examine',)
        return [[kind, path] for kind in kinds for path in self.leaders()]

    def plan_predictions(self) -> list[list[str]]:
        """Take candidates together, and predict those that a selector wants predicted."""
        planned = []
        self.end_those_done()
        for leader, paths in self.leaders().items():
            sources = {'pool': self.inputs.pool} if 'pool' in self.inputs else {}
            if (explored := self.ctx.paths[leader].pop('explored', None)) is not None:
                sources['explored'] = explored
            if not sources:
                self.end(paths, 'there are no candidates')
                continue
            needs = {need for path in paths for need in self.selector_of(path).needs}
            candidates = functions.take_candidates(**sources)
            for path in paths:
                fresh = {'candidates': candidates, 'needs': sorted(needs), 'predicted': {}}
                self.ctx.paths[path].update(fresh)
            planned += [['predict', leader]] if needs else []
            planned += [['know', leader]] if 'features' in needs else []
        return planned

    def end_those_done(self) -> None:
        """Let paths end that have reached the target, or spent the budget."""
        improving = self.improving
        for path in self.going():
            spent = self.ctx.paths[path]['counts'][-1]
            if improving.budget is not None and spent >= improving.budget:
                self.end([path], f'{spent} labels are bought, as many as the budget allows')
                continue
            audit = self.ctx.found['statistics'].get(path, {}).get(f'round_{self.ctx.round}')
            error = None if audit is None else pooled_rmse(audit.domains)
            if improving.target is not None and error is not None and error <= improving.target:
                self.end([path], f'RMSE {error:.3g} eV/Å reaches the target')

    def selector_of(self, path: str) -> Selector:
        """Return the selector of a path."""
        return make_selector(self.inputs.arms.get_dict()[self.ctx.paths[path]['arm']])

    def plan_labels(self) -> list[list[str]]:
        """Choose for every path, and label once what two of them chose."""
        chosen = {}
        for path in self.going():
            try:
                outputs = self.choose(path)
            except (ImportError, ValueError) as exception:
                self.end([path], f'its choice failed: {exception}', failed=True)
                continue
            self.keep('selections', path, outputs['selection'])
            if 'chosen' in outputs:
                chosen[path] = self.ctx.paths[path]['chosen'] = outputs['chosen']
            else:
                self.end([path], 'no candidate is left that may be chosen')
        if not chosen:
            return []
        given = {'labels': self.ctx.labels} if self.ctx.labels else {}
        missing = functions.find_unlabelled(chosen=chosen, **given)
        self.ctx.unlabelled = missing.get('unlabelled')
        return [] if self.ctx.unlabelled is None else [['label', '']]

    def choose(self, path: str) -> dict[str, Any]:
        """Return what the selector of a path chose, with its reasons."""
        mine, improving = self.ctx.paths[path], self.improving
        count = improving.batch
        if improving.budget is not None:
            count = min(count, improving.budget - mine['counts'][-1])
        number = list(self.ctx.paths).index(path)
        seed = improving.seed + 1000 * self.ctx.round + number
        selector = self.selector_of(path)
        wanted = ['predictions'] if selector.needs else []
        wanted += ['known'] if 'features' in selector.needs else []
        nodes = {name: mine['predicted'][name] for name in wanted if name in mine['predicted']}
        if selector.needs and mine['bought']:
            nodes |= {'bought': mine['bought'], 'proofs': mine['proofs']}
        selection = self.inputs.arms.get_dict()[mine['arm']]
        chosen = {'selection': selection, 'count': count, 'seed': seed}
        limits: dict[str, Any] = {'closest': improving.closest, 'loosest': improving.loosest}
        # explored frames stand before those of the pool, see `take_candidates`
        pooled = self.inputs.pool.n_frames if 'pool' in self.inputs else 0
        if number_explored := mine['candidates'].n_frames - pooled:
            samples = plan_exploration(self.inputs.exploration.get_dict(), improving.seed)
            stage = read_task(next(iter(samples.values()))['task']).stages[0]
            every = {'record_every': stage.record_every, 'timestep': stage.timestep}
            limits['explored'] = {'number': number_explored, **every}
        return functions.select_candidates(
            orm.Dict(chosen | limits),
            mine['candidates'],
            mine['dataset'],
            self.inputs.held_out,
            **nodes,
        )

    def plan_proofs(self) -> list[list[str]]:
        """Audit what each path bought with the ensemble that chose it."""
        for path in self.going():
            mine = self.ctx.paths[path]
            found = functions.take_labels(mine.pop('chosen'), **self.ctx.labels)
            if 'bought' not in found:
                self.end([path], 'nothing that was chosen could be labelled', failed=True)
                continue
            got, needed = found['bought'].level_of_theory, mine['dataset'].level_of_theory
            if got != needed:
                why = f'the labels are of {got!r}, the training set of {needed!r}'
                self.end([path], f'{why}: choose the engine of the training set', failed=True)
                continue
            if mine['bought']:
                self.calibrate(path)
            mine['bought'][f'round_{self.ctx.round}'] = found['bought']
            mine['counts'].append(mine['counts'][-1] + found['bought'].n_frames)
        return [['prove', path] for path in self.going()]

    def calibrate(self, path: str) -> None:
        """Learn from what earlier rounds bought what σ of this round is multiplied by."""
        mine, options = self.ctx.paths[path], self.inputs.audit.get_dict()
        options.pop('alignment', None)
        ddof = orm.Int(AuditOptions.from_dict(options).ddof)
        learnt = functions.recalibrate(ddof, bought=mine['bought'], proofs=mine['proofs'])
        self.keep('calibrations', path, learnt)

    def keep(self, name: str, path: str, node: orm.Data) -> None:
        """Keep a result of this round, to be handed out."""
        found = self.ctx.found.setdefault(name, {})
        found.setdefault(path, {})[f'round_{self.ctx.round}'] = node
