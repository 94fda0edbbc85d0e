import io

import numpy as np
import pytest
from PIL import Image

from makd.analysis.browse import build_page
from makd.analysis.review import review
from makd.datasets.targets_join import AnsweredImages
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets


@pytest.fixture(scope='session')
def picture():
    """A small WebP file."""
    file = io.BytesIO()
    Image.new('RGB', (8, 8), 'red').save(file, 'WEBP')
    return file.getvalue()


@pytest.fixture(scope='session')
def make_page(picture):
    """Return a function that makes a page from P(yes) and label mass, (N, Q), and the class of each image."""

    def make(
        folder,
        yes,
        mass,
        labels,
        classes,
        keys=None,
        questions=None,
        rows=None,
        meta=None,
        failures=None,
        pictures=None,
        has_label_mass=True,
    ):
        keys = keys or [f'{classes[label]}/{number}.png' for number, label in enumerate(labels)]
        questions = questions or [Question(f'q{number}', f'Is it {number}?') for number in range(yes.shape[1])]
        targets = AspectTargets.write(
            folder,
            questions=QuestionSet(questions),
            keys=keys,
            logprobs=np.log(np.stack([yes, 1 - yes], axis=-1) * mass[..., None]),
            meta=meta,
            failures=failures,
            has_label_mass=has_label_mass,
        )
        labels = np.asarray(labels)
        rows = np.arange(len(keys)) if rows is None else rows
        images = AnsweredImages(tuple(keys), labels, tuple(classes), by_folder=False)
        pictures = pictures or [picture] * len(rows)
        return build_page(targets, images, rows, review(targets, labels, rows), pictures)

    return make
