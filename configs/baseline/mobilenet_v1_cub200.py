# MobileNet-V1 on CUB-200-2011, from scratch. Paper, Table 1: 58.85 % top-1.
# python tools/train.py configs/baseline/mobilenet_v1_cub200.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/cub200.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
