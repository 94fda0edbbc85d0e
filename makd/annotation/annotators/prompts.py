"""The text around a question."""

from makd.errors import ConfigError

PROMPTS = {
    'bare': '{question}',  # the paper's: nothing but the question
    'yes_no': '{question} Answer with yes or no.',
}


def resolve_prompt(prompt: str) -> str:
    """Return the template named ``prompt``, or ``prompt`` itself if it is a template, with ``{question}`` in it.

    Raises:
        ConfigError: It is neither.
    """
    template = PROMPTS.get(prompt, prompt)
    if '{question}' not in template:
        raise ConfigError(f'prompt={prompt!r} must be {" or ".join(map(repr, PROMPTS))}, or have {{question}} in it.')
    return template


def fill(template: str, question: str) -> str:
    """Put a question into a template, whose other braces stay as they are."""
    return template.replace('{question}', question)
