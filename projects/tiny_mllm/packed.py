"""Pack many questions about an image into one sequence, invisible to each other: the image is computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration


@dataclass
class Packed:
    """Images with K questions each, right-padded to the longest row.

    Attributes:
        tokens: (B, S), the prefix, then the questions one after another.
        positions: (B, S); each question continues from the end of the prefix, as if it were the only one.
        visible: (B, 1, S, S) bool, whether a token attends to another.
        ends: (B, K), the position of each question's last token.
    """

    tokens: Tensor
    positions: Tensor
    visible: Tensor
    ends: Tensor


def pack(prefix: Sequence[int], questions: Sequence[Sequence[Sequence[int]]]) -> Packed:
    """Pack K questions for each of B images, as token ids, after the tokens of their common prefix."""
    start = len(prefix)
    size = start + max(sum(map(len, row)) for row in questions)
    tokens, positions = torch.zeros(2, len(questions), size, dtype=torch.long)
    owner = torch.full((len(questions), size), -1)
    tokens[:, :start], positions[:, :start], owner[:, :start] = torch.tensor(prefix), torch.arange(start), 0
    ends = torch.zeros(len(questions), len(questions[0]), dtype=torch.long)
    for row, asked in enumerate(questions):
        at = start
        for number, question in enumerate(asked):
            span = slice(at, at := at + len(question))
            tokens[row, span] = torch.tensor(question)
            positions[row, span] = start + torch.arange(len(question))
            owner[row, span] = number + 1
            ends[row, number] = at - 1
    same, shared = owner[:, :, None] == owner[:, None], owner[:, None] == 0
    causal = torch.ones(size, size, dtype=torch.bool).tril()
    return Packed(tokens, positions, ((same | shared) & causal)[:, None], ends)


def answer(model: LlavaForConditionalGeneration, patch_features: Tensor, packed: Packed) -> Tensor:
    """Return the log-probabilities of the token after each question.

    Args:
        model: The tiny MLLM.
        patch_features: (B, patches, features); see ``HybridVisionModel.patch_features``.
        packed: The questions, after a prefix with one image token per patch.

    Returns:
        (B, K, vocabulary).
    """
    llava = model.model
    _, hidden = llava.vision_tower.encode(patch_features)
    embedded = llava.get_input_embeddings()(packed.tokens)
    is_image = (packed.tokens == model.config.image_token_index)[..., None]
    embedded = embedded.masked_scatter(is_image, llava.multi_modal_projector(hidden))
    bias = torch.zeros(packed.visible.shape).masked_fill(~packed.visible, torch.finfo(torch.float32).min)
    states = llava.language_model(
        inputs_embeds=embedded, attention_mask=bias, position_ids=packed.positions, use_cache=False
    ).last_hidden_state
    rows = torch.arange(len(states))[:, None]
    return model.lm_head(states[rows, packed.ends]).log_softmax(-1)
