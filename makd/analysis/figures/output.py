"""The files of figures, and their common colours."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from makd.errors import ConfigError
from makd.files import atomic_file

ANNOTATOR, STUDENT = 'teacher', 'student'  # labels, as in the figures of docs/analysis.md
COLORS = {ANNOTATOR: 'C0', STUDENT: 'C1'}
FORMATS = ('.png', '.svg', '.pdf')


def figure_paths(out: Path | None, name: str) -> list[Path]:
    """Return the files to write: ``out``, or PNG and SVG of this name in ``work_dirs/analysis``.

    Raises:
        ConfigError: The suffix of ``out`` is not one of ``FORMATS``.
    """
    if out is None:
        return [Path('work_dirs', 'analysis', f'{name}{suffix}') for suffix in FORMATS[:2]]
    if out.suffix not in FORMATS:
        raise ConfigError(f'--out {out}: a figure ends in {", ".join(FORMATS)}.')
    return [out]


def save_figure(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a figure to each of the files and print their paths; the suffix gives the format."""
    for path in paths:
        with atomic_file(path) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=150)
    print(f'Figure: {", ".join(map(str, paths))}')
