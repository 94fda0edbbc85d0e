"""What a folder says about its answers: the questions, and how they were answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from makd.errors import QuestionsError, TargetsError
from makd.files import read_json
from makd.questions import QuestionSet

FORMAT = 'makd-targets'


@dataclass(frozen=True)
class Description:
    """The common part of ``meta.json`` and ``partitions.json``.

    Attributes:
        questions: The Q questions.
        meta: Facts about the answers, as JSON values: model, prompt, versions.
        has_label_mass: Whether p(yes) + p(no) says anything. It is 1 by construction if the annotator gave P(yes) only.
    """

    questions: QuestionSet
    meta: Mapping[str, Any] = field(default_factory=dict)
    has_label_mass: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            'question_hash': self.questions.hash,
            'question_set': self.questions.to_dict(),
            'meta': dict(self.meta),
            **({} if self.has_label_mass else {'has_label_mass': False}),
        }

    @classmethod
    def read(cls, path: Path, version: int) -> tuple['Description', dict[str, Any]]:
        """Read a file of targets; return also all that it has.

        Args:
            path: The file.
            version: The version of its format that this makd reads.

        Raises:
            TargetsError: The file is damaged or of another format, or its questions were changed.
        """
        content = read_json(path, TargetsError)
        if not isinstance(content, dict) or content.get('format') != FORMAT:
            raise TargetsError(f'{path} does not describe targets: it lacks "format": "{FORMAT}"')
        if (found := content.get('format_version')) != version:
            newer = isinstance(found, int) and found > version
            raise TargetsError(
                f'{path}: format_version is {found!r}, this makd reads {version}; '
                + ('install a newer makd' if newer else 'write the folder again')
            )
        try:
            questions = QuestionSet.from_dict(content.get('question_set'))
        except QuestionsError as error:
            raise TargetsError(f'{path}, question_set: {error}') from None
        if (stored := content.get('question_hash')) != questions.hash:
            raise TargetsError(
                f'{path}: question_hash is {stored!r}, but its questions have the hash {questions.hash!r}: they were '
                'changed after the annotator answered them. Restore them, or store the new hash if the meaning is the '
                'same'
            )
        if not isinstance(meta := content.get('meta', {}), dict):
            raise TargetsError(f'{path}: "meta" must be a JSON object, got {meta!r}')
        return cls(questions, meta, content.get('has_label_mass', True) is not False), content
