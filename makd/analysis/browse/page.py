"""One self-contained HTML file of answers and thumbnails, made of page.html, page.css and page.js."""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from makd.analysis.review import SUSPICIOUS, Review
from makd.datasets.targets_join import AnsweredImages
from makd.targets import AspectTargets

FOLDER = Path(__file__).parent
STEPS = 254  # numbers in [0, 1] are stored in steps of 1/254
MISSING = 255


def build_page(
    targets: AspectTargets,
    images: AnsweredImages,
    rows: np.ndarray,
    review: Review,
    thumbnails: Sequence[bytes | None],
) -> str:
    """Return the page. The same input gives the same page.

    It runs only its own script, which its content security policy names by a hash, and loads nothing. Text from
    outside, such as names and questions, is embedded as JSON and shown as text.

    Args:
        targets: The answers about N images.
        images: The images of ``targets``.
        rows: The n images to show, ascending.
        review: The review of ``targets`` and ``rows``.
        thumbnails: A WebP file of each image to show; None for a placeholder.
    """
    keys = [targets.keys[row] for row in rows]
    encoded = ['' if thumbnail is None else b64encode(thumbnail).decode() for thumbnail in thumbnails]
    data = {
        'name': targets.path.name,
        'about': targets.about,
        'model': _model(targets.meta),
        'meta': targets.meta,
        'questionHash': targets.questions.hash,
        'numImages': int((images.labels >= 0).sum()),
        'hasLabelMass': targets.has_label_mass,
        'numMissing': review.num_missing,
        'numSuspicious': int(review.num_suspicious.sum()),
        'questions': [
            {
                'id': question.id,
                'text': question.text,
                'kind': question.kind,
                'yes': _number(review.mean_yes[column]),
                'mass': _number(review.mass[column]),
                'discrimination': _number(review.discrimination[column]),
                'suspicious': int(review.num_suspicious[column]),
            }
            for column, question in enumerate(targets.questions)
        ],
        'classes': images.classes,
        'byFolder': images.by_folder,
        'keys': keys,
        'labels': images.labels[rows].tolist(),
        'failures': {key: targets.failures[key] for key in keys if key in targets.failures},
        'suspicious': SUSPICIOUS,
        'steps': STEPS,
        'missing': MISSING,
        'answers': {
            'yes': _base64(review.yes),
            'mass': _base64(review.mass_of),
            'expected': _base64(review.expected),
            'suspicion': _base64(review.suspicion),
        },
        'pictureEnds': list(accumulate(map(len, encoded))),
    }
    style, script = (f'\n{(FOLDER / name).read_text("utf-8")}' for name in ('page.css', 'page.js'))
    return Template((FOLDER / 'page.html').read_text('utf-8')).substitute(
        style=style,
        script=script,
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        # Without '<', no data can end the element or begin another.
        data=json.dumps(data, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c'),
        pictures=''.join(encoded),
    )


def _model(meta: dict[str, Any]) -> str:
    """Return the model that answered, or else the source of the answers; '' if the metadata name neither."""
    annotator = meta.get('teacher')
    model = annotator.get('model') if isinstance(annotator, dict) else meta.get('source')
    return model if isinstance(model, str) else ''


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _base64(values: np.ndarray) -> str:
    """Return numbers in [0, 1] or NaN in 8 bits each."""
    codes = np.where(np.isnan(values), MISSING, np.rint(np.nan_to_num(values).clip(0, 1) * STEPS))
    return b64encode(codes.astype(np.uint8).tobytes()).decode()


def _csp_hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
