"""Measure what MaKD and DKD add to a detector's training steps and memory, as ratios to the baseline in the same run.

    OMP_NUM_THREADS=1 python benchmarks/detection.py

The model is Faster R-CNN FPN with a ResNet-18 and COCO's classes; the images are noise with a few boxes, so no data is
needed. The methods alternate, and the result is the median of the ratios of all rounds. A DKD step is compared with a
baseline step plus a forward pass of the teacher (ResNet-101, random weights) on as many regions. Times are the
process's CPU seconds without an accelerator, wall-clock time otherwise; memory is the peak of all tensors that a step
allocates.
"""

import argparse
import copy
from collections.abc import Callable

import torch
from measure import peak_memory, take_turns
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from makd.registry import MODELS

BASELINE = 'configs/baseline/faster_rcnn_r18_fpn_coco.py'
MAKD = 'configs/makd/faster_rcnn_r18_fpn_coco.py'
REGIONS = 'configs/makd/faster_rcnn_r18_fpn_coco_regions.py'
DKD = 'configs/dkd/faster_rcnn_r18-r101_fpn_coco.py'


def make_batch(count: int, size: int, num_aspects: int) -> dict:
    """Return images of noise with five boxes each, as a data loader does."""
    draw = torch.Generator().manual_seed(0)
    samples, images = [], []
    for _ in range(count):
        corner = torch.rand(5, 2, generator=draw) * size * 0.6
        extent = (0.1 + 0.3 * torch.rand(5, 2, generator=draw)) * size
        objects = InstanceData(
            bboxes=torch.cat([corner, corner + extent], dim=1),
            labels=torch.randint(0, 80, (5,), generator=draw),
            aspects=torch.rand(5, num_aspects, generator=draw),
        )
        metainfo = dict(img_shape=(size, size), ori_shape=(size, size), scale_factor=(1.0, 1.0))
        sample = DetDataSample(metainfo=metainfo, gt_instances=objects)
        sample.set_field(torch.rand(num_aspects, generator=draw), 'gt_aspects')
        samples.append(sample)
        images.append(torch.randint(0, 256, (3, size, size), dtype=torch.uint8, generator=draw))
    return {'inputs': images, 'data_samples': samples}


def make_model(path: str) -> tuple[BaseModel, Config]:
    """Return the model of a config with random weights."""
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    if 'teacher' in cfg.model:
        teacher = Config.fromfile(cfg.model.teacher).model
        teacher.backbone.init_cfg = None
        cfg.model.update(teacher=teacher, teacher_init='random', teacher_checkpoint=None)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(get_device())
    model.init_weights()
    return model.train(), cfg


def training(path: str, batch: dict, steps: int) -> tuple[BaseModel, Callable[[], None]]:
    """Return a model, and a function that runs its training steps on one batch."""
    model, cfg = make_model(path)
    optimizer = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))

    def work() -> None:
        torch.manual_seed(1)  # samples the same regions every time
        for _ in range(steps):
            model.train_step(copy.deepcopy(batch), optimizer)

    return model, work


def teaching(student: BaseModel, batch: dict, steps: int) -> Callable[[], None]:
    """Return a function that runs the teacher's part of the steps: its forward pass on 512 regions per image."""
    data = student.data_preprocessor(copy.deepcopy(batch), training=True)
    images = data['inputs']
    corners = torch.rand(512 * len(images), 2, device=images.device) * images.shape[-1] * 0.6
    image = torch.arange(len(images), device=images.device).repeat_interleave(512)[:, None]
    rois = torch.cat([image.to(corners), corners, corners + 40], dim=1)

    def work() -> None:
        for _ in range(steps):
            student.require_teacher().region_logits(images, rois, data['data_samples'])

    return work


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--steps', type=int, default=1, help='steps per round')
    parser.add_argument('--size', type=int, default=320, help='height and width of the images')
    parser.add_argument('--images', type=int, default=2, help='images per step')
    args = parser.parse_args()

    init_default_scope('mmdet')
    batch = make_batch(args.images, args.size, 50)
    _, plain = training(BASELINE, batch, args.steps)
    for name, config in (('MaKD, branch', MAKD), ('MaKD, regions', REGIONS)):
        _, makd = training(config, batch, args.steps)
        take_turns(plain, makd, args.rounds, 'training steps', name)
        memory = [peak_memory(work) for work in (plain, makd)]
        ratio = memory[1] / memory[0]
        print(f'memory of a step: baseline {memory[0]:.0f} MB, {name} {memory[1]:.0f} MB, ratio {ratio:.3f}')

    student, dkd = training(DKD, batch, args.steps)
    teacher = teaching(student, batch, args.steps)
    take_turns(lambda: (plain(), teacher()), dkd, args.rounds, 'baseline plus a forward pass of the teacher', 'DKD')


if __name__ == '__main__':
    main()
