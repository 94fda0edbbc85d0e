"""The questions that a config's student answers."""

from pathlib import Path

from mmengine.config import Config

from makd.config import LOADERS, walk_dicts
from makd.errors import ConfigError
from makd.questions import QuestionSet
from makd.registry import TRANSFORMS


def find_questions(cfg: Config, num_aspects: int) -> QuestionSet | None:
    """Return the questions of the first targets folder that a data loader of the config names and that is there.

    Args:
        cfg: The config.
        num_aspects: Q, how many the student answers.

    Returns:
        The Q questions in the order of the student's aspects, or None if no such folder is there.

    Raises:
        ConfigError: The folder has answers to another number of questions.
        TargetsError: It is damaged.
    """
    for loader in LOADERS:
        for field, node in walk_dicts(cfg.get(loader) or {}, loader):
            if node.get('type') == 'makd.LoadAspectTargets' and Path(node['targets']).is_dir():
                questions = TRANSFORMS.build(dict(node)).targets.questions
                if len(questions) != num_aspects:
                    raise ConfigError(
                        f'{field}.targets={node["targets"]!r} has answers to {len(questions)} questions, the student '
                        f'answers model.head.num_aspects={num_aspects}.'
                    )
                return questions
    return None
