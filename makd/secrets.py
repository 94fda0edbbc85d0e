"""Mask secrets in what a run writes down: values by the names of their fields, and passwords in URLs."""

import re
from collections.abc import Mapping
from typing import Any

MASK = '***'
_SECRET = (
    r'(?:api[-_]?key|access[-_]?key|secret(?:[-_]?key)?|passw(?:or)?d|authorization'
    r'|(?:api|access|auth|bearer|github|hf|id|refresh|session)[-_]?token)'
)
_NAME = re.compile(rf'{_SECRET}$|(^|\.)token$', re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""((?:{_SECRET}|(?<![\w-])token)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s"',;&)}}\]]+)""", re.IGNORECASE
)
_IN_URL = re.compile(r'(?<=://)[^/\s]+(?=@)')


def masked(value: Any, name: str = '') -> Any:
    """Return a copy of a value, such as a config, in which no secret is left.

    Args:
        value: A mapping, list, tuple, string or anything else, which is returned unchanged.
        name: The field that it belongs to.
    """
    if isinstance(value, Mapping):
        return {key: masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked(inner, name) for inner in value)
    if not isinstance(value, str):
        return value
    return MASK if value and _NAME.search(name) else masked_urls(value)


def masked_urls(text: str) -> str:
    """Return a text in which URLs have no user names and passwords."""
    return _IN_URL.sub(MASK, text)


def masked_text(text: str) -> str:
    """Return a text, such as a command line or source code, without passwords in URLs and values of secret names."""
    return _ASSIGNED.sub(rf'\1{MASK}', masked_urls(text))
