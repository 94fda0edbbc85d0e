"""A cheap annotator whose answers depend only on the image, and which logs how many images it is asked about."""

import math
import os

import torch
from PIL import Image

from makd.annotation.annotators import Annotator, Answers
from makd.errors import AnnotatorStopped
from makd.questions import QuestionSet
from makd.registry import MODELS


class MeanColour:
    """Turns an image into its mean colour, in [0, 1]."""

    def __call__(self, image: Image.Image) -> torch.Tensor:
        return torch.tensor(list(image.convert('RGB').resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))) / 255


@MODELS.register_module()
class StandInAnnotator(Annotator):
    """P(yes) of question q is a sigmoid of the brightness; a blue image gets NaN, a red one no answer.

    Args:
        questions: Path of their JSON file.
        log: File to which each call appends its number of images.
        prompt: Part of the identity.
        dtype: Part of the identity.
        stop_at: The call that fails as a dead server does.
    """

    def __init__(self, questions, log, prompt='{question}', dtype='float32', stop_at=None):
        super().__init__(QuestionSet.load(questions))
        self.log, self.prompt, self.dtype, self.stop_at = log, prompt, dtype, stop_at
        self.calls = 0
        self.weight = torch.linspace(-3, 3, len(self.questions))

    @property
    def identity(self):
        return {'model': 'stand-in', 'prompt': self.prompt, 'dtype': self.dtype}

    @property
    def preparer(self):
        return MeanColour()

    def start(self, image):
        return {'brightness': round(float(self.preparer(image).mean()), 4)}

    def answer(self, inputs):
        self.calls += 1
        if self.calls == self.stop_at:
            raise AnnotatorStopped('the server is dead')
        with open(self.log, 'ab') as file:
            file.write(f'{len(inputs)}\n'.encode())
        colours = torch.stack(inputs)
        logit = colours.mean(dim=1, keepdim=True) * self.weight + 0.1
        logprobs = torch.stack([logit, -logit], dim=-1).log_softmax(dim=-1) + math.log(0.9)
        answers = []
        for colour, pairs in zip(colours.tolist(), logprobs.numpy()):
            if colour == [0, 0, 1]:
                pairs = pairs.copy()
                pairs[1] = math.nan
            reason = 'the answer never came' if colour == [1, 0, 0] else None
            answers.append(Answers(pairs * (math.nan if reason else 1), reason, bounded=int(colour == [0, 1, 0])))
        return answers


def asked(log) -> int:
    """Return how many images have been asked about."""
    return sum(map(int, open(log).read().split())) if os.path.exists(log) else 0
