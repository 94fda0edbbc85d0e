"""The detection metric of the configs, on scenes like the shipped ones, against pycocotools called directly."""

import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from projects.emoji_data.scenes import CLASSES, Scene, Sprite, Thing, coco


def test_average_precision_is_that_of_pycocotools(tmp_path):
    rng = np.random.default_rng(0)
    scenes, found, rows = [], [], []
    for number in range(12):
        things, boxes, labels = [], [], []
        for _ in range(rng.integers(1, 5)):
            left, top, width, height = (int(v) for v in rng.integers(20, 80, 4))
            kind = int(rng.integers(len(CLASSES)))
            sprite = Sprite(Image.new('RGBA', (1, 1)), kind, 'x', 'noto', 'noto/x.png', frozenset())
            things.append(Thing(sprite, (left, top, width, height), width * height, 0.0))
            # Detected with a small offset, and sometimes with another class.
            shift = rng.normal(0, 5, 4)
            boxes.append([left + shift[0], top + shift[1], left + width + shift[2], top + height + shift[3]])
            labels.append(kind if rng.random() < 0.7 else int(rng.integers(len(CLASSES))))
        scenes.append((f'{number}.jpg', Scene(Image.new('RGB', (192, 160)), tuple(things), False)))
        scores = rng.random(len(boxes)).astype(np.float32)
        found.append((np.array(boxes, np.float32), scores, np.array(labels)))
        rows += [
            dict(
                image_id=number,
                category_id=label + 1,
                bbox=[box[0], box[1], box[2] - box[0], box[3] - box[1]],
                score=float(score),
            )
            for box, score, label in zip(np.array(boxes, np.float32).tolist(), scores, labels)
        ]
    path = tmp_path / 'scenes.json'
    path.write_text(json.dumps(coco(scenes)))

    metric = CocoMetric(ann_file=str(path), metric='bbox')
    metric.dataset_meta = dict(classes=CLASSES)
    for number, (boxes, scores, labels) in enumerate(found):
        predicted = dict(bboxes=torch.from_numpy(boxes), scores=torch.from_numpy(scores), labels=torch.tensor(labels))
        metric.process({}, [dict(img_id=number, ori_shape=(160, 192), pred_instances=predicted)])
    ours = metric.evaluate(size=len(found))

    truth = COCO(path)
    evaluation = COCOeval(truth, truth.loadRes(rows), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    names = ('bbox_mAP', 'bbox_mAP_50', 'bbox_mAP_75')
    assert [ours[f'coco/{name}'] for name in names] == pytest.approx(evaluation.stats[:3], abs=1e-3)  # it rounds
    assert 0.05 < evaluation.stats[0] < evaluation.stats[1] < 0.95
