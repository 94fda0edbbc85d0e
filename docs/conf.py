"""Sphinx configuration of the documentation; ``make docs`` builds it."""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import model_zoo  # noqa: E402

import makd  # noqa: E402

project = 'makd'
author = copyright = 'the makd authors'
version = release = makd.__version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
]
myst_enable_extensions = ['deflist']
myst_heading_anchors = 4
exclude_patterns = ['_build']

html_theme = 'furo'
html_title = f'makd {version}'
html_static_path: list[str] = []
copybutton_exclude = '.linenos, .gp, .go'

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
napoleon_google_docstring = True
napoleon_use_rtype = False


def unlink_source(app, name, source) -> None:
    """Replace links to files outside docs/, which have no page in the site, by the names of the files."""
    source[0] = re.sub(r'\[([^\]\n]+)\]\(\.\./([^)#\s]*)(?:#[^)\s]*)?\)', _named, source[0])


def _named(link: re.Match) -> str:
    text, path = link.groups()
    return f'`{path}`' if text.strip('`') in path else f'{text} (`{path}`)'


def setup(app) -> None:
    """Write the model zoo page and register the replacement of links."""
    model_zoo.write(DOCS / 'model_zoo.md')
    app.connect('source-read', unlink_source)
