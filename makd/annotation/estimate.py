"""What a run will take, from a few images."""

import datetime
from dataclasses import dataclass

from makd.annotation.usage import Usage, format_dollars


@dataclass(frozen=True)
class Estimate:
    """What some images took, from all over the dataset.

    Attributes:
        images: How many they were.
        seconds: How long the annotator took for them.
        usage: What they cost, if they cost more than time.
    """

    images: int
    seconds: float
    usage: Usage | None

    def dollars(self, num_images: int) -> float | None:
        """Return what so many images will cost; None if no price is known."""
        if self.usage is None or self.usage.dollars is None:
            return None
        return self.usage.dollars * num_images / self.images

    def describe(self, num_images: int, about: str) -> str:
        """Return what so many images, or regions, as ``about`` says, will take, as a line of text."""
        factor = num_images / self.images
        if self.usage is None:
            amount = f'{datetime.timedelta(seconds=round(self.seconds * factor))} on one process'
        else:
            requests = (self.usage.requests - self.usage.repeated) * factor
            amount = f'{requests:,.0f} requests, {self.usage.prompt_tokens * factor:,.0f} tokens'
        if (dollars := self.dollars(num_images)) is not None:
            amount += f', ${format_dollars(dollars)}'
        text = f'{num_images:,} {about} will take about {amount}, estimated from {self.images}'
        limit = None if self.usage is None else self.usage.max_dollars
        if dollars and limit is not None and limit < dollars:
            text += (
                f'. The budget of a process, max_dollars={limit}, ends after about {limit / dollars * num_images:,.0f}'
            )
        return text
