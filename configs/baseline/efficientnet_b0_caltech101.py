# EfficientNet-B0 on Caltech-101, from scratch. Paper, Table 1: 80.05 % top-1.
# python tools/train.py configs/baseline/efficientnet_b0_caltech101.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/caltech101.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
