"""The paper's figures, as ``metafile.yml`` beside a config has them."""

from functools import cache
from pathlib import Path

import yaml


def paper_figure(config: str) -> float | None:
    """Return what the paper reports of a config: its first metric, such as top-1 in percent; None if it does not.

    Args:
        config: Config file, ``configs/FOLDER/NAME.py``. The results in ``configs/FOLDER/metafile.yml`` whose Source is
            the paper count; those that were measured do not.
    """
    path = Path(config).absolute()
    for model in _models(path.parent / 'metafile.yml'):
        if Path(model['Config']).name == path.name:
            for result in model.get('Results', ()):
                if str(result.get('Source', '')).startswith('paper'):
                    return float(next(iter(result['Metrics'].values())))
    return None


@cache
def _models(metafile: Path) -> list[dict]:
    return yaml.safe_load(metafile.read_text('utf-8'))['Models'] if metafile.is_file() else []
