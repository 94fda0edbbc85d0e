"""Show a user's mistake as one message, without a traceback."""

import io
import os
import re
import sys
from collections.abc import Callable

from makd.errors import MakdError
from makd.secrets import masked_text

LONGEST = 4000  # characters of a message
_NOT_INSTALLED = re.compile(r'(?:Package )?`?([\w-]+)`? is not installed\.?')  # mmpretrain, mmdet, mmcv and mmengine


def run(main: Callable[[], None]) -> None:
    """Run a command-line program; on a user's mistake, end with a message and exit status 1, on Ctrl-C with 130.

    Every other exception is a bug and keeps its traceback; ``MAKD_TRACEBACK=1`` shows the traceback of all.

    Modules that a config imports (``custom_imports``) may lie in the folder that the command runs in.
    """
    sys.path.append(os.getcwd())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')  # a terminal may have no more than ASCII
    try:
        main()
    except KeyboardInterrupt:
        print('Stopped.', file=sys.stderr)
        raise SystemExit(130) from None
    except (MakdError, OSError, KeyError, TypeError, ImportError, RuntimeError) as error:
        if os.environ.get('MAKD_TRACEBACK') == '1' or not _users_mistake(error):
            raise
        sys.exit(f'error: {_message(error)}\n(MAKD_TRACEBACK=1 shows where it was raised.)')


def _users_mistake(error: Exception) -> bool:
    """Return whether an exception is due to a config or the command line, and not a bug."""
    if isinstance(error, KeyError):
        return 'registry' in str(error)  # mmengine's "X is not in the model registry"
    if isinstance(error, TypeError):
        return 'unexpected keyword argument' in str(error) or 'required positional argument' in str(error)
    if isinstance(error, ImportError | RuntimeError):  # "Failed to import timm. Please run 'pip install timm'"
        return 'install' in str(error) or _absent_package(error) is not None
    return True


def _absent_package(error: Exception) -> str | None:
    """Return the package that an optional part of a config needs, if the message does not say how to get it."""
    if isinstance(error, ModuleNotFoundError):
        return error.name if error.name and '.' not in error.name else None
    match = _NOT_INSTALLED.fullmatch(str(error)) if isinstance(error, ImportError | RuntimeError) else None
    return match and match[1]


def _message(error: Exception) -> str:
    # A KeyError's text is the repr of its message.
    message = masked_text(str(error.args[0]) if isinstance(error, KeyError) else str(error))
    if package := _absent_package(error):
        return f'{message.rstrip(".")}: pip install {package}'
    if len(message) > LONGEST:
        message = f'{message[: LONGEST // 2]}\n[...]\n{message[-LONGEST // 2 :]}'
    if message.startswith('Caught '):  # torch puts the whole traceback of a data-loader worker into the message
        return message.strip().rsplit('\n', 1)[-1]
    return message
