"""What distinguishes the shards of one annotation from those of another: ``manifest.json``."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from makd.errors import TargetsError
from makd.files import read_json
from makd.questions import QuestionSet

MANIFEST = 'manifest.json'
FORMAT = 'makd-shards 1'
_SHOWN = 5  # differences in a message


def describe(
    questions: QuestionSet, keys: Sequence[str], identity: Mapping[str, Any], shard_size: int
) -> dict[str, Any]:
    """Return the description that distinguishes one run's answers from another's, as JSON values."""
    digest = hashlib.sha256()
    for key in keys:
        digest.update(f'{key}\n'.encode())
    return {
        'format': FORMAT,
        'questions': [[question.id, question.text] for question in questions],
        'images': {'count': len(keys), 'sha256': digest.hexdigest()},
        'identity': json.loads(json.dumps(identity)),
        'shard_size': shard_size,
    }


def read_manifest(path: Path) -> dict[str, Any]:
    """Return what ``manifest.json`` says; raise a TargetsError if it is damaged."""
    try:
        content = read_json(path, TargetsError)
    except TargetsError as error:
        raise TargetsError(f'{error}: start anew with --no-resume') from None
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise TargetsError(f'{path} does not say "format": "{FORMAT}": start anew with --no-resume')
    return content


def refuse_another(place: Path, on_disk: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise a TargetsError that names what differs, if what is on disk is from another run, but for its notes."""
    found, needed = dict(_flat(on_disk, '')), dict(_flat(wanted, ''))
    different = [
        f'{field.removeprefix("identity.")}: on disk {found.get(field)!r}, in the config {needed.get(field)!r}'
        for field in {**needed, **found}
        if found.get(field) != needed.get(field) and not field.startswith('notes')
    ]
    if different:
        listed = '\n  '.join(different[:_SHOWN] + ['...'] * (len(different) > _SHOWN))
        raise TargetsError(
            f'{place} has answers that must not be mixed with the answers of this run:\n  {listed}\nRestore the '
            'config, choose another folder (writer.out_dir), or start anew with --no-resume, which discards them.'
        )


def _flat(node: Any, field: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of JSON values with their fields, such as 'teacher.prompt'."""
    if isinstance(node, dict | list) and node:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _flat(value, f'{field}.{key}' if field else str(key))
    else:
        yield field, node
