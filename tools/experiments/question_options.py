"""Options that make any MaKD config learn fewer of its questions."""

from collections.abc import Sequence

from mmengine.config import Config

from makd.config import LOADERS, walk_dicts


def question_options(cfg: Config, questions: int | Sequence[str]) -> tuple[str, ...]:
    """Return KEY=VALUE for ``--cfg-options`` that restrict the student to these questions.

    Args:
        cfg: A MaKD config: its pipelines end with ``makd.LoadAspectTargets``, and its head has ``num_aspects``.
        questions: Number of questions, taken from the first on, or their ids.

    Returns:
        One option per field; none if the config already learns that number of questions.
    """
    cfg_dict = cfg.to_dict()
    heads = {field: node for field, node in walk_dicts(cfg_dict['model'], 'model') if 'num_aspects' in node}
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
        if node.get('type') == 'makd.LoadAspectTargets'
    ]
    return (*(f'{field}.{selection}' for field in loads), *(f'{field}.num_aspects={count}' for field in heads))
