"""Write the page of all models from the ``metafile.yml`` files listed in ``model-index.yml``."""

from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Model zoo

All training configs and their results, from `configs/*/metafile.yml`. "Here" means measured with this code on the
bundled data (means over seeds; [](results.md) has the spread); "paper" means reported by the paper's authors and not
reproduced here. To train a model, run `python tools/train.py CONFIG`. No weights are offered for download.
"""


def models() -> Iterator[dict]:
    """Yield the models of all metafiles."""
    for metafile in yaml.safe_load((ROOT / 'model-index.yml').read_text('utf-8'))['Import']:
        yield from yaml.safe_load((ROOT / metafile).read_text('utf-8'))['Models']


def tables() -> dict[str, list[str]]:
    """Return the table lines of each dataset, best first."""
    rows: dict[str, list[tuple[float, str]]] = {}
    for model in models():
        for result in model.get('Results', ()):
            figures = result['Metrics']
            shown = ', '.join(f'{name} {value:.2f}' for name, value in figures.items())
            config = f'`{model["Config"]}`' + (f' with `{result["Options"]}`' if 'Options' in result else '')
            line = f'| {config} | {model["In Collection"]} | {shown} | {result.get("Source", "here")} |'
            rows.setdefault(result['Dataset'], []).append((-next(iter(figures.values())), line))
    return {dataset: [line for _, line in sorted(lines)] for dataset, lines in sorted(rows.items())}


def write(path: Path) -> None:
    """Write the page."""
    parts = [HEAD]
    for dataset, lines in tables().items():
        parts.append(f'## {dataset}\n\n| config | method | % | source |\n|---|---|---|---|\n' + '\n'.join(lines) + '\n')
    without = [f'`{model["Config"]}`' for model in models() if not model.get('Results')]
    parts.append(f'## Not measured yet\n\n{", ".join(without)}\n')
    text = '\n'.join(parts)
    if not path.exists() or path.read_text('utf-8') != text:  # Sphinx rebuilds what is newer
        path.write_text(text, 'utf-8')


if __name__ == '__main__':
    write(Path(__file__).with_name('model_zoo.md'))
