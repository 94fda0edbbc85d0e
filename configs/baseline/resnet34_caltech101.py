# ResNet-34 on Caltech-101, from scratch. Paper, Table 1: 75.36 % top-1.
# python tools/train.py configs/baseline/resnet34_caltech101.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/caltech101.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
