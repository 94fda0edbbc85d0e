"""The questions that a config's student answers."""

from pathlib import Path

from mmengine.config import Config

from makd.config import LOADERS, walk_dicts
from makd.errors import ConfigError
from makd.questions import QuestionSet
from makd.registry import TRANSFORMS


def find_questions(cfg: Config, num_aspects: int) -> QuestionSet | None:
    """Return the Q = ``num_aspects`` questions of the student in their order, or None if they are not known.

    They are read from the first existing targets folder that a data loader of the config names.

    Raises:
        ConfigError: The folder has answers to another number of questions.
        TargetsError: The folder is damaged.
    """
    for loader in LOADERS:
        for field, node in walk_dicts(cfg.get(loader) or {}, loader):
            if node.get('type') == 'makd.LoadAspectTargets' and Path(node['targets']).is_dir():
                questions = TRANSFORMS.build(dict(node)).targets.questions
                if len(questions) != num_aspects:
                    raise ConfigError(
                        f'{field}.targets={node["targets"]!r} has answers to {len(questions)} questions, but '
                        f'model.head.num_aspects is {num_aspects}.'
                    )
                return questions
    return None
