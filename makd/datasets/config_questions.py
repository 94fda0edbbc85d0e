"""The questions that a config's student answers."""

from pathlib import Path

from mmengine.config import Config

from makd.config import LOADERS, walk_dicts
from makd.errors import ConfigError
from makd.identity import Identity
from makd.questions import QuestionSet
from makd.registry import TRANSFORMS


def find_questions(cfg: Config, identity: Identity, num_aspects: int) -> QuestionSet | None:
    """Return the Q = ``num_aspects`` questions of the student in their order, or None if they are not known.

    The checkpoint names them. If it is an older one, they are read from the first existing targets folder that a data
    loader of the config names.

    Args:
        cfg: The config of the student.
        identity: What its checkpoint says.
        num_aspects: Q.

    Raises:
        ConfigError: They are not ``num_aspects``.
        TargetsError: The folder is damaged.
    """
    if identity.questions is not None:
        if len(identity.questions) != num_aspects:
            raise ConfigError(
                f'The checkpoint names {len(identity.questions)} questions, but model.head.num_aspects is '
                f'{num_aspects}.'
            )
        return identity.questions
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
