"""Links between pages and to files of the repository have targets; Sphinx does not check links out of docs/."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r'\[[^\]\n]*\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)')
MADE = {'docs/model_zoo.md'}  # by make docs


def pages():
    below = (path for folder in ('docs', 'configs', 'projects', 'data') for path in (ROOT / folder).rglob('*.md'))
    return sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob('*.md'), *below))


def anchors(page):
    """Return the anchors that GitHub and MyST give to a page's headings."""
    headings = re.findall(r'^#+ (.*)$', page.read_text('utf-8'), re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('name', pages())
def test_links(name):
    page = ROOT / name
    text = re.sub(r'^ *```.*?^ *```$', '', page.read_text('utf-8'), flags=re.M | re.S)
    for path, anchor in LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        assert target.exists() or str(target.relative_to(ROOT)) in MADE, f'{name} links to {path}, which does not exist'
        if anchor:
            assert anchor in anchors(target), f'{name} links to {path}#{anchor}, a heading that does not exist'
