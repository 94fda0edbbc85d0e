# MaKD: ResNet-34 on CUB-200-2011 also answers 50 questions. Paper, Table 1: 61.93 % top-1 (baseline 56.48 %).
# python tools/train.py configs/makd/resnet34_cub200.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/cub200_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
