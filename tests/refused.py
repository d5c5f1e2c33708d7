"""Overrides of a wrong shape, and what the message about each must hold."""

#: By what is typed, the YAML of `--overrides` and what the message must hold.
OVERRIDES = {
    'launch audit --ensemble {trained} --dataset {dataset} --protocol test': [
        ('audit: 3', '`audit` of --overrides must be a mapping, got 3'),
        ('audit: null', 'must be a mapping, got None'),
        ('predict: 3', '`predict` must be a mapping, got 3'),
        ('audit: {alignment: 3}', '`alignment` must hold'),
        ('audit: {alignment: {domain: cold, by: x}}', "('minimum', 'mean'), got 'x'"),
        ('audit: {alignment: {domain: [1], by: mean}}', 'must be a domain, got [1]'),
        ('audit: {training_domains: 3}', 'must be a list of labels, got 3'),
        ('part: nothing', "got 'nothing'"),
        ('predict: {members_per_job: x}', '`members_per_job` must be of type int, got str'),
    ],
    'launch ensemble --dataset {dataset} --split {split} --protocol test': [
        ('training: 3', '`training` must be a mapping, got 3'),
        ('training: null', '`training` must be a mapping, got None'),
        ('training: {train: [1]}', '`training.train` must be a mapping, got [1]'),
        ('training: {train: {parameters: {trainer: 5}}}', '.trainer` must be a mapping, got 5'),
        ('seeds: {a: 1}', '`seeds` must be a list'),
        ('members_per_job: x', '`members_per_job` must be of type Int'),
        ('1: 2', 'must be text, got 1'),
    ],
    'launch stiffness --ensemble {trained} --crystals {dataset} --protocol test': [
        ('deform: 3', '`deform` of --overrides must be a mapping, got 3'),
        ('deform: {strain: -1}', '`strain` must be above zero, got -1'),
        ('deform: {strian: 1}', 'did you mean `strain`'),
        ('prediction: 3', '`prediction` must be a mapping, got 3'),
        ('label: {per_job: 3}', '`label` is of no use without an engine'),
    ],
    'launch study --engine ase --protocol test': [
        ('liquid: 3', '`liquid` must be a mapping, got 3'),
        ('scans: 3', '`scans` must be a mapping, got 3'),
        ('scans: {a: 3}', 'a scan must be a mapping like'),
        ('sample: 3', '`sample` must be a mapping, got 3'),
        ('engines: {ase: {draw: {size: 3}}}', 'leave out `engines` and `ase`'),
        ('sampler: 3', '`sampler` must be a mapping, got 3'),
        ('sampler: {frames: 3}', 'must be a mapping with an `engine`'),
        ('sampler: {engine: ase, frames: 0}', 'expected at least 1, got 0'),
        ('sampler: {engine: ase, frames: x}', '`frames` must be of type Int'),
        ('protocols: 3', '`protocols` must be a mapping, got 3'),
        ('liquid: {stages: {melt: 3}}', 'stages.melt` must be a mapping, got 3'),
    ],
}
