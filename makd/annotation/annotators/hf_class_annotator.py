"""Zero-shot class probabilities of a multimodal LLM (paper section 5.1, Table 7)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from makd.annotation.annotators.hf_annotator import HFAnnotatorBase
from makd.annotation.annotators.prefix_scorer import PrefixScorer
from makd.errors import QuestionsError
from makd.files import read_text
from makd.questions import Question, QuestionSet
from makd.registry import MODELS


@MODELS.register_module()
class HFClassAnnotator(HFAnnotatorBase):
    r"""Asks what is in the picture, and compares the names of the classes as answers.

    The score of a class is the log-probability of its whole name and the end of the turn, summed over the tokens, and

    .. math:: p(c) = \operatorname{softmax}_c \sum_t \log p(\text{token}_t \mid \text{image, prompt, tokens before})

    All names are scored behind one prefill of the image. The result is an ordinary targets folder: its questions are
    the classes, and the pair of a class is [log p(c), log(1 - p(c))].

    Args:
        model: Name on the Hugging Face hub, or a folder with the weights as safetensors.
        classes: The classes' names as the data set has them, or the path of a text file with one a line. Underscores
            are shown to the model as spaces.
        prompt: What the model is asked.
        **kwargs: Arguments of :class:`~makd.annotation.annotators.hf_annotator.HFAnnotatorBase`.

    Raises:
        ConfigError: The model does not exist or is none of this kind, or an argument does not fit it.
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
        asked = self.chat(prompt)
        suffixes, self._preparer = self._split([asked + text for text in questions.texts], prefix_of=asked)
        # What comes out behind each token of a suffix: the next one, and at last the end of the turn.
        written = [[*suffix[1:], self.processor.tokenizer.eos_token_id] for suffix in suffixes]
        self._written = torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, written)), batch_first=True)
        self.scorer = PrefixScorer(self.model, suffixes, self._read, list(map(len, written)), self.chunk_size)

    def _read(self, logits: Tensor, suffix: Tensor, position: Tensor) -> Tensor:
        """Return the log-probability of the token that the name goes on with, (R, 1)."""
        written = self._written.to(logits.device)[suffix, position]
        return logits.log_softmax(dim=-1).gather(1, written[:, None])

    def _finish(self, scores: Tensor) -> Tensor:
        """Return log p(class) and log(1 - p(class)), (C, 2)."""
        logp = scores[:, 0].double().log_softmax(dim=0)
        return torch.stack([logp, torch.log(-torch.expm1(logp))], dim=-1).float()
