import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makd.errors import DataError
from makd.questions import QuestionSet
from makd.targets import AspectTargets
from projects.emoji_data import build as preparation
from projects.emoji_data.build import STYLES, SUMS, Emoji, bare, checksums, differences, read_sums, select, slug
from projects.emoji_data.packages import Package, read_members
from projects.emoji_data.questions import Rule, answer_all, load_rules, log_probabilities, rank

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / 'data' / 'emoji'
TOOL = ROOT / 'tools' / 'prepare_dataset.py'


@pytest.fixture(scope='module')
def shipped():
    rows = json.loads((SHIPPED / 'emoji.json').read_text(encoding='utf-8'))
    return [Emoji(**{**row, 'styles': tuple(row['styles'])}) for row in rows]


# The bundled folder.


def test_shipped_emoji_are_sorted_and_their_pictures_are_exactly_those_on_disk(shipped):
    assert [entry.id for entry in shipped] == sorted({entry.id for entry in shipped})
    assert {style: sum(style in entry.styles for entry in shipped) for style in STYLES} == {
        'noto': 849,
        'blob': 650,
        'twemoji': 849,
        'openmoji': 849,
        'fluent': 849,
    }
    keys = {entry.key(style) for entry in shipped for style in entry.styles}
    on_disk = {path.relative_to(SHIPPED / 'images').as_posix() for path in (SHIPPED / 'images').rglob('*.*')}
    assert keys == on_disk


def test_shipped_pictures_are_64_pixels_rgba_and_show_something(shipped):
    for entry in shipped:
        for style in entry.styles:
            with Image.open(SHIPPED / 'images' / entry.key(style)) as image:
                assert (image.format, image.size, image.mode) == ('PNG', (64, 64), 'RGBA'), entry.key(style)
                assert image.getchannel('A').getextrema()[1] > 200, entry.key(style)


def test_checksums_hold_and_name_every_file():
    assert differences(checksums(SHIPPED), read_sums(SHIPPED / SUMS)) == []


def test_shipped_folder_stays_below_15_megabytes():
    assert sum(path.stat().st_size for path in SHIPPED.rglob('*')) < 15 * 2**20


def test_each_style_is_attributed_and_each_licence_is_there():
    readme = (SHIPPED / 'README.md').read_text(encoding='utf-8')
    assert all(f'`images/{style}`' in readme for style in STYLES)
    assert "not a multimodal LLM's answers" in readme
    licences = {path.name: path.read_text(encoding='utf-8') for path in (SHIPPED / 'LICENSES').iterdir()}
    assert 'Version 2.0, January 2004' in licences['Apache-2.0.txt']
    assert 'Attribution 4.0 International' in licences['CC-BY-4.0.txt']
    assert 'Attribution-ShareAlike 4.0 International' in licences['CC-BY-SA-4.0.txt']
    assert 'UNICODE LICENSE V3' in licences['Unicode-3.0.txt']
    assert 'Microsoft' in licences['MIT-fluent.txt']
    assert 'Cal Henderson' in licences['MIT-emoji-datasource.txt']


def test_shipped_answers_are_certain_complete_and_the_same_in_every_style(shipped):
    targets = AspectTargets.open(SHIPPED / 'aspects' / 'cldr')
    targets.validate()
    assert targets.questions == QuestionSet.load(SHIPPED / 'aspects' / 'questions.json')
    assert set(targets.keys) == {entry.key(style) for entry in shipped for style in entry.styles}
    assert 'not the answers of a multimodal LLM' in targets.meta['note']
    for entry in shipped:
        rows = np.stack([targets.probability(entry.key(style)) for style in entry.styles])
        assert set(rows.ravel()) <= {0.0, 1.0}
        assert (rows == rows[0]).all()


