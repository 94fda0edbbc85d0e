"""Zero-shot class probabilities of a multimodal LLM (paper section 5.1, Table 7)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from makd.annotation.annotators.hf_annotator import HFAnnotatorBase
from makd.errors import QuestionsError
from makd.files import read_text
from makd.questions import Question, QuestionSet
from makd.registry import MODELS


@MODELS.register_module()
class HFClassAnnotator(HFAnnotatorBase):
    r"""Asks what is in the image, and compares the classes' names as answers.

    The score of a class is the log-probability of its whole name and the end of the turn, summed over the tokens, and

    .. math:: p(c) = \operatorname{softmax}_c \sum_t \log p(\text{token}_t \mid \text{image, prompt, tokens before})

    All names are scored after one prefill of the image. The result is an ordinary targets folder: its questions are
    the classes, and the pair of a class is [log p(c), log(1 - p(c))].

    Args:
        model: Name on the Hugging Face hub, or a folder with the weights as safetensors.
        classes: The classes' names in the dataset, or the path of a text file with one name per line. The model sees
            underscores as spaces.
        prompt: The question about each image.
        **kwargs: Arguments of :class:`~makd.annotation.annotators.hf_annotator.HFAnnotatorBase`, which says what is
            raised.

    Raises:
        QuestionsError: The classes cannot be read, or one occurs twice.
    """

    def __init__(
        self,
        model: str,
        classes: Sequence[str] | str,
        prompt: str = 'What is in the picture? Answer with its name only.',
        **kwargs: Any,
    ) -> None:
        if isinstance(classes, str):
            classes = [line for line in read_text(Path(classes), QuestionsError).splitlines() if line.strip()]
        questions = QuestionSet(Question(id=name, text=name.replace('_', ' ')) for name in classes)
        super().__init__(model, questions, prompt, **kwargs)
        whole = self.chat(prompt)
        self._set_up(self._read, [whole] * len(questions), questions.texts)
        # What is scored at each position: the tokens of a name, and finally the end of the turn.
        end = self.processor.tokenizer.eos_token_id
        names = [
            [*suffix[1 - keep :], end] if keep > 1 else [end]
            for suffix, keep in zip(self.scorer.suffixes, self.scorer.keep)
        ]
        self._following = torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, names)), batch_first=True)

    def _read(self, logits: Tensor, suffix: Tensor, position: Tensor) -> Tensor:
        """Return the log-probability of the name's next token, (R, 1)."""
        following = self._following.to(logits.device)[suffix, position]
        return logits.log_softmax(dim=-1).gather(1, following[:, None])

    def _finish(self, scores: Tensor) -> Tensor:
        """Return log p(class) and log(1 - p(class)), (C, 2)."""
        logp = scores[:, 0].double().log_softmax(dim=0)
        return torch.stack([logp, torch.log(-torch.expm1(logp))], dim=-1).float()
