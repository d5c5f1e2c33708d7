"""Tests for the figures of the paper: each from the database, numbers as computed directly."""

import re
from dataclasses import replace

import numpy as np
import pytest
from aiida import orm

from aiida_enne import paper, provenance
from aiida_enne.paper.verdicts import judge_study
from aiida_enne.provenance import Material, Missing
from aiida_enne.provenance.archives import open_archive
from aiida_enne.report import figure, interactive, sharing
from aiida_enne.report.collect import collect, figure_numbers
from aiida_enne.report.contract import check_figure
from aiida_enne.report.figures import find_figure
from aiida_enne.report.write import report_on
from aiida_enne.science.figures import new_axes
from tests import studied
from tests.audited import store_audit

FIGURES = {one.name: one for one in paper.FIGURES}


@pytest.fixture(scope='module')
def material(silicon):
    return Material.of(silicon[0].uuid)


def raw(silicon, role):
    """Return configurations and stacked energies of a dataset, straight from the nodes."""
    node, datasets = silicon
    outputs = node.base.links.get_outgoing(orm.Data).nested()
    members = outputs['predictions'][role]
    configurations = datasets[role].get_configurations()
    return configurations, np.stack([members[k].get_arrays()['energies'] for k in sorted(members)])


def test_the_paper_has_these_figures():
    names = [f'F{n}' for n in range(1, 7)] + ['F7', 'F7a', 'F7b', 'F7c']
    assert list(FIGURES) == [*names, *(f'S{n}' for n in range(1, 11)), 'Disc']
    assert find_figure('f7').name == 'F7'
    assert find_figure('disc').name == 'Disc'
    with pytest.raises(ValueError, match=r"'F8' is not a figure; .* coverage, .* F1, F2"):
        find_figure('F8')
    with pytest.raises(ValueError, match=r"'coverge' is not a figure \(did you mean `coverage`"):
        find_figure('coverge')


@pytest.mark.parametrize('name', FIGURES)
def test_figures_keep_the_contract(material, name):
    for result in check_figure(name, material):
        assert result.measured
    with pytest.raises(ValueError, match=f"{name} has no option 'colour'"):
        FIGURES[name].choose({'colour': 'red'})


def test_what_was_trained_on_is_tested_nowhere(material, silicon):
    node, datasets = silicon
    rows = material.rows
    split = node.outputs.split.get_split()
    trained = datasets['training'].get_configurations().select(split.train)
    keys = provenance.frame_keys(rows.configurations)
    assert not set(keys) & set(provenance.frame_keys(trained))
    assert len(set(keys)) == len(keys)
    # 9 held-out and 24 other liquids, 45 of phases, 4 · 6 of defects, 2 · 5 of slabs, one crystal
    # of each size and one of the slabs; none of the ensemble's own
    assert len(rows) == 9 + 24 + 45 + 4 * 5 + 2 + 2 * 5 + 1
    assert set(material.training_domains) == set(trained.domains.tolist())


def test_the_shift_of_diamond_is_that_of_its_lowest_volume(material, silicon):
    frames, energies = raw(silicon, 'eos_diamond')
    lowest = frames.energies.argmin()
    errors = (energies[:, lowest] - frames.energies[lowest]) / 2
    result = find_figure('F4').build(material, ddof=1, zero='common', form='vinet')
    assert result.measured == f'shift {errors.mean():+.4f} ± {errors.std(ddof=1):.4f} eV/atom'


def test_formation_energies_are_built_member_by_member(material, silicon):
    frames, energies = raw(silicon, 'defect_vacancy_3')
    path = frames.domains == 'vacancy 3³'
    crystal = int(np.flatnonzero(frames.domains == 'bulk 3³')[0])
    expected = energies[:, path] - 215 / 216 * energies[:, [crystal]]
    reference = frames.energies[path] - 215 / 216 * frames.energies[crystal]
    result = find_figure('F6').build(material, ddof=0, of='vacancy 3³')
    np.testing.assert_allclose(result.content['formation'].members, expected, rtol=1e-12)
    np.testing.assert_allclose(result.content['formation'].reference, reference, rtol=1e-12)
    assert f'ε {expected.mean(axis=0)[-1] - reference[-1]:+.3f} eV' in result.measured


def test_the_ensembles_own_relaxation_has_no_reference_of_another_level(material):
    result = find_figure('F6').build(material, ddof=0, of='vacancy 2³')
    # here it was labelled at the level of the training
    assert np.isfinite(result.content['own'].reference).all()
    record = material.record
    own = replace(record.datasets['own_defect_vacancy_2'], level_of_theory='ensemble')
    other = Material(replace(record, datasets=record.datasets | {own.role: own}))
    result = find_figure('F6').build(other, ddof=0, of='vacancy 2³')
    assert np.isnan(result.content['own'].reference).all()


