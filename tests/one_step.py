"""One training step of a config on four made-up samples, by one process or, under torchrun, by two gloo ranks.

Usage: one_step.py CONFIG FOLDER; writes FOLDER/weights_WORLD-SIZE_RANK.pth.
"""

import os
import sys

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

config, folder = sys.argv[1:]
rank, world_size = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
torch.set_num_threads(1)
cfg = Config.fromfile(config)
init_default_scope('mmpretrain')

torch.manual_seed(0)
images, aspects = torch.randn(4, 3, 32, 32), torch.rand(4, 66)
model = MODELS.build(cfg.model)
model.init_weights()
model.eval()  # batch norm would see half the batch
optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
wrapped = model
if world_size > 1:
    torch.distributed.init_process_group('gloo')
    wrapped = MMDistributedDataParallel(model, find_unused_parameters=False)

mine = range(rank * 4 // world_size, (rank + 1) * 4 // world_size)
data_samples = [DataSample().set_gt_label(i) for i in mine]
for i, data_sample in zip(mine, data_samples):
    data_sample.set_field(aspects[i], 'gt_aspects')
loss, _ = model.parse_losses(wrapped(images[list(mine)], data_samples, mode='loss'))
optimizer.update_params(loss)
torch.save(model.state_dict(), f'{folder}/weights_{world_size}_{rank}.pth')
