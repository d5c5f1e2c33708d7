import pytest

from tests.aims_writer import species_text


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'defaults_2020' / 'light'
    folder.mkdir(parents=True)
    (folder / '14_Si_default').write_text(species_text('Si', 14))
    return folder


def test_install_twice_and_list(invoke, folder):
    assert 'no species' in invoke('species', 'list').output
    assert (
        'defaults_2020/light: 1 elements, 1 of them new'
        in invoke('species', 'install', folder).output
    )
    again = invoke('species', 'install', folder)
    assert again.exit_code == 0
    assert '0 of them new' in again.output
    assert 'defaults_2020/light  1  Si' in invoke('species', 'list').output
    assert 'sha256' in invoke('species', 'list', '--elements').output


def test_a_collision_is_one_line(invoke, folder):
    invoke('species', 'install', folder)
    (folder / '14_Si_default').write_text(species_text('Si', 14) + '# changed\n')
    result = invoke('species', 'install', folder)
    assert result.exit_code == 1
    assert 'has another text for Si' in result.output
    assert 'Traceback' not in result.output
    assert invoke('species', 'install', folder, '--label', 'mine').exit_code == 0


def test_an_empty_folder_is_refused(invoke, tmp_path):
    result = invoke('species', 'install', tmp_path)
    assert result.exit_code == 1
    assert 'no species default' in result.output
