"""Questions about images as pieces of work: each in a forward pass of its own, or all after the image's prefix."""

import random
from collections.abc import Sequence
from statistics import mean
from typing import Any

import torch
from measure import flops
from torch import Tensor

from makd.annotation.annotators.prefix_scorer import Inputs, PrefixScorer, concatenated
from makd.annotation.annotators.self_check import checked_suffixes, self_check

QUESTIONS = 50
TIMED = 5  # of them, where each takes a forward pass of its own
WORDS = range(100, 500)  # ids of ordinary tokens in every vocabulary, however small
_YES, _NO = 20, 21


def prompt_ids(image_tokens: Sequence[int]) -> Tensor:
    """Return the ids of a prefix, (1, length): the tokens of the image between 8 and 8 random words."""
    text = random.Random(1).choices(WORDS, k=16)
    return torch.tensor([[*text[:8], *image_tokens, *text[8:]]])


def read(logits: Tensor, suffix: Tensor, position: Tensor) -> Tensor:
    """Return log p(yes) and log p(no), as the annotator does."""
    return logits[:, [_YES, _NO]] - logits.logsumexp(dim=-1, keepdim=True)


class PrefixWorkload:
    """50 questions of 16 to 28 random tokens about some images.

    Args:
        model: A transformers image-text-to-text model.
        images: The inputs of the prefix for each image, two at least, of equal shapes.

    Attributes:
        timed: ``TIMED`` questions, evenly spaced by length, which stand for all.
    """

    def __init__(self, model: Any, images: Sequence[Inputs]) -> None:
        self.model = model
        self.images = images
        draw = random.Random(0)
        self.suffixes = [draw.choices(WORDS, k=16 + 12 * i // (QUESTIONS - 1)) for i in range(QUESTIONS)]
        draw.shuffle(self.suffixes)
        step = QUESTIONS // TIMED
        self.timed = sorted(range(QUESTIONS), key=lambda index: len(self.suffixes[index]))[step // 2 :: step]
        self._naive = self.scorer('naive')

    def scorer(self, mode: str, chunk_size: int = 1) -> PrefixScorer:
        """Return a scorer in a mode that was not checked."""
        scorer = PrefixScorer(self.model, self.suffixes, read, chunk_size=chunk_size)
        scorer.mode = mode
        return scorer

    def check(self) -> dict[str, Any]:
        """Return the report of the self-check on the first two images."""
        scorer = self.scorer('naive', QUESTIONS)
        prompts = [[self.whole(index, image) for index in checked_suffixes(scorer)] for image in self.images[:2]]
        return self_check(scorer, prompts, self.images[:2])

    def whole(self, index: int, image: Inputs) -> Inputs:
        """Return the inputs of a whole prompt: the prefix and a question."""
        question = torch.tensor([self.suffixes[index]])
        shape = image['input_ids'].shape  # also that of what says what kind each token is
        ends = {key: torch.zeros_like(question) for key, value in image.items() if value.shape == shape}
        ends['input_ids'] = question
        return {key: torch.cat([value, ends[key]], dim=1) if key in ends else value for key, value in image.items()}

    @torch.inference_mode()
    def plain(self, index: int) -> Tensor:
        """Return the logits (1, V) after a question about the first image, from a forward pass of the whole prompt."""
        return self._naive.generate(index, self.whole(index, self.images[0]))[0]

    def plain_timed(self) -> None:
        """Ask the questions that stand for all."""
        for index in self.timed:
            self.plain(index)

    def together(self) -> Inputs:
        """Return the inputs of all images in one batch."""
        return concatenated(self.images)

    def plain_flops(self) -> float:
        """Return the operations that all questions about an image take, each in a forward pass of its own."""
        return mean(flops(lambda index=index: self.plain(index)) for index in self.timed) * QUESTIONS

    def least_flops(self) -> float:
        """Return the operations that all questions about an image take after one prefix, without any padding."""
        single = self.scorer('shared', chunk_size=1)
        return flops(lambda: single.score(self.images[0]))
