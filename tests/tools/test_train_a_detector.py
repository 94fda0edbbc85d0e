"""The same train.py and test.py serve mmdet: a very small Faster R-CNN on two images, without compiled operators."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets
from projects.emoji_data import scenes as emoji_scenes

CONFIG = """
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', 'ROOT/configs/_base_/default_runtime.py']
default_scope = 'mmdet'
default_hooks = dict(visualization=dict(_delete_=True, type='DetVisualizationHook'))
visualizer = dict(_delete_=True, type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
model = dict(
    backbone=dict(depth=18, base_channels=8, stem_channels=8, init_cfg=None),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=16, num_classes=1),
    ),
)
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(64, 64)),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
load_aspects = dict(type='makd.LoadAspectTargets', targets='FOLDER/targets', data_root='FOLDER/images')
dataset = dict(
    type='CocoDataset', data_root='FOLDER', ann_file='boxes.json', data_prefix=dict(img='images/'),
    metainfo=dict(classes=('box',)), pipeline=pipeline,
)
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=[*pipeline, load_aspects], **{k: v for k, v in dataset.items() if k != 'pipeline'}),
)
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True, **dataset),
)
test_evaluator = dict(type='CocoMetric', ann_file='FOLDER/boxes.json', metric='bbox')
train_cfg = dict(by_epoch=True, max_epochs=1)
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
"""


@pytest.fixture
def config(tmp_path, pytestconfig):
    (tmp_path / 'images').mkdir()
    for i in range(2):
        image = np.zeros((64, 64, 3), np.uint8)
        image[10:40, 20:50] = 255
        cv2.imwrite(str(tmp_path / 'images' / f'{i}.png'), image)
    boxes = dict(
        images=[dict(id=i, file_name=f'{i}.png', width=64, height=64) for i in range(2)],
        annotations=[
            dict(id=i + 1, image_id=i, category_id=1, bbox=[20, 10, 30, 30], area=900, iscrowd=0) for i in (0, 1)
        ],
        categories=[dict(id=1, name='box')],
    )
    (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
    AspectTargets.write(
        tmp_path / 'targets',
        questions=QuestionSet([Question('white', 'Is there something white?')]),
        keys=['0.png', '1.png'],
        logprobs=np.log(np.array([[[0.9, 0.1]], [[0.75, 0.25]]])),
    )
    path = tmp_path / 'detector.py'
    path.write_text(CONFIG.replace('ROOT', str(pytestconfig.rootpath)).replace('FOLDER', str(tmp_path)))
    return path


@pytest.mark.slow
def test_a_detector_trains_tests_and_draws(config, tmp_path):
    """In new processes, which import everything in the order in which the tools do."""

    def tool(*arguments):
        done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    tool('tools/train.py', config, '--work-dir', tmp_path / 'run')
    tool(
        *('tools/test.py', config, tmp_path / 'run' / 'epoch_1.pth', '--work-dir', tmp_path / 'test'),
        *('--out', tmp_path / 'metrics.json', '--out-item', 'metrics', '--show-dir', tmp_path / 'pictures'),
    )
    assert 'coco/bbox_mAP' in json.loads((tmp_path / 'metrics.json').read_text())
    assert len(list(tmp_path.glob('test/*/pictures/*.png')) + list(tmp_path.glob('**/pictures/*.png'))) >= 2


def test_aspect_targets_after_pack_det_inputs(config):
    from mmdet.registry import DATASETS

    init_default_scope('mmdet')
    dataset = DATASETS.build(Config.fromfile(config).train_dataloader.dataset)
    values = sorted(dataset[i]['data_samples'].gt_aspects.item() for i in range(2))
    assert values == pytest.approx([0.75, 0.9])


@pytest.fixture
def folder_with_scenes(tmp_path, monkeypatch, pytestconfig):
    """A folder like the repository's root, with six scenes of each split."""
    small = {split: (6, styles[:1]) for split, (_, styles) in emoji_scenes.SPLITS.items()}
    monkeypatch.setattr(emoji_scenes, 'SPLITS', small)
    data = pytestconfig.rootpath / 'data'
    emoji_scenes.prepare(tmp_path / 'data' / 'emoji_scenes', None, data / 'emoji_scenes', log=lambda _: None)
    (tmp_path / 'data' / 'backbones').symlink_to(data / 'backbones')
    return tmp_path


def test_a_makd_detector_trains_on_scenes_shows_what_it_learnt_and_is_exported(
    folder_with_scenes, pytestconfig, python
):
    root = pytestconfig.rootpath
    config = str(root / 'configs' / 'makd' / 'faster_rcnn_r18_fpn_emoji_scenes.py')

    def tool(name, *args):
        environment = {**os.environ, 'PYTHONPATH': str(root)}
        done = python(root / 'tools' / name, config, *args, cwd=folder_with_scenes, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    printed = tool(
        *('train.py', '--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1'),
        *(
            'train_dataloader.batch_size=2',
            'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False',
        ),
    )
    assert 'load backbone. in model from: data/backbones' in printed
    assert 'coco/bbox_mAP_50' in printed
    assert 'aspect/auc' in printed
    assert cv2.imread(str(folder_with_scenes / 'run' / 'predictions.png')).shape[1] > 800

    student = torch.load(folder_with_scenes / 'run' / 'epoch_1.pth', weights_only=False)['state_dict']
    assert 'a plain FasterRCNN' in tool('export_student.py', 'run/epoch_1.pth', 'plain.pth')
    plain = torch.load(folder_with_scenes / 'plain.pth', weights_only=True)['state_dict']
    assert student.keys() - plain.keys() == {'aspect_head.fc.weight', 'aspect_head.fc.bias'}
    assert plain.keys() <= student.keys()

    from mmdet.apis import inference_detector, init_detector

    detector = init_detector(
        str(folder_with_scenes / 'plain_config.py'), str(folder_with_scenes / 'plain.pth'), device='cpu'
    )
    assert detector.dataset_meta['classes'] == emoji_scenes.CLASSES
    inference_detector(detector, str(folder_with_scenes / 'data/emoji_scenes/test/000000.jpg'))
