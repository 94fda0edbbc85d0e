"""Build ``data/emoji_scenes``: images with several emoji each, for detection, composed from ``data/emoji``.

The repository includes only this recipe, not the images. Things of ten kinds are placed on varied backgrounds: scaled,
rotated, mirrored and partly occluded by each other. Training scenes use the styles Noto, blob and Fluent, validation
scenes OpenMoji, and test scenes Twemoji, so a detector is validated on one artist that it has never seen, and tested on
another. Everything follows from a seed; with the same versions of Pillow and NumPy, the files are identical byte for
byte.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from makd.datasets.emoji import slug
from makd.datasets.load_emoji_on_ground import background, turn
from makd.errors import DataError
from makd.files import atomic_folder
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets
from makd.targets.region_key import region_key

SEED = 0
SPLITS = {  # name: number of scenes, styles
    'train': (1600, ('noto', 'blob', 'fluent')),
    'test': (300, ('twemoji',)),
    'val': (300, ('openmoji',)),
}
SIDES = (160, 192)  # pixels, for height and width
MAX_THINGS = 6
MAX_HIDDEN = 0.5  # share of a thing that others may hide
HIDES = 0.1  # share from which on a thing counts as hidden

# Kinds of things that artists draw alike: the emoji whose "subcategory/name" matches the pattern ...
KINDS = {
    'animal': r'animal-mammal/(?!pig nose|paw prints).*',
    'flower': r'plant-flower/(?!rosette).*',
    'fruit': r'food-fruit/.*',
    'drink': r'drink/(?!ice|pouring liquid).*',
    'vehicle': r'transport-ground/.*',
    'building': r'place-.*/.*',
    'clock': r'time/(?!hourglass).*',
    'moon': r'sky & weather/.*moon.*',
    'cloud': r'sky & weather/.*cloud.*',
    'instrument': r'musical-instrument/.*',
}
ANSWERED_YES = ('vehicle', 'building')  # ... and, for these, whose answer to CLDR's question of that name is yes
CLASSES = tuple(KINDS)
NAMED = (  # as worded in a question
    'an animal',
    'a flower',
    'a fruit',
    'something to drink',
    'a vehicle',
    'a building',
    'a clock',
    'a moon',
    'a cloud',
    'a musical instrument',
)

# Properties in CLDR that the ten kinds do not cover, asked about the scene as "Is there something ...".
ABOUT_THINGS = {
    'natural': 'that is found in nature',
    'bigger_than_person': 'bigger than a grown person',
    'one_hand': 'small enough to be held in one hand',
    'round': 'round, like a ball or a disc',
    'kitchen': 'that one would expect in a kitchen or on a table at a meal',
    'metal': 'made mostly of metal',
    'wood': 'made mostly of wood',
    'brown': 'that is usually brown',
    'white': 'that is usually white',
    'yellow_orange': 'that is usually yellow or orange',
    'red': 'that is usually red',
    'pink_purple': 'that is usually pink or purple',
    'green': 'that is usually green',
    'black_grey': 'that is usually black or grey',
    'long': 'much longer than it is wide',
    'electric': 'that runs on electricity',
    'street': 'that is seen on or beside a street',
    'sweet': 'that tastes sweet',
    'four_legs': 'with four legs that can be seen',
    'liquid': 'liquid',
    'night': 'that belongs to the night',
    'face': 'that is mainly a face',
    'sky': 'that is seen in the sky',
    'tail': 'with a long tail',
    'fur': 'covered with fur, hair or wool',
}
ABOUT_THE_SCENE = {
    'more_than_three': 'Are there more than three things?',
    'only_one': 'Is there only one thing?',
    'same_kind': 'Are there two things of the same kind?',
    'hiding': 'Is something hiding another thing?',
    'large': 'Is there a thing as high or as wide as half the picture?',
    'dark': 'Is the background dark?',
}


@dataclass(frozen=True)
class Sprite:
    """An image of a single thing.

    Attributes:
        image: 64 x 64 RGBA.
        kind: Index into ``CLASSES``.
        emoji: Id of the emoji.
        style: The artist.
        key: The emoji in ``data/emoji/aspects/cldr``.
        answers: Ids of the questions in ``ABOUT_THINGS`` whose answer is yes.
    """

    image: Image.Image
    kind: int
    emoji: str
    style: str
    key: str
    answers: frozenset[str]


@dataclass(frozen=True)
class Thing:
    """A sprite in a scene.

    Attributes:
        sprite: The thing itself.
        box: Left, top, width and height of its visible part, in pixels.
        area: The number of its visible pixels.
        hidden: The share of it that other things hide, in [0, MAX_HIDDEN].
    """

    sprite: Sprite
    box: tuple[int, int, int, int]
    area: int
    hidden: float

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the visible part."""
        left, top, width, height = self.box
        return left, top, left + width, top + height


@dataclass(frozen=True)
class Scene:
    """An image and its contents.

    Attributes:
        image: RGB.
        things: From back to front; at most MAX_HIDDEN of each is hidden.
        dark: Whether the mean of the background is below a third of the maximum brightness.
    """

    image: Image.Image
    things: tuple[Thing, ...]
    dark: bool


