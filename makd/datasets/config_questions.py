"""The questions that a config's student answers."""

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope

from makd.config import LOADERS, walk_dicts
from makd.datasets.load_targets import LoadAnswers, LoadAspectTargets
from makd.errors import ConfigError
from makd.identity import Identity
from makd.questions import QuestionSet
from makd.registry import TRANSFORMS
from makd.targets.region_key import REGIONS


def find_questions(
    cfg: Config, identity: Identity, num_aspects: int, kind: type[LoadAnswers] = LoadAspectTargets
) -> QuestionSet | None:
    """Return the Q = ``num_aspects`` questions of the student in their order, or None if they are not known.

    The checkpoint names them. If it is an older one, they are read from the first existing targets folder that a data
    loader of the config names.

    Args:
        cfg: The config of the student.
        identity: What its checkpoint says.
        num_aspects: Q of the head.
        kind: The transform that loads the answers which the head learns: about images or about regions.

    Raises:
        ConfigError: They are not ``num_aspects``.
        TargetsError: The folder is damaged.
    """
    known = identity.region_questions if kind.about == REGIONS else identity.questions
    if known is not None:
        if len(known) != num_aspects:
            raise ConfigError(
                f'The checkpoint names {len(known)} questions about {kind.about}, but num_aspects of the head is '
                f'{num_aspects}.'
            )
        return known
    for loader in LOADERS:
        for field, node in walk_dicts(cfg.get(loader) or {}, loader):
            if node.get('type') == f'makd.{kind.__name__}' and Path(node['targets']).is_dir():
                with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
                    questions = TRANSFORMS.build(dict(node)).targets.questions
                if len(questions) != num_aspects:
                    raise ConfigError(
                        f'{field}.targets={node["targets"]!r} has answers to {len(questions)} questions, but '
                        f'num_aspects of the head is {num_aspects}.'
                    )
                return questions
    return None
