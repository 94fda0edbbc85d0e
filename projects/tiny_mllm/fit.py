"""Train the tiny MLLM to answer: next-token cross-entropy of "Yes" and "No" after the questions."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from projects.tiny_mllm.assemble import ANSWERS, ASSISTANT, IMAGE, USER
from projects.tiny_mllm.packed import answer, pack
from projects.tiny_mllm.questions import QuestionBank

INSTRUCTION = ' Answer with yes or no.'  # appended to some of the questions, so that the model knows both forms


@dataclass(frozen=True)
class Recipe:
    """The training schedule.

    Attributes:
        steps: Optimiser steps.
        images: Images per step.
        questions: Questions per image.
        balanced: Share of the steps, at the beginning, in which yes and no are equally frequent for each question.
            With mostly no as answers, the model would settle on the rate of yes without looking at the image. The
            remaining steps restore the true rates.
        rate: Peak learning rate of the language model and the projector.
        vision_rate: Peak learning rate of the vision tower's transformer layers, which start close to a good solution.
        warm_up: Steps until the peak; after that, the rate follows a cosine.
        decay: Weight decay.
        instructed: Share of the questions that end with the instruction.
    """

    steps: int = 1600
    images: int = 32
    questions: int = 12
    balanced: float = 0.6
    rate: float = 1.2e-3
    vision_rate: float = 2e-4
    warm_up: int = 50
    decay: float = 0.02
    instructed: float = 0.2

    def factor(self, step: int) -> float:
        """Return the learning rate at a step as a share of the peak."""
        return min(1.0, (step + 1) / self.warm_up) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))


def fit(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    bank: QuestionBank,
    views: Sequence[np.ndarray],
    recipe: Recipe,
    seed: int,
    log: Callable[[str], None] = print,
) -> None:
    """Train everything but the convolutions, in place.

    Args:
        model: The model, with an initialised patch embedding.
        tokenizer: Its tokenizer.
        bank: Questions and answers about N lessons.
        views: Patch features of the lessons, (N, patches, features) each.
        recipe: The training schedule.
        seed: The seed for drawing lessons, views and questions, and for dropout.
        log: Called with a line of text every 100 steps.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    yes, no = tokenizer.convert_tokens_to_ids(ANSWERS)
    user, assistant, image = tokenizer.convert_tokens_to_ids([USER, ASSISTANT, IMAGE])
    prefix = [user] + [image] * views[0].shape[1]
    texts = tokenizer(bank.texts, add_special_tokens=False)['input_ids']
    instruction = tokenizer(INSTRUCTION, add_special_tokens=False)['input_ids']

    tower = model.model.vision_tower
    tower.convolutions.requires_grad_(False)
    vision = [parameter for parameter in tower.parameters() if parameter.requires_grad]
    ours = {id(parameter) for parameter in tower.parameters()}
    language = [parameter for parameter in model.parameters() if id(parameter) not in ours]
    optimizer = torch.optim.AdamW(
        [{'params': vision, 'lr': recipe.vision_rate}, {'params': language, 'lr': recipe.rate}],
        weight_decay=recipe.decay,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, recipe.factor)

    model.train()
    begun, total, every = time.monotonic(), 0.0, min(recipe.steps, 100)
    for step in range(1, recipe.steps + 1):
        lessons = rng.integers(len(bank.said), size=recipe.images)
        features = np.stack([views[rng.integers(len(views))][lesson] for lesson in lessons])
        drawn = [bank.draw(lesson, recipe.questions, rng, step <= recipe.balanced * recipe.steps) for lesson in lessons]
        asked = [
            [texts[i] + instruction * (rng.random() < recipe.instructed) + [assistant] for i in indices]
            for indices, _ in drawn
        ]
        target = torch.from_numpy(np.stack([targets for _, targets in drawn]))
        logprobs = answer(model, torch.from_numpy(features).float(), pack(prefix, asked))
        loss = -(target * logprobs[..., yes] + (1 - target) * logprobs[..., no]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*vision, *language], 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % every == 0:
            spent = time.monotonic() - begun
            left = spent / step * (recipe.steps - step)
            log(f'step {step}/{recipe.steps}  loss {total / every:.4f}  {spent:.0f} s, {left:.0f} s to go')
            total = 0.0
    model.eval()