def test_error_and_spread_are_those_of_the_raw_predictions(material, silicon):
    frames, energies = raw(silicon, 'surface_8')
    scatter = find_figure('Disc').build(material, ddof=0).content['scatter']
    own = scatter.domain == 'Si(100) tilted, 8 layers'
    per_atom = energies[:, :5] / frames.n_atoms[:5]
    np.testing.assert_allclose(scatter.spread[own], per_atom.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        scatter.error[own], per_atom.mean(axis=0) - (frames.energies / frames.n_atoms)[:5]
    )


def test_force_errors_are_those_of_the_held_out_frames(material, silicon):
    node, datasets = silicon
    split = node.outputs.split.get_split()
    frames = datasets['training'].get_configurations().select(split.test)
    keys = provenance.frame_keys(datasets['liquid'].get_configurations())
    chosen = [keys.index(key) for key in provenance.frame_keys(frames)]
    liquid = datasets['liquid'].get_configurations()
    members = node.base.links.get_outgoing(orm.Data).nested()['predictions']['liquid'].values()
    forces = np.mean([one.get_arrays()['forces'] for one in members], axis=0)
    atoms = liquid.atom_index(chosen)
    expected = np.abs(forces[atoms] - liquid.forces[atoms]).mean()
    result = find_figure('F2').build(material, ddof=0, n_frames=1000, of=None)
    assert result.content['audit'].pooled['force_mae'] == pytest.approx(expected, rel=1e-10)
    fewer = find_figure('F2').build(material, ddof=0, n_frames=1, of=None).content['audit']
    assert fewer.pooled['n_configurations'] == 3


def test_members_of_a_scan_are_compared_on_the_same_held_out_frames(material, silicon):
    chosen = {'ddof': 0, 'n_frames': 50, 'scan': None}
    content = find_figure('S1').build(material, kind='densities', **chosen).content
    (comparison,) = content['comparisons']
    assert comparison.name == 'densities'
    assert comparison.values == (1, 2, 3)
    content = find_figure('S2').build(material, kind='grid', **chosen | {'scan': 'force'}).content
    grid = content['comparisons']
    assert [one.held for one in grid] == [{'l_max': 0}, {'l_max': 1}, {'l_max': 2}]
    # the points share their members, so that equal members have equal errors
    assert grid[0].member_mae[0] == pytest.approx(comparison.member_mae[0], rel=1e-12)
    assert len(silicon[1]['training'].get_configurations()) == 36
    for of, n_samples in (('energy', 9), ('force', 9 * 8 * 3)):
        found = find_figure('S10').build(material, n_frames=50, of=of).content['cross']
        assert found.n_samples_across == n_samples
        assert len(found.elsewhere[1]) == 3


def test_within_one_ensemble_are_the_pairs_of_the_main_one(material):
    bare = Material(replace(material.record, scans={}))
    alone, result = (
        find_figure('S10').build(one, n_frames=50, of='energy') for one in (bare, material)
    )
    found, own = result.content['cross'], alone.content['cross']
    pairs = studied.N_MEMBERS * (studied.N_MEMBERS - 1) // 2
    assert found.n_members == {'ensemble': studied.N_MEMBERS}
    assert len(found.centred.all_within) == pairs
    assert np.array_equal(found.centred.all_within, own.centred.all_within)
    assert len(own.centred.across) == 0 < len(found.centred.across)
    assert result.measured.startswith(alone.measured)
    assert set(alone.sources) < set(result.sources)


def test_two_members_leave_the_pairs_within_to_the_scan(material):
    main = material.record.ensemble
    pair = Material(replace(material.record, ensemble=replace(main, members=main.members[:2])))
    found = find_figure('S10').build(pair, n_frames=50, of='energy').content['cross']
    assert (len(found.n_members), found.elsewhere) == (3, None)


def test_points_without_predictions_are_left_out_and_counted(material):
    scan = material.record.scans['feature']
    point = replace(scan.points['point_1'], members={'seed_1': 'f' * 64})
    lacking = replace(scan, points=scan.points | {'point_2': point})
    other = Material(replace(material.record, scans={'feature': lacking}))
    chosen = {'ddof': 0, 'n_frames': 50, 'scan': None, 'kind': 'features'}
    result = find_figure('S4').build(other, **chosen)
    assert result.title == 'feature (2 of 3 points have predictions)'
    empty = replace(scan, points={'point_2': point})
    other = Material(replace(material.record, scans={'feature': empty}))
    with pytest.raises(Missing, match='predictions of held-out frames by the members'):
        find_figure('S4').build(other, **chosen)


def test_correlations_need_no_scan(material):
    alone = Material(replace(material.record, scans={}))
    result = find_figure('S10').build(alone, n_frames=50, of='force')
    assert result.content['cross'].n_members == {'ensemble': studied.N_MEMBERS}
    assert 'across' not in result.measured
    assert 'scan' not in ''.join(result.sources)


def test_phases_that_never_change_into_each_other_are_refused(material):
    found = find_figure('S5')
    options = found.choose({'low': 'diamond', 'high': 'hexagonal-diamond'})
    with pytest.raises(ValueError, match='neither by the reference nor a member: '):
        found.build(material, **options)


