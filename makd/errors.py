"""The errors that a user can cause and put right. The command-line tools print them as one message, without traceback.

Every message names the offending value, its place (file, key or config field) and the way out.
"""


class MakdError(ValueError):
    """Base class of makd's own errors."""


class ConfigError(MakdError):
    """A config names something that does not exist, does not fit, or has no meaning."""


class DataError(MakdError):
    """A data set on disk is absent, incomplete or not laid out as expected."""


class QuestionsError(MakdError):
    """A file of questions is absent or damaged, or two sets of questions differ where they must agree."""


class TargetsError(MakdError):
    """A folder of aspect targets is absent or damaged, or lacks an image that was asked for."""


class AnnotatorStopped(MakdError):  # noqa: N818, the name says what happened to whom
    """A teacher cannot answer any more (a dead server, a spent budget): annotation stops and keeps what is done."""


class ServerError(MakdError):
    """A server of a language model cannot be asked any more: it is gone, wants another key, or the budget is spent."""


class RequestRefused(ServerError):  # noqa: N818, what happened
    """A server refuses this request, for instance for its image, and may well take the next one."""
