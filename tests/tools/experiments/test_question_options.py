from mmengine.config import Config

from experiments.question_options import learns_about, question_options
from makd.config import load_config

REGIONS = 'configs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py'


def test_a_detector_learns_fewer_questions_about_regions(pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    cfg = Config.fromfile(REGIONS)
    assert learns_about(cfg) == 'regions'
    assert question_options(cfg, 66) == ()
    options = dict(option.split('=', 1) for option in question_options(cfg, ['red', 'round']))
    loaders = [f'{split}_dataloader.dataset.pipeline.0.question_ids' for split in ('train', 'val', 'test')]
    assert options == {
        **dict.fromkeys(loaders, '[red,round]'),
        'model.roi_head.bbox_head.num_aspects': '2',
    }
    load_config(REGIONS, {field: ['red', 'round'] for field in loaders})


def test_a_branch_about_the_image_keeps_its_questions(pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    image = Config.fromfile('configs/makd/faster_rcnn_r18_fpn_emoji_scenes.py')
    assert learns_about(image) == 'images'
    assert 'model.aspect_head.num_aspects=7' in question_options(image, 7)
    both = Config.fromfile(REGIONS)
    both.model.aspect_head = image.model.aspect_head
    both.train_dataloader.dataset.pipeline.append(image.train_dataloader.dataset.pipeline[-1])
    assert question_options(both, 7) == question_options(Config.fromfile(REGIONS), 7) != ()
