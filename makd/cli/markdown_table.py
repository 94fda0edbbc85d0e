"""A table in the output of a tool."""

from collections.abc import Sequence


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown; its columns are aligned, to be read as text."""
    widths = [max(map(len, column)) for column in zip(header, *body)]
    lines = [header, ['-' * width for width in widths], *body]
    return '\n'.join('| ' + ' | '.join(c.ljust(w) for c, w in zip(line, widths)) + ' |' for line in lines)
