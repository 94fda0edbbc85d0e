# MaKD: ResNet-18 on CUB-200-2011 also answers 50 questions. Paper, Table 1: 60.07 % top-1 (baseline 53.83 %).
# python tools/train.py configs/makd/resnet18_cub200.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/cub200_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
