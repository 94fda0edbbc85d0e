"""Check values against the annotations of the arguments that they are meant for."""

from collections.abc import Iterator, Mapping
from functools import cache
from inspect import signature
from typing import Any, get_type_hints

# Their annotations are looser or stricter than what they take, such as ``Tuple[int]`` for several numbers.
FRAMEWORKS = ('mmengine', 'mmcv', 'mmpretrain', 'mmdet', 'torch')


def wrong_values(cls: type, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each value that its annotation in ``cls.__init__`` excludes, with what it should be.

    Types are compared strictly: '4' is no number and True no count, but an int is a float and a list a sequence.

    Args:
        cls: A class; arguments that it passes on to its bases are checked as well, except to those of a framework.
        values: The values by the names of the arguments.
    """
    from pydantic import ValidationError  # not for --help

    adapters = _adapters(cls)
    for name in values.keys() & adapters.keys():
        try:
            adapters[name].validate_python(values[name], strict=True)
        except ValidationError as error:
            yield name, ' or '.join(dict.fromkeys(found['msg'] for found in error.errors()))


@cache
def _adapters(cls: type) -> dict[str, Any]:
    from pydantic import TypeAdapter

    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if '__init__' in vars(base) and base.__module__.partition('.')[0] not in FRAMEWORKS:
            init = vars(base)['__init__']
            for name in signature(init).parameters:  # without an annotation, it is not that of the base's argument
                hints.pop(name, None)
            try:
                hints |= get_type_hints(init, include_extras=True)
            except NameError:  # a name that only type checkers import
                continue
    hints.pop('return', None)
    return {name: TypeAdapter(hint, config=dict(arbitrary_types_allowed=True)) for name, hint in hints.items()}
