"""The outputs of a trained classifier for every image of a split."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner
from mmpretrain.models.heads import ClsHead
from scipy.special import expit, softmax
from tqdm import tqdm

from makd.datasets.targets_join import identity_of
from makd.errors import ConfigError
from makd.identity import check_same
from makd.models.heads import MaKDHeadMixin
from makd.models.load_student import load_student


@dataclass(frozen=True)
class StudentOutputs:
    """Outputs for N images, in the order of their dataset.

    Attributes:
        class_logits: (N, C) float32.
        aspect_logits: (N, Q) float32; (N, 0) for a plain classifier.
    """

    class_logits: np.ndarray
    aspect_logits: np.ndarray

    @property
    def class_probability(self) -> np.ndarray:
        """Softmax of the class logits, (N, C) in [0, 1]."""
        return softmax(self.class_logits, axis=1)

    @property
    def predicted(self) -> np.ndarray:
        """The class with the largest logit, (N,) int64."""
        return self.class_logits.argmax(axis=1)

    @property
    def aspect_probability(self) -> np.ndarray:
        """P(yes) of each question, (N, Q) in [0, 1]."""
        return expit(self.aspect_logits)


def run_student(cfg: Config, config: str, checkpoint: str, loader: dict[str, Any]) -> StudentOutputs:
    """Build a classifier, load its weights, and run it over a data loader, with a progress bar.

    Args:
        cfg: Its config; mmengine's default scope must be set.
        config: Name of the config, for messages.
        checkpoint: Path or URL of the weights.
        loader: Config of a data loader whose sampler keeps the order. If its dataset loads answers, the student must
            answer the same questions.

    Raises:
        ConfigError: The checkpoint does not fit the config or the dataset, or the model is not an mmpretrain
            classifier.
    """
    student, identity = load_student(cfg, config, checkpoint)
    head = getattr(student, 'head', None)
    if not isinstance(head, ClsHead):
        raise ConfigError(
            f'{config}: model.head is a {type(head).__name__}; a classification head of mmpretrain is needed here.'
        )
    num_aspects = head.num_aspects if isinstance(head, MaKDHeadMixin) else 0
    batches = Runner.build_dataloader(loader)
    found = identity_of(batches.dataset)
    check_same(f'the checkpoint {checkpoint}', identity, 'the dataset', found)
    if found.questions is not None and num_aspects != (num_questions := len(found.questions)):
        raise ConfigError(
            f'{config}: model.head.type={cfg.model.head.type!r} answers {num_aspects} questions, the annotator '
            f'{num_questions}. A MaKD head with num_aspects={num_questions} is needed here, as in configs/makd/.'
        )
    student = student.to(get_device())
    logits = []
    with torch.no_grad():
        for batch in tqdm(batches, desc='/'.join(Path(checkpoint).parts[-2:]), unit='batch', mininterval=1):
            inputs = student.data_preprocessor(batch, training=False)['inputs']
            logits.append(student(inputs, mode='tensor').float().cpu())
    outputs = torch.cat(logits).numpy()
    num_classes = outputs.shape[1] - num_aspects
    return StudentOutputs(outputs[:, :num_classes], outputs[:, num_classes:])
