"""One message in place of a traceback for what a user can put right."""

import os
import sys
from collections.abc import Callable

from makd.errors import MakdError


def run(main: Callable[[], None]) -> None:
    """Run a command-line program; end with a message and status 1 on a mistake of the user's.

    Anything that is not known as such a mistake keeps its traceback: it is a bug. ``MAKD_TRACEBACK=1`` shows the
    traceback of the others as well.

    Modules that a config imports (``custom_imports``) may lie in the folder that the command runs in.

    Args:
        main (Callable): The program.
    """
    sys.path.append(os.getcwd())
    try:
        main()
    except (MakdError, OSError, KeyError, TypeError) as error:
        if os.environ.get('MAKD_TRACEBACK') == '1' or not _users_mistake(error):
            raise
        sys.exit(f'error: {_message(error)}\n(MAKD_TRACEBACK=1 shows where it was raised.)')


def _users_mistake(error: Exception) -> bool:
    """Tell a mistake in a config or on the command line from a bug."""
    if isinstance(error, KeyError):
        return 'registry' in str(error)  # mmengine's "X is not in the model registry"
    if isinstance(error, TypeError):
        return 'unexpected keyword argument' in str(error) or 'required positional argument' in str(error)
    return True


def _message(error: Exception) -> str:
    # A KeyError's text is the repr of its message.
    message = str(error.args[0]) if isinstance(error, KeyError) else str(error)
    if message.startswith('Caught '):  # torch puts the whole traceback of a data-loader worker into the message
        return message.strip().rsplit('\n', 1)[-1]
    return message