def questions() -> QuestionSet:
    """Return the questions about a scene: the kinds of things, their properties, their number and arrangement."""
    kinds = [Question(f'has_{id_}', f'Is there {name}?', 'categorical') for id_, name in zip(CLASSES, NAMED)]
    things = [Question(f'has_{id_}', f'Is there something {text}?', 'abstract') for id_, text in ABOUT_THINGS.items()]
    scene = [Question(id_, text, 'visual') for id_, text in ABOUT_THE_SCENE.items()]
    return QuestionSet([*kinds, *things, *scene])


def answer(scene: Scene) -> list[bool]:
    """Answer all questions from the scene's own description."""
    kinds = [thing.sprite.kind for thing in scene.things]
    true_ids = frozenset().union(*(thing.sprite.answers for thing in scene.things))
    about_the_scene = {
        'more_than_three': len(kinds) > 3,
        'only_one': len(kinds) == 1,
        'same_kind': len(set(kinds)) < len(kinds),
        'hiding': any(thing.hidden >= HIDES for thing in scene.things),
        'large': any(
            2 * thing.box[2] >= scene.image.width or 2 * thing.box[3] >= scene.image.height for thing in scene.things
        ),
        'dark': scene.dark,
    }
    return [
        *(kind in kinds for kind in range(len(CLASSES))),
        *(id_ in true_ids for id_ in ABOUT_THINGS),
        *(about_the_scene[id_] for id_ in ABOUT_THE_SCENE),
    ]


def read_sprites(data: Path, styles: Sequence[str]) -> list[list[Sprite]]:
    """Read the emoji of the ten kinds in the given styles; return one list per kind.

    Raises:
        DataError: ``data`` is not the folder ``data/emoji``.
    """
    try:
        rows = json.loads((data / 'emoji.json').read_text('utf-8'))
    except FileNotFoundError:
        raise DataError(f'{data / "emoji.json"} is missing: scenes are composed from data/emoji; restore it') from None
    targets = AspectTargets.open(data / 'aspects' / 'cldr')
    ids = targets.questions.ids
    sprites: list[list[Sprite]] = [[] for _ in CLASSES]
    for row in rows:
        key = f'{slug(row["subcategory"])}/{row["id"]}.png'
        yes = {id_ for id_, p in zip(ids, targets.probability(f'{row["styles"][0]}/{key}')) if p > 0.5}
        name = f'{row["subcategory"]}/{row["name"]}'
        kinds = [kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, name)]
        if not kinds or (kinds[0] in ANSWERED_YES and kinds[0] not in yes):
            continue
        kind, answers = CLASSES.index(kinds[0]), frozenset(yes & ABOUT_THINGS.keys())
        for style in styles:
            if style in row['styles']:
                image = Image.open(data / 'images' / style / key).convert('RGBA')
                sprites[kind].append(Sprite(image, kind, row['id'], style, f'{style}/{key}', answers))
    return sprites


def compose(sprites: Sequence[Sequence[Sprite]], rng: np.random.Generator) -> Scene:
    """Compose a random scene.

    Args:
        sprites: One list per kind.
        rng: Source of randomness.
    """
    width, height = (int(side) for side in rng.choice(SIDES, 2))
    ground = background(width, height, rng)
    dark = bool(np.asarray(ground).mean() < 85)
    layers: list[tuple[Sprite, np.ndarray, np.ndarray]] = []
    for _ in range(int(rng.integers(1, MAX_THINGS + 1))):
        of_kind = sprites[int(rng.integers(len(sprites)))]
        sprite = of_kind[int(rng.integers(len(of_kind)))]
        for _ in range(10):  # if it hides too much, try another place; after ten attempts, leave it out
            pixels, mask = _place(sprite.image, width, height, rng)
            if all(_hidden(index, layers, mask) <= MAX_HIDDEN for index in range(len(layers))):
                layers.append((sprite, pixels, mask))
                break
    canvas = np.asarray(ground, np.float32)
    for _, pixels, _ in layers:
        alpha = pixels[..., 3:] / 255
        canvas = alpha * pixels[..., :3] + (1 - alpha) * canvas
    things = []
    for index, (sprite, _, mask) in enumerate(layers):
        visible = mask & ~_above(index, layers, mask.shape)
        rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
        left, top = int(columns[0]), int(rows[0])
        box = (left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)
        things.append(Thing(sprite, box, int(visible.sum()), 1 - float(visible.sum() / mask.sum())))
    return Scene(Image.fromarray(np.rint(canvas).astype(np.uint8)), tuple(things), dark)


