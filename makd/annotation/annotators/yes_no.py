"""The tokens of the two answers, as the tokenizer writes them after a prompt."""

from collections.abc import Sequence
from typing import Any

from makd.errors import ConfigError


def answer_ids(tokenizer: Any, prompt: str, answer: str, case_variants: bool = False) -> list[int]:
    """Return the ids of the tokens that mean ``answer`` right after ``prompt``.

    Ids are resolved in context: ``prompt + answer`` must have exactly one token more than ``prompt``, and that token
    counts. The word on its own may be tokenized with special tokens or a leading space, and get another id.

    Args:
        tokenizer: A tokenizer of transformers.
        prompt: A whole prompt, up to the place where the model begins to write.
        answer: For example 'Yes'.
        case_variants: Also take the lower and upper case of ``answer``, with and without a leading space, where these
            are single tokens.

    Returns:
        Distinct ids, beginning with that of ``answer`` itself.

    Raises:
        ConfigError: ``answer`` is not a single token in this place.
    """
    before = tokenizer(prompt, add_special_tokens=False).input_ids

    def single(text: str) -> int | None:
        after = tokenizer(prompt + text, add_special_tokens=False).input_ids
        known = after[-1] != tokenizer.unk_token_id
        return after[-1] if known and len(after) == len(before) + 1 and after[:-1] == before else None

    first = single(answer)
    if first is None:
        pieces = tokenizer.convert_ids_to_tokens(tokenizer(prompt + answer, add_special_tokens=False).input_ids)
        raise ConfigError(
            f'The answer {answer!r} is not one token after the prompt, which ends with {prompt[-20:]!r}: together they '
            f"end with the tokens {pieces[-4:]}. Set the field `answers` to two single tokens, for example (' Yes', "
            "' No') where the model writes a space first."
        )
    words = (answer.strip(), answer.strip().lower(), answer.strip().upper())
    others = [single(space + word) for space in ('', ' ') for word in words] if case_variants else []
    return list(dict.fromkeys([first, *(id_ for id_ in others if id_ is not None)]))


def pair_ids(
    tokenizer: Any, prompt: str, answers: Sequence[str] = ('Yes', 'No'), case_variants: bool = False
) -> tuple[list[int], list[int]]:
    """Return the ids of yes and the ids of no (see :func:`answer_ids`).

    Raises:
        ConfigError: There are not two answers, one is not a single token, or both begin with the same token.
    """
    if len(answers) != 2:
        raise ConfigError(f'answers={answers!r} must be two words, for yes and for no.')
    yes, no = (answer_ids(tokenizer, prompt, answer, case_variants) for answer in answers)
    if common := set(yes) & set(no):
        raise ConfigError(
            f'answers={tuple(answers)!r} have the token {tokenizer.convert_ids_to_tokens(min(common))!r} in common.'
        )
    return yes, no