def test_a_choice_that_cannot_be_is_refused(material):
    for name, options, message in (
        ('F4', {'form': 'cubic'}, '`form` must be one of'),
        ('F5', {'zero': 'mine'}, '`zero` must be one of common, own'),
        ('F2', {'n_frames': 0}, '`n_frames` must be at least 1'),
        ('S10', {'of': 'mass'}, '`of` must be one of force, energy'),
        ('S3', {'of': 'mass'}, '`of` must be one of energy, force'),
        ('F7', {'scale': 'square'}, '`scale` must be one of'),
        ('error_and_spread', {'of': 'mass'}, '`of` must be one of'),
    ):
        found = find_figure(name)
        with pytest.raises(ValueError, match=message):
            found.build(material, **found.choose(options))
    with pytest.raises(ValueError, match="`n_frames` must be of type int, got 'many'"):
        find_figure('F2').choose({'n_frames': 'many'})


def test_what_is_not_there_is_said_with_what_makes_it(material):
    for name, options, message in (
        ('F5', {'phase': 'bcc'}, r'no E\(V\) of bcc, which the work chain enne.eos makes'),
        ('F6', {'of': 'dumbbell 3³'}, "no relaxation path of 'dumbbell 3³'"),
        ('S7', {'of': 'dumbbell'}, 'in two or more sizes, which the work chain enne.defect'),
        ('F1', {'temperature': 900.0}, 'no liquids at 900 K'),
    ):
        found = find_figure(name)
        with pytest.raises(Missing, match=message):
            found.build(material, **found.choose(options))


def test_in_a_notebook_a_figure_is_one_call(silicon):
    axes = figure('F5', silicon[0], ddof=1)
    assert 'ddof 1' in axes.get_xlabel()
    mine = new_axes()
    assert figure('s5', silicon[0].pk, mine) is mine
    with pytest.raises(ValueError, match="F5 has no option 'size'"):
        figure('F5', silicon[0], size=3)


def test_all_claims_are_judged(material):
    verdicts = judge_study(material)
    told = {verdict.claim.name: verdict for verdict in verdicts}
    assert told['shift'].outcome == 'undecided'
    assert '6 members can never show it at the 5% level' in told['shift'].sentence
    assert told['shift'].value == pytest.approx(0.115, abs=0.02)
    assert 'own zeros' in told['related'].sentence
    assert told['within'].value is not None
    said = [v for v in verdicts if 'does not have what it takes' not in v.sentence]
    assert len(said) > 20
    # three blocks of liquids tell nothing of the gates, six members little: bounds alone decide
    decided = {v.claim.name: v.outcome for v in said if v.outcome != 'undecided'}
    assert decided == dict.fromkeys(('liquid', 'flags'), 'does not hold') | {'accurate': 'holds'}


@pytest.mark.slow
def test_the_page_has_all_of_it(silicon, tmp_path):
    path, report = report_on(silicon[0].uuid, tmp_path / 'report', map_limit=40)
    assert [one.name for one in report.absences] == ['training']
    page = path.read_text()
    for form in report.forms:
        assert (path.parent / 'figures' / f'{form.name}.svg').stat().st_size > 5000
        assert f'id="{form.name}"' in page
    (claims,) = (table for table in report.tables if table.prose)
    assert claims.title in page
    assert '40 of 111 configurations' in page
    outside = re.sub('<script.*?</script>', '', page, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!data:|#)', outside)


@pytest.mark.slow
def test_a_shared_study_gives_the_same_numbers(silicon, tmp_path):
    expected = figure_numbers(collect(silicon[0].uuid, map_limit=0))
    archive = sharing.share(silicon[0], tmp_path / 'study.aiida')
    uuid = silicon[0].uuid
    with open_archive(archive):
        found = figure_numbers(collect(uuid, map_limit=0))
    assert found == expected


def test_an_audit_of_other_data_has_what_its_data_allow(aiida_profile_clean, dataset):
    audit, _ = store_audit(dataset)
    report = collect(audit.uuid, map_limit=5)
    reasons = {absence.name: absence.reason for absence in report.absences}
    assert reasons['F4'] == (
        'this study has no crystal phases over their volume, which the work chain enne.eos makes'
    )
    assert reasons['F1'] == 'this study has no liquids, which the work chain enne.liquid makes'
    assert reasons['S2'] == (
        "this study has no scan of the kind 'grid', which the work chain enne.scan makes"
    )
    drawn = {form.figure.name for form in report.forms} & set(FIGURES)
    assert drawn == {'F2', 'F3', 'F7', 'S3', 'S10'}
    assert report.map.n_shown == 5


def test_a_page_without_the_viewer_says_how_to_get_it(audited, tmp_path, monkeypatch):
    monkeypatch.setattr(interactive, 'VIEWER', 'no_such_viewer')
    path, report = report_on(audited[0].uuid, tmp_path / 'report')
    assert report.map is None
    assert 'pip install &#39;aiida-enne[report]&#39;' in path.read_text()
    assert 'no_such_viewer' not in path.read_text()