def prepare(out: Path, packages: Path | None, shipped: Path, log: Callable[[str], None] = print) -> None:
    """Build the folder ``out``: ``train/``, ``val/``, ``test/``, ``annotations/`` in COCO's format, ``aspects/``.

    Args:
        out: The folder to build; an existing one is replaced if this tool made it.
        packages: None, because no package is needed.
        shipped: ``data/emoji_scenes`` in the repository, next to ``data/emoji``.
        log: Called with a line of text at each step.

    Raises:
        DataError: ``data/emoji`` is missing, or ``out`` exists and is not such a folder.
    """
    if packages is not None:
        raise DataError('--packages: emoji_scenes is composed from data/emoji and needs no packages; omit this option')
    if out.exists() and any(out.iterdir()) and not (out / 'annotations' / 'train.json').is_file():
        raise DataError(f'{out} exists and is not a folder of emoji_scenes: choose another --out')
    emoji = shipped.parent / 'emoji'
    sprites_of = {split: read_sprites(emoji, styles) for split, (_, styles) in SPLITS.items()}
    with atomic_folder(out) as folder:
        about_things = AspectTargets.open(emoji / 'aspects' / 'cldr')
        of_scenes: dict[str, list[bool]] = {}
        of_things: dict[str, np.ndarray] = {}
        for split, (count, styles) in SPLITS.items():
            (folder / split).mkdir(parents=True)
            scenes = []
            for number in range(count):
                scene = compose(sprites_of[split], np.random.default_rng([SEED, list(SPLITS).index(split), number]))
                name = f'{number:06d}.jpg'
                scene.image.save(folder / split / name, quality=95)
                scenes.append((name, scene))
                of_scenes[f'{split}/{name}'] = answer(scene)
                for thing in scene.things:
                    of_things[region_key(f'{split}/{name}', thing.corners)] = about_things.probability(thing.sprite.key)
            (folder / 'annotations').mkdir(exist_ok=True)
            (folder / 'annotations' / f'{split}.json').write_text(json.dumps(coco(scenes), indent=1) + '\n', 'utf-8')
            things = sum(len(scene.things) for _, scene in scenes)
            log(f'{split}: {count} scenes with {things} things, drawn as {", ".join(styles)}')
        question_set = questions()
        question_set.save(folder / 'aspects' / 'questions.json')
        _write(folder / 'aspects' / 'description', question_set, of_scenes, "the scenes' own descriptions")
        source = "people's annotations in the CLDR of the emoji in each box"
        _write(folder / 'aspects' / 'things', about_things.questions, of_things, source)
        yes = np.array([*of_scenes.values()])
    log(f'{out}: {len(question_set)} questions; {yes.mean():.0%} of the answers are yes')


def _write(path: Path, question_set: QuestionSet, answers: Mapping[str, Sequence[bool]], source: str) -> None:
    keys = sorted(answers)
    yes = np.array([answers[key] for key in keys], bool)
    with np.errstate(divide='ignore'):
        logprobs = np.log(np.stack([yes, ~yes], axis=-1).astype(np.float32))
    AspectTargets.write(
        path,
        questions=question_set,
        keys=keys,
        logprobs=logprobs,
        meta={'source': source, 'seed': SEED},
        has_label_mass=False,
    )


def coco(scenes: Sequence[tuple[str, Scene]]) -> dict[str, Any]:
    """Return annotations in COCO format, extended by the emoji, its style and the share that is hidden."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, scene) in enumerate(scenes):
        images.append(dict(id=number, file_name=name, width=scene.image.width, height=scene.image.height))
        annotations += [
            dict(
                id=len(annotations) + index + 1,
                image_id=number,
                category_id=thing.sprite.kind + 1,
                bbox=list(thing.box),
                area=thing.area,
                iscrowd=0,
                emoji=thing.sprite.emoji,
                style=thing.sprite.style,
                hidden=round(thing.hidden, 3),
            )
            for index, thing in enumerate(scene.things)
        ]
    categories = [dict(id=index + 1, name=name) for index, name in enumerate(CLASSES)]
    return dict(info=dict(seed=SEED), images=images, annotations=annotations, categories=categories)


def _place(image: Image.Image, width: int, height: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Place a sprite at random, wholly inside the scene: pixels (H, W, 4) float32 and its mask (H, W) bool."""
    image = turn(image, rng)
    canvas = Image.new('RGBA', (width, height))
    corner = (
        int(rng.integers(0, max(1, width - image.width + 1))),
        int(rng.integers(0, max(1, height - image.height + 1))),
    )
    canvas.paste(image, corner)
    pixels = np.asarray(canvas, np.float32)
    return pixels, pixels[..., 3] > 127


def _above(index: int, layers: Sequence[tuple[Sprite, np.ndarray, np.ndarray]], shape: tuple[int, ...]) -> np.ndarray:
    """Return the mask of everything in front of a layer, (H, W) bool."""
    covered = np.zeros(shape, bool)
    for _, _, mask in layers[index + 1 :]:
        covered |= mask
    return covered


def _hidden(index: int, layers: Sequence[tuple[Sprite, np.ndarray, np.ndarray]], new: np.ndarray) -> float:
    """Return the share of a layer that would be hidden if another mask were in front of everything."""
    mask = layers[index][2]
    return float((mask & (_above(index, layers, mask.shape) | new)).sum() / mask.sum())
