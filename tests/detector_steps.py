"""Training steps of a detector that learns from a teacher and from both kinds of answers, by two gloo ranks.

In the first step rank 1 has an image without any object. Usage, under torchrun: detector_steps.py FOLDER; writes
FOLDER/RANK.pth.
"""

import os
import sys

import torch
import torch.distributed
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from models import detection

import makd.models.detectors  # noqa: F401, and stand-ins for mmcv's compiled operators

rank = int(os.environ['RANK'])
torch.set_num_threads(1)
torch.distributed.init_process_group('gloo')
student = dict(
    detection.makd('FasterRCNN'),
    type='makd.DistillMaKDFasterRCNN',
    roi_head=dict(
        type='makd.DistillRoIHead', bbox_head=dict(type='makd.MaKDShared2FCBBoxHead', num_aspects=detection.Q)
    ),
    teacher=detection.detector_config('FasterRCNN').to_dict(),
    teacher_init='random',
    distill_loss=dict(type='makd.DKDLoss', alpha=1.0, beta=0.25, temperature=1.0),
)
model = detection.build('FasterRCNN', **student)
wrapped = MMDistributedDataParallel(model, find_unused_parameters=False)
optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
for step in range(3):  # a parameter that a step leaves out stops the next one
    boxes = () if step == 0 and rank == 1 else ((8, 8, 40, 40), (50, 10, 90, 60))
    loss, _ = model.parse_losses(wrapped(**detection.batch(model, boxes=boxes, seed=2 * step + rank), mode='loss'))
    optimizer.update_params(loss)
torch.save({name: parameter.detach() for name, parameter in model.named_parameters()}, f'{sys.argv[1]}/{rank}.pth')
