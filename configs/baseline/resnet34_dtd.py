# ResNet-34 on DTD, from scratch. Paper, Table 1: 53.76 % top-1.
# python tools/train.py configs/baseline/resnet34_dtd.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/dtd.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
