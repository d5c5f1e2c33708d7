"""Many problems are one readable message."""

from aiida_enne.science.importing.problems import Problem, describe_problems


def test_equal_faults_of_one_file_are_said_once():
    problems = [Problem('a.xyz', i, 'has no energy') for i in range(100)]
    assert describe_problems(problems) == (
        'a.xyz, frames 0 to 99: has no energy\n(frames are counted from 0)'
    )


def test_scattered_frames_are_named_up_to_five():
    problems = [Problem('a.xyz', i, 'bad') for i in (1, 3, 4, 8, 9, 20, 30)]
    assert describe_problems(problems).startswith('a.xyz, frames 1, 3, 4, 8, 9 and 2 more: bad\n')


def test_files_without_frames_and_many_lines():
    assert describe_problems([Problem('a.xyz', None, 'is empty')]) == 'a.xyz: is empty'
    problems = [Problem('a.xyz', i, f'fault {i}') for i in range(30)]
    lines = describe_problems(problems, shown=5).splitlines()
    assert lines[5:] == ['... and 25 more', '(frames are counted from 0)']
