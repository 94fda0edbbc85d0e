"""A whole prompt, written by a checkpoint's chat template, and what it must hold."""

import re
from typing import Any

from makd.errors import ConfigError, QuestionsError
from makd.questions import QuestionSet

_LITERAL_PART = re.compile(r"""['"]type['"]\s*:\s*['"](image|text)['"]""")


def chat(processor: Any, source: str, text: str, system_prompt: str | None = None) -> str:
    """Return the prompt about an image, up to the place where the model begins to write.

    Args:
        processor: The processor, with a chat template.
        source: The name of the checkpoint.
        text: The text of the user's turn, after the image.
        system_prompt: The text of the system's turn. Defaults to None: the template's own.

    Raises:
        ConfigError: There is no template, or it fails, or it leaves out or distorts a part.
    """
    turns: list[dict[str, Any]] = []
    if system_prompt is not None:
        turns.append({'role': 'system', 'content': [{'type': 'text', 'text': system_prompt}]})
    turns.append({'role': 'user', 'content': [{'type': 'image'}, {'type': 'text', 'text': text}]})
    try:
        prompt = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    except Exception as error:  # a template is a program
        raise ConfigError(
            f'{source}: its processor cannot make a prompt ({type(error).__name__}: {error}). Take a checkpoint whose '
            'processor has a chat template for images; those for transformers usually end with -hf.'
        ) from error
    if _LITERAL_PART.search(prompt):
        fault = 'takes text only, and prints the list of image and text literally'
    elif text.strip() not in prompt:
        fault = f'leaves out the question, {text!r}'
    elif system_prompt is not None and system_prompt.strip() not in prompt:
        fault = f'leaves out system_prompt={system_prompt!r}; remove it, or put it into `prompt`'
    else:
        return prompt
    raise ConfigError(f'{source}: its chat template {fault}. It made the prompt {_shortened(prompt)!r}.')


def check_questions(processor: Any, source: str, questions: QuestionSet) -> None:
    """Raise a QuestionsError if a question holds a special token, which is no text for the model.

    A question with a second ``<image>`` has no answer, and one with the end of a turn answers itself.
    """
    tokenizer = processor.tokenizer
    tokens = {*tokenizer.all_special_tokens, getattr(processor, 'image_token', None)}
    tokens |= {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    for question in questions:
        found = sorted(str(token) for token in tokens if token and str(token) in question.text)
        if found:
            raise QuestionsError(
                f'question {question.id!r}, {question.text!r}, holds {found[0]!r}, which {source} reads as a special '
                'token and not as text. Write the question without it.'
            )


def _shortened(prompt: str) -> str:
    return prompt if len(prompt) <= 400 else f'{prompt[:200]} ... {prompt[-200:]}'
