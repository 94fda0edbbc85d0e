"""Placeholder until the packaging helper writes it."""


def install() -> None:
    """Do nothing yet."""
