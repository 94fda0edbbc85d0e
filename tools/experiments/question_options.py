"""Options that make any MaKD config learn fewer of its questions."""

from collections.abc import Sequence

from mmengine.config import Config

from makd import registry
from makd.config import LOADERS, walk_dicts
from makd.targets.region_key import IMAGES, REGIONS

LOADS = {IMAGES: 'makd.LoadAspectTargets', REGIONS: 'makd.LoadRegionAspects'}


def learns_about(cfg: Config) -> str:
    """Return what the training set's answers that a class can be told by are about.

    That is ``REGIONS`` wherever some are: a whole image of a detector has no class.
    """
    types = {node.get('type') for _, node in walk_dicts(cfg.to_dict().get('train_dataloader'))}
    return REGIONS if LOADS[REGIONS] in types else IMAGES


def question_options(cfg: Config, questions: int | Sequence[str]) -> tuple[str, ...]:
    """Return KEY=VALUE for ``--cfg-options`` that restrict the student to these questions.

    Args:
        cfg: A MaKD config: its pipelines have ``makd.LoadRegionAspects`` or end with ``makd.LoadAspectTargets``, and
            its head has ``num_aspects``. If it has both, the questions are those about regions.
        questions: Number of questions, taken from the first on, or their ids.

    Returns:
        One option per field; none if the config already learns that number of questions.
    """
    cfg_dict, about = cfg.to_dict(), learns_about(cfg)
    heads = {field: node for field, node in walk_dicts(cfg_dict['model'], 'model') if 'num_aspects' in node}
    if about == REGIONS:  # a branch may learn answers about images
        heads = {field: node for field, node in heads.items() if _about(node['type']) == REGIONS}
    if isinstance(questions, int):
        if all(node['num_aspects'] == questions for node in heads.values()):
            return ()
        count, selection = questions, f'top={questions}'
    else:
        count, selection = len(questions), f'question_ids=[{",".join(questions)}]'
    loads = [
        field
        for loader in LOADERS
        for field, node in walk_dicts(cfg_dict.get(loader), loader)
        if node.get('type') == LOADS[about]
    ]
    return (*(f'{field}.{selection}' for field in loads), *(f'{field}.num_aspects={count}' for field in heads))


def _about(head: str) -> str:
    return getattr(registry.find(head), 'about', IMAGES)
