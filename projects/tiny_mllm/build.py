"""Build the tiny MLLM from its sources."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from makd.files import atomic_file
from makd.questions import QuestionSet
from projects.tiny_mllm.assemble import make_model, make_processor, save, train_tokenizer
from projects.tiny_mllm.fit import INSTRUCTION, Recipe, fit
from projects.tiny_mllm.hybrid_vision import HybridVisionModel
from projects.tiny_mllm.imagenet import load_folded, read_imagenet_weights
from projects.tiny_mllm.pictures import Lesson, held_out_emoji, read_lessons
from projects.tiny_mllm.questions import QuestionBank
from projects.tiny_mllm.reduced_rank import reduced_rank_embedding
from projects.tiny_mllm.views import features_of, plain_view, random_view

VIEWS = 4  # per image: the plain view and random ones
BATCH = 16
LESSONS = 'lessons.txt'


def build(out: Path, data: Path, archives: Mapping[str, Path], work_dir: Path, recipe: Recipe, seed: int) -> None:
    """Train the tiny MLLM and write its folder; handwritten texts in the folder are kept.

    Args:
        out: The folder to write.
        data: The folder ``data/emoji``.
        archives: The downloaded packages; see ``pictures.PACKAGES``.
        work_dir: The folder that caches the features of the images.
        recipe: The training schedule.
        seed: The seed of all random numbers.
    """
    lessons = read_lessons(data, archives, held_out_emoji(data))
    questions = QuestionSet.load(data / 'aspects' / 'questions.json').texts
    bank = QuestionBank(questions, lessons)
    print(f'{len(lessons)} images, {bank.answered.sum()} with answers; {len(bank.texts)} questions', flush=True)

    tokenizer = train_tokenizer([*bank.texts, *(question + INSTRUCTION for question in questions)])
    torch.manual_seed(seed)
    model = make_model(tokenizer)
    tower = model.model.vision_tower
    load_folded(tower.convolutions, read_imagenet_weights(archives['imagenet']))
    views = [view_features(tower.eval(), lessons, view, seed, work_dir) for view in range(VIEWS)]
    start_patch_embedding(tower, views[0], bank)
    fit(model, tokenizer, bank, views, recipe, seed)

    save(model, make_processor(tokenizer), out)
    (out / LESSONS).write_text(''.join(f'{lesson.key}\n' for lesson in lessons), 'utf-8')
    print(f'{out}: {(out / "model.safetensors").stat().st_size / 1e6:.1f} MB of weights')


def view_features(
    tower: HybridVisionModel, lessons: Sequence[Lesson], view: int, seed: int, work_dir: Path
) -> np.ndarray:
    """Return the patch features of one view of every lesson, (N, patches, features) float16, memory-mapped.

    View 0 is the plain one. The file in ``work_dir`` is named by a hash of its inputs and computed only once.
    """
    name = hashlib.sha256(f'{view} {seed if view else None}'.encode())
    for lesson in lessons:
        name.update(lesson.image.tobytes())
    path = work_dir / 'features' / f'view{view}-{name.hexdigest()[:16]}.npy'
    if not path.is_file():
        blocks = []
        for start in range(0, len(lessons), BATCH):
            images = [lesson.image for lesson in lessons[start : start + BATCH]]
            rngs = [np.random.default_rng([seed, view, start + i]) for i in range(len(images))]
            shown = [random_view(*pair) if view else plain_view(pair[0]) for pair in zip(images, rngs)]
            blocks.append(features_of(tower, shown))
            print(f'\rview {view + 1}/{VIEWS}: {start + len(images)}/{len(lessons)}', end='', flush=True)
        print()
        with atomic_file(path) as file:
            np.save(file, np.concatenate(blocks))
    return np.load(path, mmap_mode='r')


@torch.no_grad()
def start_patch_embedding(tower: HybridVisionModel, features: np.ndarray, bank: QuestionBank) -> None:
    """Initialise the patch embedding by regression, and the transformer layers close to the identity."""
    answers, said = bank.answers, np.where(bank.said, 1.0, 0.0)
    targets = np.concatenate(
        [answers / np.nanstd(answers, axis=0), 0.3 * said / (said.std(0) + 0.02)], axis=1, dtype=np.float64
    )
    pooled = np.stack([row.astype(np.float32).mean(0) for row in features])
    weight, bias = reduced_rank_embedding(pooled, targets, tower.config.hidden_size)
    tower.patch_embedding.weight.copy_(torch.from_numpy(weight))
    tower.patch_embedding.bias.copy_(torch.from_numpy(bias))
    for layer in tower.layers:
        layer.self_attn.out_proj.weight.mul_(0.1)
        layer.linear2.weight.mul_(0.1)
