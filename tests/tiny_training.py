"""Class folders, answers and configs on which a tool trains and tests in seconds, and how a tool refuses."""

from pathlib import Path

import numpy as np
from PIL import Image

from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

ANIMALS = ('ant', 'bee', 'cod', 'dog')
QUESTIONS = QuestionSet(
    [Question('wings', 'Has it wings?'), Question('fur', 'Has it fur?'), Question('legs', 'Has it legs?')]
)


def write_images(root, classes=ANIMALS, images=4, side=16):
    """Write ``ROOT/CLASS/NUMBER.png``, where each of the animals has a colour of its own, and return the root."""
    for name in classes:
        folder = Path(root, name)
        folder.mkdir(parents=True)
        colour = np.random.default_rng(sum(name.encode())).integers(0, 256, 3)
        for number in range(images):
            noise = np.random.default_rng(number).integers(-20, 20, (side, side, 3))
            Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8)).save(folder / f'{number}.png')
    return str(root)


def write_answers(path, root, questions=QUESTIONS):
    """Write random answers about all images below a root, and return the path."""
    keys = sorted(file.relative_to(root).as_posix() for file in Path(root).rglob('*.png'))
    probability = np.random.default_rng(0).uniform(0.01, 0.99, (len(keys), len(questions)))
    logprobs = np.log(np.stack([probability, 1 - probability], axis=-1)).astype(np.float32)
    AspectTargets.write(path, questions=questions, keys=keys, logprobs=logprobs)
    return str(path)


def write_config(path, train, test=None, answers=None, test_answers=None, model=None, **fields):
    """Write the config of a classifier that trains on the class folders ``train`` and returns its path.

    Args:
        path: The config file.
        train: Root of the training images.
        test: Root of the images of validation and test; None for those of the training.
        answers: Targets about the training images, for a MaKD student; None for a baseline.
        test_answers: Targets about the test images; None for ``answers`` if ``test`` is None, else none are loaded.
        model: Fields of ``model`` to change.
        **fields: Further top-level fields.
    """
    test_answers = test_answers or (answers if test is None else None)
    head = dict(type='LinearClsHead', num_classes=len(ANIMALS), in_channels=32)
    if answers:
        head.update(type='makd.MaKDLinearClsHead', num_aspects=len(QUESTIONS))
    cfg = dict(
        default_scope='mmpretrain',
        custom_imports=dict(imports=['makd'], allow_failed_imports=False),
        model={
            'type': 'ImageClassifier',
            'backbone': dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
            'neck': dict(type='GlobalAveragePooling'),
            'head': head,
            'data_preprocessor': dict(type='ClsDataPreprocessor', mean=[128] * 3, std=[64] * 3, to_rgb=True),
            **(model or {}),
        },
        train_dataloader=_loader(train, answers, 'train'),
        val_dataloader=_loader(test or train, test_answers, 'test'),
        test_dataloader=_loader(test or train, test_answers, 'test'),
        val_evaluator=dict(type='Accuracy', topk=(1,)),
        test_evaluator=dict(type='Accuracy', topk=(1,)),
        train_cfg=dict(by_epoch=True, max_epochs=1, val_interval=1),
        val_cfg=dict(),
        test_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        randomness=dict(seed=0),
        **fields,
    )
    Path(path).write_text(''.join(f'{key} = {value!r}\n' for key, value in cfg.items()))
    return str(path)


def refused(result, *named):
    """Assert that a tool ended with one message, which names something, and without a traceback."""
    assert result.returncode in (1, 2), result.stdout[-500:] + result.stderr[-500:]
    assert 'Traceback' not in result.stderr
    message = result.stderr[result.stderr.index('error: ') :]
    for text in named:
        assert text in message


def _loader(root, answers, split):
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    if answers:
        pipeline.append(dict(type='makd.LoadAspectTargets', targets=answers, data_root=root))
    return dict(
        batch_size=8,
        num_workers=0,
        persistent_workers=False,
        sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
        dataset=dict(type='CustomDataset', data_root=root, pipeline=pipeline),
    )
