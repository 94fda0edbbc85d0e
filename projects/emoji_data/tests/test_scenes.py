import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makd.errors import DataError
from makd.targets import AspectTargets
from projects.emoji_data import scenes as emoji_scenes
from projects.emoji_data.scenes import (
    CLASSES,
    MAX_HIDDEN,
    Scene,
    Sprite,
    Thing,
    answer,
    coco,
    compose,
    prepare,
    questions,
    read_sprites,
)

ROOT = Path(__file__).resolve().parents[3]
EMOJI = ROOT / 'data' / 'emoji'


@pytest.fixture(scope='module')
def sprites():
    return read_sprites(EMOJI, ['noto', 'twemoji'])


def square(kind, answers=(), colour=(255, 0, 0, 255)):
    return Sprite(Image.new('RGBA', (64, 64), colour), kind, 'x', 'noto', 'noto/x.png', frozenset(answers))


def thing(kind, box=(0, 0, 10, 10), hidden=0.0, answers=()):
    return Thing(square(kind, answers), box, 100, hidden)


def said(*things, dark=False, size=(100, 80)):
    scene = Scene(Image.new('RGB', size), things, dark)
    return {id_ for id_, yes in zip(questions().ids, answer(scene)) if yes}


def test_sprites_are_of_one_kind_each(sprites):
    names = {row['id']: row['name'] for row in json.loads((EMOJI / 'emoji.json').read_text('utf-8'))}
    found = {name: {names[sprite.emoji] for sprite in of_kind} for name, of_kind in zip(CLASSES, sprites)}
    assert 'camel' in found['animal']
    assert 'bus' in found['vehicle']
    assert 'stop sign' not in found['vehicle']
    assert 'airplane' not in found['vehicle']
    assert 'rosette' not in found['flower']
    assert 'hourglass done' not in found['clock']
    assert found['cloud'] >= {'cloud', 'sun behind small cloud', 'cloud with rain'}
    assert found['moon'] >= {'full moon', 'crescent moon'}
    assert 'church' in found['building']
    assert 'tent' not in found['building']
    assert min(map(len, found.values())) >= 9
    everything = [name for of_kind in found.values() for name in of_kind]
    assert len(everything) == len(set(everything))
    assert all({sprite.style for sprite in of_kind} == {'noto', 'twemoji'} for of_kind in sprites)
    (camel,) = (s for s in sprites[0] if names[s.emoji] == 'camel' and s.style == 'noto')
    assert 'four_legs' in camel.answers
    assert 'wings' not in camel.answers


def test_answers_follow_from_the_description():
    assert said(thing(2, answers=['sweet'])) == {'has_fruit', 'has_sweet', 'only_one'}
    several = said(thing(0), thing(0), thing(4, hidden=0.2), thing(5), dark=True)
    assert several == {'has_animal', 'has_vehicle', 'has_building', 'more_than_three', 'same_kind', 'hiding', 'dark'}
    assert 'hiding' not in said(thing(0), thing(1, hidden=0.05))
    assert 'large' in said(thing(0, box=(0, 0, 50, 10)))
    assert 'large' in said(thing(0, box=(0, 0, 10, 40)))
    assert 'large' not in said(thing(0, box=(0, 0, 49, 39)))


def test_boxes_are_what_can_be_seen(monkeypatch):
    """Two squares of 64 pixels, the second on the right half of the first."""
    places = iter([(10, 20), (42, 20)])

    def place(image, width, height, rng):
        left, top = next(places)
        canvas = Image.new('RGBA', (width, height))
        canvas.paste(image, (left, top))
        pixels = np.asarray(canvas, np.float32)
        return pixels, pixels[..., 3] > 127

    class TwoThings:
        """Returns the values that the test needs, and random ones otherwise."""

        def __init__(self):
            self.rng = np.random.default_rng(0)

        def choice(self, values, size):
            return [160, 192]

        def integers(self, low, high=None, *args, **kwargs):
            if (low, high) == (1, emoji_scenes.MAX_THINGS + 1):
                return 2
            return self.rng.integers(low, high, *args, **kwargs)

        def __getattr__(self, name):
            return getattr(self.rng, name)

    monkeypatch.setattr(emoji_scenes, '_place', place)
    scene = compose([[square(0)]], TwoThings())
    assert scene.image.size == (160, 192)
    first, second = scene.things
    assert first.box == (10, 20, 32, 64)
    assert (first.area, first.hidden) == (32 * 64, 0.5)
    assert second.box == (42, 20, 64, 64)
    assert (second.area, second.hidden) == (64 * 64, 0)
    assert (np.asarray(scene.image)[20:84, 10:106] == [255, 0, 0]).all()


