import json
from pathlib import Path

import numpy as np
import pytest

from projects.tiny_mllm import pictures
from projects.tiny_mllm.pictures import FOLDERS, held_out_emoji, phrases, read_clipart, soften, words_of

DATA = Path('data/emoji')
DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="dc" xmlns:rdf="rdf" width="9mm" height="9mm"><metadata>
<dc:title>{title}</dc:title><dc:subject><rdf:Bag>{keywords}</rdf:Bag></dc:subject></metadata>
<circle cx="10" cy="10" r="5" fill="{colour}"/></svg>"""


def drawing(title, *keywords, colour='red'):
    items = ''.join(f'<rdf:li>{keyword}</rdf:li>' for keyword in keywords)
    return DRAWING.format(title=title, keywords=items, colour=colour).encode()


def test_held_out_are_the_test_emoji_of_the_data_set():
    pytest.importorskip('mmpretrain')  # not beside transformers 5
    from makd.datasets.emoji import EmojiDataset

    held_out = held_out_emoji(DATA)
    assert len(held_out) == 164
    for split in ('train', 'val'):
        rows = EmojiDataset(data_root=str(DATA), styles=['noto'], split=split).load_data_list()
        assert held_out.isdisjoint(Path(row['img_path']).stem for row in rows)


def test_softened_answers_lie_between_the_ends():
    np.testing.assert_allclose(soften(np.array([0.0, 1.0, 0.5]), (0.1, 0.9)), [0.1, 0.9, 0.5])


def test_words_of_an_emoji_are_keywords_name_and_subcategory():
    words = words_of('sun with face', 'sky & weather', {'default': ['bright', 'Sunny day']})
    assert words == {'bright', 'sunny day', 'sun with face', 'sun', 'face', 'sky', 'weather'}


def test_phrases_are_words_pairs_and_singulars_of_title_keywords_and_folders():
    found = phrases(drawing('Hot Dogs', 'fast food'), ['food'])
    assert {'hot', 'dogs', 'dog', 'hot dogs', 'hot dog', 'fast food', 'fast', 'food'} == found


def test_clipart_takes_the_answers_of_its_name_then_those_of_its_folder_then_none(monkeypatch):
    pytest.importorskip('resvg_py')
    members = {
        'animals/birds/a.svg': drawing('Eagle', 'Jane Doe'),
        'animals/a.svg': drawing('Eagle', 'Jane Doe'),  # the same again
        'animals/birds/b.svg': drawing('Big one', 'bird', colour='blue'),
        'tools/c.svg': drawing('Eagle', 'bird', colour='none'),  # nothing to see
        'office/d.svg': drawing('Thing', 'bird', colour='green'),
        'computer/icons/e.svg': drawing('Eagle', 'bird', colour='lime'),  # no picture of a thing
        'office/d.png': b'',
    }
    members = {f'./usr/share/openclipart/svg/{name}': content for name, content in members.items()}
    monkeypatch.setattr(
        pictures, 'read_members', lambda archive, wanted: {name: members[name] for name in members if wanted(name)}
    )
    emoji = [dict(id='1', name='eagle', subcategory='animal-bird'), dict(id='2', name='owl', subcategory='animal-bird')]
    answers = {'1': np.array([1.0, 0.0]), '2': np.array([1.0, 1.0])}
    lessons = read_clipart(Path('x.deb'), emoji, answers, frozenset({'eagle', 'bird', 'animal'}))
    found = {lesson.key: (lesson.words, lesson.answers) for lesson in lessons}
    assert list(found) == ['animals/a.svg', 'animals/birds/b.svg', 'office/d.svg']
    assert found['animals/a.svg'][0] == {'eagle', 'bird', 'animal'}
    np.testing.assert_allclose(found['animals/a.svg'][1], [0.85, 0.08])
    np.testing.assert_allclose(found['animals/birds/b.svg'][1], [0.85, 0.465])
    assert found['office/d.svg'] == ({'bird'}, None)
    shown = np.asarray(lessons[0].image)
    assert shown.shape == (64, 64, 4)
    assert (shown[32, 32] == [255, 0, 0, 255]).all()


def test_each_subcategory_that_folders_stand_for_exists():
    subcategories = {row['subcategory'] for row in json.loads((DATA / 'emoji.json').read_text('utf-8'))}
    assert {subcategory for subcategory in FOLDERS.values() if subcategory} <= subcategories