@pytest.mark.parametrize(
    ('name', 'yes', 'no'),
    [
        ('honeybee', {'wings', 'animal', 'natural', 'pattern'}, {'fur', 'bigger_than_person', 'food', 'four_legs'}),
        ('banana', {'food', 'plant', 'sweet', 'long', 'yellow_orange'}, {'animal', 'round', 'metal', 'vehicle'}),
        ('elephant', {'animal', 'four_legs', 'bigger_than_person', 'warm_country'}, {'one_hand', 'wings', 'fur'}),
        ('fire engine', {'vehicle', 'red', 'metal', 'street'}, {'natural', 'one_hand', 'food', 'blue'}),
        ('violin', {'music', 'strings', 'wood', 'sound'}, {'electric', 'food', 'round'}),
        ('six-thirty', {'half_past', 'round', 'readable'}, {'animal', 'natural', 'long'}),
        ('six o’clock', {'round', 'readable'}, {'half_past'}),  # noqa: RUF001
        ('bat', {'wings', 'animal', 'night'}, {'handle', 'sport'}),
        ('heart suit', {'red', 'love', 'game'}, {'box_shaped', 'one_hand'}),
    ],
)
def test_known_answers(shipped, name, yes, no):
    targets = AspectTargets.open(SHIPPED / 'aspects' / 'cldr')
    (entry,) = (entry for entry in shipped if entry.name == name)
    answers = dict(zip(targets.questions.ids, targets.probability(entry.key('noto'))))
    assert {question for question in yes if answers[question] != 1} == set()
    assert {question for question in no if answers[question] != 0} == set()


def test_questions_split_the_emoji_and_the_first_ones_tell_most_apart(shipped):
    targets = AspectTargets.open(SHIPPED / 'aspects' / 'cldr')
    answers = np.stack([targets.probability(entry.key('noto')) for entry in shipped]) == 1
    assert 60 <= answers.shape[1] <= 90
    assert answers.mean(axis=0).min() > 0.01
    assert answers.mean(axis=0).max() < 0.6
    assert len(np.unique(answers, axis=0)) > 700
    assert rank(answers) == list(range(answers.shape[1]))


# The functions that build it.


def test_slug_and_bare():
    assert slug('sky & weather') == 'sky-weather'
    assert slug('animal-bird') == 'animal-bird'
    assert bare('26F0-FE0F') == '26f0'
    assert bare('1F426-200D-2B1B') == '1f426-200d-2b1b'


def test_select_needs_every_style_but_blob():
    def row(image, category='Objects'):
        return {'image': f'{image}.png', 'category': category, 'subcategory': 'tool'}

    all_styles = {'1f528', '2692', '1f52b'}
    available = dict.fromkeys(STYLES, all_styles) | {'blob': {'1f52b'}, 'fluent': all_styles - {'1f528'}}
    names = {'1f528': 'hammer', '2692': 'hammer and pick', '1f52b': 'water pistol'}
    table = [row('2692-fe0f'), row('1f528'), row('1f52b'), row('1f600', 'Smileys & Emotion')]
    without_blob = ('noto', 'twemoji', 'openmoji', 'fluent')
    assert select(table, names, available) == [
        Emoji('1f52b', 'water pistol', 'Objects', 'tool', without_blob),  # the blob emoji is a revolver
        Emoji('2692-fe0f', 'hammer and pick', 'Objects', 'tool', without_blob),
    ]


def test_pictures_are_found_under_their_other_spellings(tmp_path):
    tree = tmp_path / 'package'
    (tree / 'img/google/64').mkdir(parents=True)
    (tree / 'img/google/64/2600-fe0f.png').write_bytes(b'sun')
    (tree / 'img/google/64/1f41e.png').write_bytes(b'beetle')
    (tree / 'img/google/32').mkdir()
    (tree / 'img/google/32/1f42a.png').write_bytes(b'small')
    rows = [
        {'image': '1f41e.png', 'unified': '1F41E', 'variations': ['1FAB2-FE0F']},
        {'image': 'absent.png', 'unified': '1F42A'},
    ]
    (tree / 'emoji.json').write_text(json.dumps(rows))
    with tarfile.open(tmp_path / 'a.tgz', 'w:gz') as tar:
        tar.add(tree, 'package')
    found = preparation.pictures('blob', tmp_path / 'a.tgz')
    assert found == {'2600': b'sun', '1f41e': b'beetle', '1fab2': b'beetle'}


