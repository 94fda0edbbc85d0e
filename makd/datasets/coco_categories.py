"""The categories of a file of annotations in COCO's format."""

import json
import re
from pathlib import Path
from typing import Any

from makd.errors import DataError
from makd.files import read_text

_FIELD = re.compile(r'"categories"\s*:\s*(?=\[)')


def read_categories(path: str | Path) -> list[str]:
    """Return the names of the categories, in the order of the file.

    COCO's own file has half a gigabyte; only the categories in it are parsed.

    Raises:
        DataError: The file cannot be read, or has no categories.
    """
    text = read_text(path, DataError)
    for match in _FIELD.finditer(text):
        try:
            categories: Any = json.JSONDecoder().raw_decode(text, match.end())[0]
        except json.JSONDecodeError:
            continue
        if all(isinstance(category, dict) and 'name' in category for category in categories):
            return [category['name'] for category in categories]
    raise DataError(f'{path} has no "categories" with names: it is not a file of annotations in COCO\'s format')
