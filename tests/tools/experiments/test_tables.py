"""The reproducible tables: their configs exist, and the paper's figures belong to the right ones."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import TRANSFORMS

from experiments.question_options import question_options
from experiments.report import paper_figure
from experiments.tables import TABLES, Arm
from makd.config import merge_options
from makd.errors import ConfigError, DataError

ARMS = {name: [arm for block in table.make() for arm in block.arms] for name, table in TABLES.items()}


@pytest.mark.parametrize('name', TABLES)
def test_each_arm_is_a_config_and_has_its_own_name(name):
    assert all(Path(arm.config).is_file() for arm in ARMS[name])
    for block in TABLES[name].make():
        assert len({arm.method for arm in block.arms}) == len(block.arms) > 1
        assert '/baseline/' in block.arms[0].config
        if name != 'table5':  # which compares students of the same part of the training data
            assert not block.arms[0].overrides
        assert all((arm.x is not None) == (TABLES[name].axis is not None) for arm in block.arms)


def test_the_papers_tables_have_the_size_of_the_papers():
    def count(name):
        return len([arm for arm in ARMS[name] if paper_figure(arm.config, arm.overrides) is not None])

    assert count('table1') == 4 * 8 * 2
    assert count('table2') == 4 * 4  # the shuffled control is not the paper's
    assert count('table3') == 4 * 4
    assert count('table4') == 4 * 6  # with the baseline and MaKD alone
    assert count('table5') == 3 * 4 * 2
    assert count('table6') == 3 * 2
    assert count('table7') == 2 * 3
    assert count('students') == 0


@pytest.mark.parametrize(
    ('command', 'figure'),
    [
        ('baseline/resnet18_stanford_cars', 77.53),
        ('makd/efficientnet_b0_mini_imagenet', 75.07),
        ('ablation/mobilenet_v1_stanford_cars_random', 83.39),
        ('ablation/resnet34_stanford_cars_llava_next_34b', 84.47),
        ('makd_dkd/efficientnet_b0_mobilenet_v1_caltech101', 80.95),
        ('baseline/resnet18_oxford_pets train_dataloader.fraction=0.6', 64.21),
        ('makd/resnet18_stanford_cars train_dataloader.fraction=0.4', 49.75),
        ('makd/resnet18_stanford_cars train_dataloader.fraction=0.5', None),
        ('makd/faster_rcnn_r50_fpn_coco', 38.27),
        ('kd/internvl3_8b_resnet34_caltech101', 75.86),
        ('makd/resnet18_emoji', None),  # measured, by us
        ('ablation/resnet18_stanford_cars_shuffled', None),
    ],
)
def test_figures_are_the_papers(command, figure):
    config, *overrides = command.split()
    assert paper_figure(f'configs/{config}.py', overrides) == figure
    if figure is not None and not overrides:
        assert f'{figure:.2f}' in Path(f'configs/{config}.py').read_text()


def test_data_sets_are_the_papers_unless_others_are_named():
    assert {block.dataset for block in TABLES['table5'].blocks(None)} == {'stanford_cars', 'oxford_pets', 'caltech101'}
    assert {block.dataset for block in TABLES['table5'].blocks(('emoji',))} == {'emoji'}
    with pytest.raises(ConfigError, match=r'--datasets cars: .* stanford_cars, .* emoji'):
        TABLES['table1'].blocks(('cars',))


def test_what_a_config_says_anyway_is_not_overridden():
    """So the trial is shared with the other tables."""
    assert Arm('MaKD, alpha 16', 'configs/makd/resnet18_emoji.py', (), 16.0) in ARMS['figure3']
    assert Arm('MaKD, 66 questions', 'configs/makd/resnet18_emoji.py', (), 66) in ARMS['figure2']


def test_questions_by_evidence_are_chosen_by_the_tool_that_the_error_names(monkeypatch):
    (block, *_) = TABLES['questions'].make()
    monkeypatch.setattr('experiments.tables.EVIDENCE', 'no.json')
    with pytest.raises(DataError, match=r'tools/select_questions.py .* --out no.json'):
        block.arms[2].overrides_of_seed(0)


def test_each_of_fewer_questions_weighs_as_among_all():
    (block, *_) = TABLES['questions'].make()
    assert 'model.head.aspect_loss.loss_weight=2.424' in block.arms[1].overrides  # 16 * 10 / 66
    random = block.arms[3].overrides_of_seed
    assert random(0) == random(0) != random(1)


@pytest.mark.parametrize('questions', [10, ('metal', 'white')])
def test_options_for_fewer_questions_fit_pipelines_and_head(questions):
    cfg = Config.fromfile('configs/makd/resnet18_emoji.py')
    count = questions if isinstance(questions, int) else len(questions)
    for option in question_options(cfg, questions):
        key, _, value = option.partition('=')
        merge_options(cfg, {key: value.strip('[]').split(',') if value.startswith('[') else int(value)})
    assert cfg.model.head.num_aspects == count
    init_default_scope('mmpretrain')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loaded = TRANSFORMS.build(loader.dataset.pipeline[-1])
        assert loaded.num_aspects == count
        if not isinstance(questions, int):
            assert loaded.targets.questions.ids == questions