def test_scenes_are_the_same_again_and_keep_their_promises(sprites):
    for number in range(30):
        scene, again = (compose(sprites, np.random.default_rng(number)) for _ in range(2))
        assert scene.image.tobytes() == again.image.tobytes()
        assert [thing.box for thing in scene.things] == [thing.box for thing in again.things]
        assert 1 <= len(scene.things) <= emoji_scenes.MAX_THINGS
        for placed in scene.things:
            left, top, width, height = placed.box
            assert width >= 5
            assert height >= 5
            assert left >= 0
            assert top >= 0
            assert left + width <= scene.image.width
            assert top + height <= scene.image.height
            assert 0 <= placed.hidden <= MAX_HIDDEN
            assert 0 < placed.area <= width * height


def test_annotations_are_in_cocos_format(tmp_path):
    from pycocotools.coco import COCO

    scene = Scene(Image.new('RGB', (160, 192)), (thing(2, (1, 2, 3, 4)), thing(9, (5, 6, 7, 8), 0.25)), False)
    (tmp_path / 'a.json').write_text(json.dumps(coco([('a.jpg', scene), ('b.jpg', scene)])))
    read = COCO(tmp_path / 'a.json')
    assert [row['name'] for row in read.loadCats(read.getCatIds())] == list(CLASSES)
    assert read.getImgIds() == [0, 1]
    rows = read.loadAnns(read.getAnnIds([1]))
    assert [(row['id'], row['category_id'], row['bbox']) for row in rows] == [
        (3, 3, [1, 2, 3, 4]),
        (4, 10, [5, 6, 7, 8]),
    ]
    assert rows[1]['hidden'] == 0.25


def test_no_artist_draws_for_two_splits():
    artists = [artist for _, styles in emoji_scenes.SPLITS.values() for artist in styles]
    assert len(artists) == len(set(artists)) == 5


def test_prepare_writes_pictures_annotations_and_answers(tmp_path, monkeypatch):
    small = {split: (5, styles[:1]) for split, (_, styles) in emoji_scenes.SPLITS.items()}
    monkeypatch.setattr(emoji_scenes, 'SPLITS', small)
    out = tmp_path / 'scenes'
    for _ in range(2):  # the second replaces the first
        prepare(out, None, ROOT / 'data' / 'emoji_scenes', log=lambda _: None)
    for split in small:
        annotations = json.loads((out / 'annotations' / f'{split}.json').read_text('utf-8'))
        for image in annotations['images']:
            with Image.open(out / split / image['file_name']) as picture:
                assert picture.size == (image['width'], image['height'])
    targets = AspectTargets.open(out / 'aspects' / 'description')
    targets.validate()
    assert list(targets.keys) == [f'{split}/{n:06d}.jpg' for split in ('test', 'train', 'val') for n in range(5)]
    kinds = {row['category_id'] - 1 for row in annotations['annotations'] if row['image_id'] == 3}
    assert set(np.flatnonzero(targets.probability('val/000003.jpg')[: len(CLASSES)])) == kinds

    things = AspectTargets.open(out / 'aspects' / 'things')
    things.validate()
    of_emoji = AspectTargets.open(EMOJI / 'aspects' / 'cldr')
    asked = {key.rpartition('/')[2]: of_emoji.probability(key) for key in of_emoji.keys}
    rows = annotations['annotations']
    assert len([key for key in things.keys if key.startswith('val/')]) == len(rows)
    for row in rows:
        x, y, width, height = row['bbox']
        key = f'val/{row["image_id"]:06d}.jpg#{x},{y},{x + width},{y + height}'
        assert (things.probability(key) == asked[f'{row["emoji"]}.png']).all()

    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'mine.txt').write_text('')
    with pytest.raises(DataError, match='is not a folder of emoji_scenes'):
        prepare(tmp_path / 'other', None, ROOT / 'data' / 'emoji_scenes')
    with pytest.raises(DataError, match='--packages'):
        prepare(out, tmp_path, ROOT / 'data' / 'emoji_scenes')
    with pytest.raises(DataError, match=r'emoji\.json is missing'):
        prepare(tmp_path / 'new', None, tmp_path / 'emoji_scenes')
    assert not (tmp_path / 'new').exists()
