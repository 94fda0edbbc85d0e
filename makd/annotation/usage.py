"""What the requests to a server cost."""

from dataclasses import dataclass, replace

_COUNTS = ('requests', 'repeated', 'prompt_tokens', 'completion_tokens', 'cached_tokens')


@dataclass
class Usage:
    """Count the requests and tokens that a server was sent.

    Attributes:
        requests: Requests sent, retries included.
        repeated: How many of them were retries.
        prompt_tokens: Tokens sent, as the server counts them.
        completion_tokens: Tokens written by the server.
        cached_tokens: How many of the sent tokens the server had in its cache.
        price_per_million_tokens: Dollars for a million tokens sent; None if it is not known.
        max_dollars: The budget, if there is one.
    """

    requests: int = 0
    repeated: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    price_per_million_tokens: float | None = None
    max_dollars: float | None = None

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def dollars(self) -> float | None:
        """The price of the tokens sent, without a discount for cached ones; None if it is not known."""
        price = self.price_per_million_tokens
        return None if price is None else self.prompt_tokens * price / 1e6

    @property
    def counts(self) -> dict[str, int]:
        """What was counted, by name."""
        return {name: getattr(self, name) for name in _COUNTS}

    def since(self, former: 'Usage') -> 'Usage':
        """Return what was added to a former state."""
        return replace(self, **{name: count - former.counts[name] for name, count in self.counts.items()})

    def __add__(self, other: 'Usage') -> 'Usage':
        """Return the sum of what two clients with one price were sent."""
        return replace(self, **{name: count + other.counts[name] for name, count in self.counts.items()})

    def __str__(self) -> str:
        text = (
            f'{self.requests:,} requests ({self.repeated:,} of them repeated), '
            f'{self.prompt_tokens:,} tokens sent and {self.completion_tokens:,} received'
        )
        if self.cached_tokens:
            text += f', {self.cached_tokens:,} of those sent from the cache'
        return text if self.dollars is None else f'{text}, ${format_dollars(self.dollars)}'


def format_dollars(dollars: float) -> str:
    """Return an amount to the cent, or to two digits if it is below a dollar."""
    return f'{dollars:,.2f}' if dollars >= 1 else f'{dollars:.2g}'