def test_resize_weights_colours_by_their_alpha():
    # Opaque red next to invisible green: the mean is half-transparent pure red, without a trace of green.
    image = Image.new('RGBA', (2, 2), (255, 0, 0, 255))
    image.paste((0, 255, 0, 0), (1, 0, 2, 2))
    assert preparation.resize(image, 1).getpixel((0, 0)) == (255, 0, 0, 128)


def test_resize_centres_what_is_not_square():
    image = Image.new('RGBA', (2, 4), (10, 20, 30, 255))
    alpha = np.asarray(preparation.resize(image, 4).getchannel('A'))
    np.testing.assert_array_equal(alpha, [[0, 255, 255, 0]] * 4)


def test_finished_picture_is_copied_byte_for_byte(tmp_path):
    Image.new('RGBA', (64, 64), (1, 2, 3, 4)).save(tmp_path / 'a.png')
    content = (tmp_path / 'a.png').read_bytes()
    assert preparation.to_png(content) is content


def test_grey_picture_and_drawing_become_rgba():
    pytest.importorskip('oxipng')
    pytest.importorskip('resvg_py')
    import io

    buffer = io.BytesIO()
    Image.new('LA', (64, 64), (100, 50)).save(buffer, 'PNG')
    image = Image.open(io.BytesIO(preparation.to_png(buffer.getvalue())))
    assert (image.mode, image.getpixel((5, 5))) == ('RGBA', (100, 100, 100, 50))
    svg = b'<svg viewBox="0 0 2 1" xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1" fill="#f00"/></svg>'
    image = Image.open(io.BytesIO(preparation.to_png(svg)))
    assert image.mode == 'RGBA'
    assert image.getcolors() is not None


def test_rule_takes_any_of_its_grounds_and_exclusion_wins():
    rule = Rule('q', 'Is it?', 'visual', ('tool',), ('cut',), ('rose',), ('clamp',))
    assert rule.answer('wrench', 'tool', frozenset())
    assert rule.answer('paper', 'office', frozenset({'cut', 'sheet'}))
    assert rule.answer('rose', 'plant-flower', frozenset())
    assert not rule.answer('clamp', 'tool', frozenset({'cut'}))
    assert not rule.answer('tulip', 'plant-flower', frozenset({'cuts'}))


@pytest.mark.parametrize('field', ['subcategories', 'keywords', 'include', 'exclude'])
def test_error_names_the_rule_with_an_unknown_name(field):
    emoji = [Emoji('1f528', 'hammer', 'Objects', 'tool', STYLES)]
    rule = Rule('q7', 'Is it?', 'visual', **{field: ('hamer',)})
    with pytest.raises(DataError, match=rf'"q7", {field}.*hamer'):
        answer_all([rule], emoji, {'1f528': frozenset({'tool'})})


def test_shipped_rules_have_distinct_questions():
    rules = load_rules()
    assert len({rule.text for rule in rules}) == len({rule.id for rule in rules}) == len(rules)


def test_rank_prefers_the_even_split_then_what_is_new():
    # Question 0: yes for one of four; 1: for two of four; 2: the same as 1; 3: splits both halves of 1.
    answers = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    assert rank(answers) == [1, 3, 0, 2]


def test_log_probabilities_are_certain():
    found = log_probabilities(np.array([[True, False]]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[[0, -np.inf], [-np.inf, 0]]])


def test_differences_names_each_kind():
    assert differences({'a': '1', 'b': '2'}, {'b': '3', 'c': '4'}) == ['missing: c', 'new: a', 'changed: b']


# Downloads and messages of the tool.


def package(client='npm', sha256='0' * 64):
    return Package(client, 'emoji-x', '1.0.0', 'emoji-x-1.0.0.tgz', sha256)


