# MaKD: ResNet-34 on Caltech-101 also answers 50 questions. Paper, Table 1: 77.56 % top-1 (baseline 75.36 %).
# python tools/train.py configs/makd/resnet34_caltech101.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/caltech101_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
