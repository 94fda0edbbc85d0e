"""Read log p(yes) and log p(no) from the replies of an OpenAI-compatible server."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from makd.annotation.openai_client import OpenAIClient
from makd.errors import RequestRefused

# Stand-ins for "not computed", such as -3.4e38, -9999 or -inf, lie below; log-probabilities of a model do not.
_LOWEST = -100.0
_TRIAL = 20  # more tokens than by_id() looks for; a server that ignores the ids returns as many


@dataclass(frozen=True)
class Reading:
    """The content of one reply.

    Attributes:
        pair: (2,) [log p(yes), log p(no)]; NaN where there is no answer.
        bounded: How many of the two are only an upper bound.
        reason: Why there is no answer, or None.
        tokens: How many tokens the reply shows.
    """

    pair: np.ndarray = field(default_factory=lambda: np.full(2, np.nan))
    bounded: int = 0
    reason: str | None = None
    tokens: int = 0


@dataclass(frozen=True)
class AnswerTokens:
    """The tokens that mean yes and no, as a server names them, and the fields of a request for them."""

    yes: Collection[str]
    no: Collection[str]
    request: Mapping[str, Any] = field(default_factory=dict)

    def read(self, reply: Mapping[str, Any]) -> Reading:
        """Return the log-probabilities of yes and no as the first token of a reply.

        An answer that the server does not show is at most as likely as the last token that it shows; that bound takes
        its place. If it shows neither answer, or no second token, there is none.
        """
        shown = _first_token(reply)
        if not shown:
            return Reading(reason='the server gave no log-probabilities')
        if len(shown) == 1:
            return Reading(reason='the server gave the log-probability of a single token', tokens=1)
        found = [[value for token, value in shown if token in names] for names in (self.yes, self.no)]
        if not any(found):
            missing = ' nor '.join(repr(min(names, key=len)) for names in (self.yes, self.no))
            reason = f'neither {missing} is among the {len(shown)} likeliest tokens'
            return Reading(reason=reason, tokens=len(shown))
        bound = min(value for _, value in shown)
        with np.errstate(invalid='ignore'):  # NaN stays NaN
            pair = [np.logaddexp.reduce(values) if values else bound for values in found]
        # Rounding takes some servers a little above 0.
        return Reading(np.minimum(pair, 0), sum(not values for values in found), tokens=len(shown))


def by_text(answers: Sequence[str], case_variants: bool, top: int) -> AnswerTokens:
    """Identify the tokens by their text, among the ``top`` likeliest, which every server shows."""
    yes, no = (_variants(answer, case_variants) for answer in answers)
    return AnswerTokens(yes, no, {'logprobs': True, 'top_logprobs': top})


def by_id(
    client: OpenAIClient,
    answers: Sequence[str],
    case_variants: bool,
    prompt: Sequence[Mapping[str, Any]],
    **parameters: Any,
) -> AnswerTokens | None:
    """Identify the tokens by their ids, which vLLM looks up however unlikely they are; None where that does not work.

    Servers silently drop fields that they do not know. So the reply to a trial must hold these tokens and, besides
    them, at most the likeliest.

    Args:
        client: The server.
        answers: The words for yes and no.
        case_variants: Also take their variants that are single tokens.
        prompt: Turns without an image; ids are resolved after the model's template.
        **parameters: Further fields of the requests.
    """

    def tokenize(turns: Sequence[Mapping[str, Any]], **how: bool) -> list[int]:
        template = {key: value for key, value in parameters.items() if key == 'chat_template_kwargs'}
        reply = client.probe('/tokenize', {'model': client.model, 'messages': list(turns), **how, **template})
        tokens = reply.get('tokens') if isinstance(reply, dict) else None
        return tokens if isinstance(tokens, list) else []

    before = tokenize(prompt, add_generation_prompt=True)
    if not before:
        return None
    ids = []
    for answer in answers:
        resolved = {}
        for word in _variants(answer, case_variants):
            turns = [*prompt, {'role': 'assistant', 'content': word}]
            after = tokenize(turns, add_generation_prompt=False, continue_final_message=True)
            if len(after) == len(before) + 1 and after[:-1] == before:
                resolved[word] = after[-1]
        if answer not in resolved:
            return None
        ids.append(sorted(set(resolved.values())))
    yes, no = ({f'token_id:{id_}' for id_ in of_answer} for of_answer in ids)
    request: dict[str, Any] = {
        'logprobs': True,
        'top_logprobs': _TRIAL,
        'logprob_token_ids': sorted(ids[0] + ids[1]),
        'return_tokens_as_token_ids': True,
    }
    try:
        shown = {token for token, _ in _first_token(client.chat(prompt, **request, **parameters))}
    except RequestRefused:
        return None
    honoured = (yes | no) <= shown and len(shown - yes - no) <= 1
    return AnswerTokens(yes, no, request) if honoured and not yes & no else None


def _variants(answer: str, case_variants: bool) -> list[str]:
    word = answer.strip()
    others = [space + form for space in ('', ' ') for form in (word, word.lower(), word.upper())]
    return list(dict.fromkeys([answer, *(others if case_variants else ())]))


def _first_token(reply: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the tokens that a reply shows in first place, and their log-probabilities, without stand-ins for these."""
    try:
        first = reply['choices'][0]['logprobs']['content'][0]
        shown = [(str(entry['token']), float(entry['logprob'])) for entry in first.get('top_logprobs') or ()]
        # The generated token counts even if it is not among the likeliest.
        own = (str(first['token']), float(first['logprob']))
    except (LookupError, TypeError, ValueError, AttributeError):
        return []
    return [entry for entry in (shown if own[0] in dict(shown) else [*shown, own]) if not entry[1] < _LOWEST]
