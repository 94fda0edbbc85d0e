"""A small, untrained detector with a region head, and two images with answers about their objects."""

import json

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

import makd.models.detectors  # noqa: F401, and stand-ins for mmcv's compiled operators
from makd.questions import Question, QuestionSet
from makd.registry import MODELS
from makd.targets import AspectTargets

CLASSES = ('box', 'disc')
QUESTIONS = QuestionSet([Question('white', 'Is it white?'), Question('round', 'Is it round?'), Question('old', 'Old?')])
BOXES = [(0, [20, 10, 30, 30]), (1, [4, 4, 20, 30])]  # category and x, y, width, height; both in each image
REGIONS = {'0.png#20,10,50,40': 0.9, '0.png#4,4,24,34': 0.2, '1.png#20,10,50,40': 0.8, '1.png#4,4,24,34': 0.3}
ANSWERS = np.array([[yes, 1 - yes, 0.5] for yes in REGIONS.values()])  # P(yes), (4, Q)


def write_dataset(folder):
    """Write images, boxes and answers."""
    (folder / 'images').mkdir()
    for number in range(2):
        image = np.zeros((64, 64, 3), np.uint8)
        image[10:40, 20:50] = 255 - 50 * number
        cv2.imwrite(str(folder / 'images' / f'{number}.png'), image)
    objects = [(image, *box) for image in range(2) for box in BOXES]
    coco = dict(
        images=[dict(id=number, file_name=f'{number}.png', width=64, height=64) for number in range(2)],
        annotations=[
            dict(id=number + 1, image_id=image, category_id=category, bbox=box, area=box[2] * box[3], iscrowd=0)
            for number, (image, category, box) in enumerate(objects)
        ],
        categories=[dict(id=number, name=name) for number, name in enumerate(CLASSES)],
    )
    (folder / 'boxes.json').write_text(json.dumps(coco))
    AspectTargets.write(
        folder / 'targets',
        questions=QUESTIONS,
        keys=list(REGIONS),
        logprobs=np.log(np.stack([ANSWERS, 1 - ANSWERS], axis=-1)),
    )


def small_detector(root, folder, name='makd/faster_rcnn_r18_fpn_emoji_scenes_regions', **meta):
    """Write the data set, CONFIG and CHECKPOINT into a folder, and return the paths of the last two.

    Args:
        root: The repository's root.
        folder: The folder.
        name: The config that this one is a small version of.
        **meta: What the checkpoint says besides the classes.
    """
    write_dataset(folder)
    cfg = Config.fromfile(root / 'configs' / f'{name}.py')
    cfg.merge_from_dict(
        {
            'model.backbone.base_channels': 8,
            'model.backbone.stem_channels': 8,
            'model.backbone.init_cfg': None,
            'model.neck.in_channels': [8, 16, 32, 64],
            'model.roi_head.bbox_head.num_classes': len(CLASSES),
            'model.test_cfg.rcnn.max_per_img': 6,
        }
    )
    if 'num_aspects' in cfg.model.roi_head.bbox_head:
        cfg.model.roi_head.bbox_head.num_aspects = len(QUESTIONS)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(data_root=str(folder), ann_file='boxes.json', data_prefix=dict(img='images/'))
        loader.dataset.metainfo = dict(classes=CLASSES)
        if loader.dataset.pipeline[0].type == 'makd.LoadRegionAspects':
            loader.dataset.pipeline[0].update(targets=str(folder / 'targets'), data_root=str(folder / 'images'))
    config, checkpoint = folder / 'detector.py', folder / 'detector.pth'
    cfg.dump(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    model.init_weights()
    torch.nn.init.normal_(model.roi_head.bbox_head.fc_cls.weight, std=0.05)  # scores and answers that differ
    dataset_meta = dict(classes=CLASSES)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dataset_meta, **meta)), checkpoint)
    return str(config), str(checkpoint)