def test_missing_archive_is_named(tmp_path):
    with pytest.raises(DataError, match=r'emoji-x-1\.0\.0\.tgz is missing: download emoji-x 1\.0\.0 there with npm'):
        package().verify(tmp_path)


def test_wrong_checksum_is_an_error_and_the_right_one_is_accepted(tmp_path):
    (tmp_path / 'emoji-x-1.0.0.tgz').write_bytes(b'abc')
    sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    with pytest.raises(DataError, match=f'its SHA-256 is {sha256}, expected 0000'):
        package().verify(tmp_path)
    assert package(sha256=sha256).verify(tmp_path) == tmp_path / 'emoji-x-1.0.0.tgz'


def test_missing_npm_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(DataError, match=r'downloaded with npm, which is not installed: install Node\.js'):
        package().fetch(tmp_path)


@pytest.mark.parametrize('client', ['npm', 'pip', 'apt'])
def test_failing_client_is_quoted(tmp_path, monkeypatch, client):
    program = tmp_path / 'npm'
    program.write_text('#!/bin/sh\necho "error: getaddrinfo ENOTFOUND" >&2\nexit 1\n')
    program.chmod(0o755)
    (tmp_path / 'apt-get').symlink_to(program)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sys, 'executable', str(program))
    with pytest.raises(DataError, match=rf'(?s){client} could not download emoji-x.*network.*ENOTFOUND'):
        package(client).fetch(tmp_path)


def test_members_of_a_debian_package_are_read(tmp_path):
    def ar(name, content):
        return (
            f'{name:16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n'.encode()
            + content
            + b'\n' * (len(content) % 2)
        )

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w:xz') as tar:
        for name in ('./usr/a.svg', './usr/b.png'):
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(name[-3:].encode()))
    deb = tmp_path / 'x_1.0_all.deb'
    odd = ar('control.tar.xz', b'odd')
    deb.write_bytes(b'!<arch>\n' + ar('debian-binary', b'2.0\n') + odd + ar('data.tar.xz', data.getvalue()))
    assert read_members(deb, lambda name: name.endswith('.svg')) == {'./usr/a.svg': b'svg'}


def run_tool(*arguments):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    return subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, env=environment)


def test_tool_names_an_unknown_data_set():
    done = run_tool('emojis')
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith('error: unknown dataset "emojis": choose one of emoji, emoji_scenes, ')


def test_missing_package_leaves_the_folder_untouched(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, 'find_spec', lambda name: name)
    with pytest.raises(DataError, match=r'emoji-datasource-google-16\.0\.0\.tgz is missing'):
        preparation.prepare(tmp_path / 'out', tmp_path, SHIPPED)
    assert not (tmp_path / 'out').exists()


def test_missing_encoder_is_an_error_before_any_download(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, 'find_spec', {'oxipng': 'found'}.get)
    with pytest.raises(DataError, match=r'resvg_py is not installed: run "pip install -r requirements/data\.txt"'):
        preparation.prepare(tmp_path / 'out', tmp_path, SHIPPED)


def test_incomplete_checkout_is_an_error(tmp_path):
    with pytest.raises(DataError, match='SHA256SUMS is missing: run this tool in a complete checkout'):
        preparation.prepare(tmp_path / 'out', tmp_path, tmp_path)


@pytest.mark.skipif(
    'MAKD_TEST_REBUILD' not in os.environ, reason='set MAKD_TEST_REBUILD=1: downloads 200 MB of packages'
)
def test_rebuild_is_bit_for_bit_the_same(tmp_path):
    done = run_tool('emoji', '--out', str(tmp_path / 'emoji'))
    assert done.returncode == 0, done.stderr
    assert 'identical to the bundled ones' in done.stdout
    assert checksums(tmp_path / 'emoji') == checksums(SHIPPED)
    assert (tmp_path / 'emoji' / SUMS).read_bytes() == (SHIPPED / SUMS).read_bytes()
